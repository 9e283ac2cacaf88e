"""Has operators' files read where that delays nothing else: in a process of its own (reader.py).

What is short is read on the spot, because a process costs a hundred times as much. Each caller has
one reading at a time, and all of them a few; whoever comes meanwhile waits.

What must never happen here: a text that holds up the event loop; a reader that outlives its order.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Protocol

from cluster.config.schema import ClusterConfig
from cluster.reader import Found as Found
from cluster.reader import Order, Source, found_in
from cluster.turns import Turns
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, from_msgpack, to_msgpack
from packages.vm.processes import told

IN_PLACE_BYTES = 2048
"""5 ms of the worst; an ordinary package has half of it."""
AT_ONCE = 3
"""Each of another caller, on a host whose processors are the guests'."""
DEADLINE_S = 20.0
"""Twice its time on the processor: the host may be busy."""

READER = (sys.executable, "-P", "-m", "cluster.reader")
"""-P: what lies in the folder the daemon was started in is none of its modules."""


class Reader(Protocol):
    async def found(self, order: Order) -> Found | Problem: ...


class OnTheSpot:
    """Where nobody else waits for the loop, or there are no processes: in a simulation."""

    async def found(self, order: Order) -> Found | Problem:
        return found_in(order)


class OtherProcess:
    """Of a host. A Problem: the reader was not fit to read it."""

    def __init__(self, command: Sequence[str] = READER, *, deadline_s: float = DEADLINE_S) -> None:
        self._command, self._deadline_s = tuple(command), deadline_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def found(self, order: Order) -> Found | Problem:
        raw = to_msgpack(order)
        if len(raw) <= IN_PLACE_BYTES:
            found = found_in(order)
            await asyncio.sleep(0)  # the loop has its turn before the next one
            return found
        async with self._turns:
            return await self._read(raw)

    async def _read(self, raw: bytes) -> Found | Problem:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL)
        except OSError as failure:
            return _not_read(f"The reader could not be started: {failure}.")
        try:
            answer, _ = await told(process, raw, deadline_s=self._deadline_s)
        except TimeoutError:
            return _not_read(f"It was not read within {self._deadline_s:g} s.")
        if process.returncode != 0:
            return _not_read("It took more time or memory than a text is given.")
        try:
            found: Found = from_msgpack(answer, Found)
        except Undecodable:
            return _not_read("The reader is of another version than the daemon.")
        return found


class Reading:
    """Of one daemon: each caller's texts one after the other."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._busy = Turns()

    async def packages(
        self, caller: str, files: Sequence[tuple[str, str]],
    ) -> tuple[list[PackageSpec], list[Problem]]:
        """The packages of all files (name, text), and everything that is wrong with them."""
        found = await self._found(caller, Order(packages=tuple(
            Source(name=name, text=text) for name, text in files)))
        if isinstance(found, Problem):
            return [], [found]
        return list(found.specs), list(found.problems)

    async def cluster(
        self, caller: str, text: str, *, source: str = "cluster.yaml",
    ) -> tuple[ClusterConfig | None, list[Problem]]:
        """The one cluster that the text describes, or None with everything that is wrong."""
        found = await self._found(caller, Order(cluster=Source(name=source, text=text)))
        if isinstance(found, Problem):
            return None, [found]
        return found.config, list(found.problems)

    async def _found(self, caller: str, order: Order) -> Found | Problem:
        async with self._busy.of(caller):
            return await self._reader.found(order)


def _not_read(because: str) -> Problem:
    return problem(
        "text-not-read", "request", what="The text was not read.", because=because,
        fix="Give less at a time: fewer packages, or smaller files.",
    )
