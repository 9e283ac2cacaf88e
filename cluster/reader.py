"""The process in which an operator's files are read: one order on standard input, one answer out.

To read a text takes a thousand times as long as to receive it, and what it takes is its writer's to
choose. The daemon's loop, on which leases and agreement depend, has no time for that: the reader
has its own, little of it, little memory, and the lowest place in line.

What must never happen here: opening anything that a text names.
"""

import os
import resource
import sys

from cluster.config.cluster_file import cluster_from_text
from cluster.config.package_file import packages_from_text
from cluster.config.schema import ClusterConfig
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.shape import MOST_PROBLEMS
from packages.core.values import Value, from_msgpack, to_msgpack

CPU_S = 10
"""A thousand packages take about one; eight MiB of the worst are given up."""
MEMORY_BYTES = 256 << 20
NICE = 10


class Source(Value):
    name: str
    text: str


class Order(Value):
    packages: tuple[Source, ...] = ()
    cluster: Source | None = None


class Found(Value):
    """What the texts say, and everything that is wrong with them, up to MOST_PROBLEMS."""

    specs: tuple[PackageSpec, ...] = ()
    config: ClusterConfig | None = None
    problems: tuple[Problem, ...] = ()


def found_in(order: Order) -> Found:
    if order.cluster is not None:
        config, faults = cluster_from_text(order.cluster.text, source=order.cluster.name)
        return Found(config=config, problems=tuple(faults[:MOST_PROBLEMS]))
    specs: list[PackageSpec] = []
    problems: list[Problem] = []
    for each in order.packages:
        found, faults = packages_from_text(each.text, source=each.name)
        specs += found
        problems += faults
        if len(problems) >= MOST_PROBLEMS:
            break
    return Found(specs=tuple(specs), problems=tuple(problems[:MOST_PROBLEMS]))


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    order: Order = from_msgpack(sys.stdin.buffer.read(), Order)
    sys.stdout.buffer.write(to_msgpack(found_in(order)))


if __name__ == "__main__":
    main()
