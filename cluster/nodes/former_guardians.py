"""Guardians of other run folders, which hold guests that this node's own guardian has as well.

A daemon that was given another run folder takes its guests up from where they were started, and so
does the guardian of the new folder. The one of the old folder holds them still, under a lease that
nobody renews any more, and would freeze them when that ends, as it must: it cannot know. So it is
told to let go of them, and only of them.

What must never happen here: a guest that is let go of before this node's own guardian has it, under
a good lease.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from cluster.nodes.guardian_link import LINE_BYTES, Guardian, GuardianReport
from packages.core.values import Undecodable, from_json, plain, to_json
from packages.vm.driver import Guest

log = logging.getLogger(__name__)

DEADLINE_S = 1.0
"""For one of them to answer; it is asked again with the next look."""
SOCKET = "guardian.sock"

Key = tuple[int, int]
"""Process id and start time."""


class FormerGuardians:
    """`folders` are those in which guests that are held here were started, beside this daemon's
    own; `ours` are the guests that the record gives to this node, and that its own guardian has
    been told of."""

    def __init__(
        self, guardian: Guardian, *, folders: Callable[[], Iterable[Path]],
        ours: Callable[[], Iterable[Guest]], may_run: Callable[[], bool],
    ) -> None:
        self._guardian, self._folders, self._ours = guardian, folders, ours
        self._may_run = may_run

    async def look(self) -> None:
        for folder in sorted(self._folders()):
            ours = {(each.pid, each.start_ticks) for each in self._ours()}
            if await self._guardian.taken_up(deadline_s=DEADLINE_S) is not None or (
                    not self._may_run()):
                return
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await self._take_over(folder, ours)
            except (OSError, TimeoutError, ValueError, *Undecodable):
                continue  # nobody is there, or it does not answer: nor has it a say then for long

    async def _take_over(self, folder: Path, ours: set[Key]) -> None:
        reader, writer = await asyncio.open_unix_connection(folder / SOCKET, limit=LINE_BYTES)
        try:
            writer.write(b'{"ask": 1}\n')
            held = (await _report(reader)).guarded
            left = [each for each in held if (each.pid, each.start_ticks) not in ours]
            if len(left) == len(held):
                return
            log.warning("the guardian of %s, where they were started, is told to let go of %d "
                        "guests", folder, len(held) - len(left))
            writer.write(to_json({"guests": [plain(each) for each in left]}) + b"\n")
            writer.write(b'{"ask": 2}\n')
            await _report(reader)
        finally:
            writer.close()


async def _report(reader: asyncio.StreamReader) -> GuardianReport:
    """Its next answer, past what it tells unasked."""
    while line := await reader.readline():
        if not line.startswith(b'{"event"'):
            return from_json(line, GuardianReport)
    raise ConnectionError("closed")
