"""Searches for a run in which something happens that must never happen. From the project's root:

    python -m tests.simulation.search --seed 4711        one run, the same each time
    python -m tests.simulation.search --seconds 60       fresh runs for so long

The seed decides everything: the number of nodes, the manner of the network, what goes wrong.
"""

import argparse
import sys
import time
from collections import Counter
from typing import NamedTuple

from cluster.clock import HostClock
from tests.simulation.broken_builds import BROKEN
from tests.simulation.hardware import hardware_of
from tests.simulation.host import Build
from tests.simulation.judge import Broken
from tests.simulation.members import Membership
from tests.simulation.nemesis import Nemesis
from tests.simulation.network import Manner
from tests.simulation.operators import Operators
from tests.simulation.world import World

TROUBLE_S = 30.0
REST_S = 90.0
"""Within this everything has to be well again: failovers, the longest move, a second attempt."""
STAY_S = 4.0
"""And has to stay so."""


KEYED_OF, KEYED = 11, 7
"""Of so many seeds one is of a world whose doors open by keys, and whose nodes and keys change."""


class Ran(NamedTuple):
    """What a run amounted to."""

    fingerprint: str
    simulated_s: float
    steps: int
    counts: dict[str, int]


def world_of(seed: int, build: Build | None = None) -> World:
    manner: Manner = "wild" if seed % 3 == 0 else "orderly"
    return World(
        seed, nodes=5 if seed % 5 == 0 else 3, manner=manner, build=build,
        has_keys=seed % KEYED_OF == KEYED or (build is not None and build.needs_keys),
        # A build broken on purpose shows more where nothing keeps its harm off.
        hardware=hardware_of(seed) if build is None else build.needs)


def run(seed: int, world: World | None = None) -> Ran:
    """One whole run; raises Broken."""
    with world or world_of(seed) as world:
        nemesis, operators = Nemesis(world), Operators(world)
        members = Membership(world) if world.around.folders is not None else None
        operators.settle_in()
        world.run(world.timeline.dice.choice((1.0, 6.0)))
        nemesis.begin()
        operators.begin()
        if members is not None:
            members.begin()
        world.run(TROUBLE_S)
        nemesis.calm()
        operators.calm()
        if members is not None:
            members.calm()
        world.until_settled(within_s=REST_S)
        world.run(STAY_S)
        world.until_settled(within_s=STAY_S)
        return Ran(world.fingerprint(), world.timeline.now_s, world.timeline.steps,
                   dict(world.judge.counts))


def command_for(seed: int) -> str:
    return f"python -m tests.simulation.search --seed {seed}"


def search(first: int, *, seconds: float, most: int = sys.maxsize) -> tuple[int, list[str]]:
    """Runs of seeds from `first` on; how many, and what was found, each with its command."""
    clock, found, seed, totals = HostClock(), [], first, Counter[str]()
    end_s = clock.boottime_s() + seconds
    while clock.boottime_s() < end_s and seed < first + most:
        try:
            totals.update(run(seed).counts)
        except Broken as error:
            found.append(f"{error}\n    {command_for(seed)}")
            print(found[-1], flush=True)
        seed += 1
    print(f"{seed - first} seeds from {first}: {len(found)} broken; {dict(totals)}")
    return seed - first, found


def seeds_until_caught(build: type[Build], *, first: int, most: int) -> int | None:
    """How many runs of a broken build it takes until a checker that may find it does."""
    for number in range(most):
        seed = first + number
        try:
            run(seed, world_of(seed, build()))
        except Broken as error:
            if error.checker in build.caught_by:
                return number + 1
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.search")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--build", choices=sorted(BROKEN), help="one broken on purpose")
    parser.add_argument("--first", type=int, help="begin with this one (else: with a fresh one)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--most", type=int, default=sys.maxsize)
    options = parser.parse_args()
    if options.seed is not None:
        build = BROKEN[options.build]() if options.build else None
        try:
            print(run(options.seed, world_of(options.seed, build)))
        except Broken as error:
            print(error)
            return 1
        return 0
    first = options.first if options.first is not None else time.time_ns() // 1_000_000
    _, found = search(first, seconds=options.seconds, most=options.most)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
