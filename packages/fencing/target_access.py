"""Fences at the target: the lost owner is taken off its access list and its connections are cut.

For LUNs that QEMU opens itself: a reservation there would belong to QEMU's own session, which
nobody else can register. Every owner's QEMU logs in under an initiator name of its own, so a QEMU
that was shut out stays out, and its successor on the same node comes in by another name.

What must never happen here: a name put back on the list. A QEMU that hangs in its reconnection
sends all that it held back once it is let in again.
"""

import asyncio

from packages.core.fencing import (
    DiskGuard, Registrant, initiator_name, is_outlived, lun_of, outlived, own_earlier,
    registrant_of_initiator, why_open
)
from packages.core.problem import Problem
from packages.fencing.access_lists import AccessList, AccessLists
from packages.fencing.fence import FencedDisk, failed

SETTLED_S = 0.02
"""Between two looks at a target that ends a connection: it does so within milliseconds."""


class TargetAccess:
    def __init__(self, lists: AccessLists) -> None:
        self._lists = lists

    async def register(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        return await self._lists.admit(
            disk, lun_of(disk.path), initiator_name(disk.fence, me), deadline_s=deadline_s)

    async def release(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        guard = await self.status(disk, deadline_s=deadline_s)
        if isinstance(guard, Problem):
            return guard
        return await self._expel(disk, own_earlier(guard, me), deadline_s)

    async def fence(
        self, disk: FencedDisk, by: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        guard = await self.status(disk, deadline_s=deadline_s)
        if isinstance(guard, Problem):
            return guard
        if not guard.closed:
            return failed(disk.path, why_open(guard, by) or "")
        lingering = tuple(each for each in guard.lingering if is_outlived(each, by))
        refused = await self._expel(disk, (*outlived(guard, by), *lingering), deadline_s)
        return refused or await self._seen_closed(disk, by, deadline_s)

    async def status(self, disk: FencedDisk, *, deadline_s: float) -> DiskGuard | Problem:
        listed = await self._lists.read(disk, lun_of(disk.path), deadline_s=deadline_s)
        return listed if isinstance(listed, Problem) else guard_of(disk, listed)

    async def _expel(
        self, disk: FencedDisk, gone: tuple[Registrant, ...], deadline_s: float,
    ) -> Problem | None:
        for each in dict.fromkeys(gone):
            refused = await self._lists.expel(
                disk, lun_of(disk.path), initiator_name(disk.fence, each), deadline_s=deadline_s)
            if refused is not None:
                return refused
        return None

    async def _seen_closed(
        self, disk: FencedDisk, by: Registrant, deadline_s: float,
    ) -> Problem | None:
        """A session is on the target's list until the last it sent is done with."""
        reason: str | None = None
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    guard = await self.status(disk, deadline_s=deadline_s)
                    if isinstance(guard, Problem):
                        return guard
                    reason = why_open(guard, by)
                    if reason is None:
                        return None
                    await asyncio.sleep(SETTLED_S)
        except TimeoutError:
            return failed(disk.path, reason or "the target did not answer in time")


def guard_of(disk: FencedDisk, listed: AccessList) -> DiskGuard:
    named = [(name, registrant_of_initiator(disk.fence, name)) for name in listed.initiators]
    allowed = tuple(known for _, known in named if known is not None)
    connected = (
        registrant_of_initiator(disk.fence, session.initiator) for session in listed.sessions)
    return DiskGuard(
        registrants=allowed, closed=not listed.open_to,
        foreign=(*(name for name, known in named if known is None), *listed.open_to),
        lingering=tuple(each for each in connected if each is not None and each not in allowed),
        identity=listed.identity, size_bytes=listed.size_bytes, sector_bytes=listed.sector_bytes,
    )
