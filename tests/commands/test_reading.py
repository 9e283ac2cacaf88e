"""Operators' files are read in a process of its own, with a budget, one at a time for each."""

import asyncio
import sys
from collections.abc import Sequence

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.load import LARGEST_DESCRIPTION
from cluster.config.package_file import packages_from_text
from cluster.reader import Found, Order, Source, found_in
from cluster.reading import IN_PLACE_BYTES, OtherProcess, Reading
from packages.core.problem import Problem
from packages.core.shape import MOST_PROBLEMS

PACKAGE = """---
name: {name}
description: {filler}
nodes: [n1, n2]
vm: {{memory_mib: 64, disks: [{{path: /dev/{name}}}]}}
"""
CLUSTER = "name: c\nnodes:\n- {name: n1, address: 10.0.0.1}\n"


def described(number: int, filler: str = "x") -> str:
    return "".join(PACKAGE.format(name=f"p{each}", filler=filler) for each in range(number))


async def test_a_thousand_packages_are_read_while_the_loop_turns() -> None:
    text, turns = described(1000, "x" * 500), 0
    reading = asyncio.ensure_future(
        Reading(OtherProcess()).packages("operator:a", [("a.yaml", text)]))
    while not reading.done():
        turns += 1
        await asyncio.sleep(0.005)
    specs, problems = await reading
    assert not problems and specs == packages_from_text(text)[0] and len(specs) == 1000
    assert turns > 20, "the loop stood still"


async def test_a_cluster_file_is_read_the_same() -> None:
    text = CLUSTER + "#" * IN_PLACE_BYTES
    found = await Reading(OtherProcess()).cluster("operator:a", text)
    assert found == cluster_from_text(text) and found[0] is not None


@pytest.mark.parametrize("text", [
    "name: x\nnodes: [" + "a," * LARGEST_DESCRIPTION + "]\n", "--- a\n" * 20_000,
    "a: {b: {c: 1}}\n" * 9_000, "name: " + "x" * (1 << 19),
    "".join(f"--- {{name: p{each}, zzz: 1}}\n" for each in range(5000)),
], ids=["list", "documents", "keys", "word", "unknown"])
async def test_a_hostile_file_has_few_problems(text: str) -> None:
    reading = Reading(OtherProcess())
    specs, problems = await reading.packages("operator:a", [("a", text), ("b", text)])
    assert not specs and 1 <= len(problems) <= MOST_PROBLEMS
    config, problems = await reading.cluster("operator:a", text)
    assert config is None and 1 <= len(problems) <= MOST_PROBLEMS


def test_one_description_has_a_largest_size() -> None:
    assert not packages_from_text(described(400, "x" * 500))[1], "counted for each alone"
    [found] = packages_from_text(described(1) + f"monitors: [{'a,' * LARGEST_DESCRIPTION}]")[1]
    assert str(LARGEST_DESCRIPTION) in found.because


def test_of_a_list_that_is_too_long_nothing_is_compared() -> None:
    [found] = packages_from_text(PACKAGE.format(name="a", filler="x").replace(
        "[n1, n2]", f"[{'n1, ' * 100}]"))[1]
    assert "100 entries" in found.what


async def refused(command: Sequence[str], deadline_s: float = 30.0) -> Problem:
    order = Order(packages=(Source(name="a", text="#" * IN_PLACE_BYTES),))
    found = await OtherProcess(command, deadline_s=deadline_s).found(order)
    assert isinstance(found, Problem) and found.code == "text-not-read"
    return found


async def test_a_reader_that_takes_too_long_is_ended() -> None:
    found = await refused([sys.executable, "-c", "import time; time.sleep(5)"], deadline_s=0.2)
    assert "0.2 s" in found.because


@pytest.mark.parametrize("program, because", [
    ("import sys; sys.exit(1)", "more time or memory"), ("print('x')", "another version"),
])
async def test_a_reader_that_fails_is_a_problem(program: str, because: str) -> None:
    assert because in (await refused([sys.executable, "-c", program])).because


async def test_a_reader_that_is_not_there_is_a_problem() -> None:
    assert "could not be started" in (await refused(["/nonexistent"])).because


BUDGET = """
import cluster.reader as reader, resource, sys
reader.CPU_S, reader.MEMORY_BYTES = {cpu_s}, {memory}
reader.found_in = lambda order: {work}
reader.main()
"""


@pytest.mark.parametrize("cpu_s, memory, work", [
    (1, 1 << 40, "[None for _ in iter(int, 1)]"), (60, 200 << 20, "bytearray(1 << 30)"),
], ids=["time", "memory"])
async def test_the_reader_has_a_budget(cpu_s: int, memory: int, work: str) -> None:
    program = BUDGET.format(cpu_s=cpu_s, memory=memory, work=work)
    assert "more time or memory" in (await refused([sys.executable, "-c", program])).because


class Slow:
    """Counts how many read at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.released = asyncio.Event()

    async def found(self, order: Order) -> Found | Problem:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.released.wait()
        self.now -= 1
        return found_in(order)


@pytest.mark.parametrize("callers, most", [(("operator:a",) * 4, 1), (("operator:a", "node:a"), 2)])
async def test_each_caller_has_one_reading_at_a_time(callers: Sequence[str], most: int) -> None:
    slow = Slow()
    reading = Reading(slow)
    work = [asyncio.ensure_future(reading.packages(each, [("a", "b")])) for each in callers]
    for _ in range(20):
        await asyncio.sleep(0)
    assert slow.now == most
    slow.released.set()
    await asyncio.gather(*work)
    assert slow.most == most and not reading._busy


def test_what_is_short_is_read_on_the_spot() -> None:
    """No process, so also where none can be started."""
    text = described(1)
    assert len(text) < IN_PLACE_BYTES
    specs, problems = asyncio.run(
        Reading(OtherProcess(["/nonexistent"])).packages("operator:a", [("a", text)]))
    assert len(specs) == 1 and not problems
