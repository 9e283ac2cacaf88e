"""All disks of a package behind the fence it asks for, each step with a deadline as a whole.

A package without a fence is let through everywhere and proves nothing: its lost owner is waited
for by its lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from packages.core.fencing import DiskGuard, Registrant, registrant
from packages.core.model import FenceSpec, PackageSpec
from packages.core.problem import Problem
from packages.fencing.fence import FencedDisk, StorageFence, failed, unavailable
from packages.fencing.lio import LioAccessLists
from packages.fencing.scsi_reservation import ScsiReservation
from packages.fencing.target_access import TargetAccess
from packages.fencing.tgt import TgtAccessLists
from packages.fencing.tools import RunTool, run_tool
from packages.vetting import Vetting

ORDER_S = 5.0
"""For one step at all disks of a package. A target answers within milliseconds, one behind ssh
within one second; a takeover that is still not through would have been served by a lease."""

AT_ONCE = 8
"""Questions to the storage at the same time: each is a process here, and a session there."""

NOT_ALLOWED = ("have `fence.command` allowed by `programs:` of the cluster file, and see that the "
               "program is root's (docs/security.md)")

Step = Callable[[StorageFence, FencedDisk], Awaitable[Problem | None]]


class NoFence:
    """`none`: everybody may write, and nobody is kept off."""

    async def register(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        return None

    async def release(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        return None

    async def fence(
        self, disk: FencedDisk, by: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        return failed(disk.path, "the package has no fence")

    async def status(self, disk: FencedDisk, *, deadline_s: float) -> DiskGuard | Problem:
        return unavailable(disk.path, "the package has no fence", "give it one: `fence:`")


class Fences(Protocol):
    """What a node's agents ask; `epoch` is the guest's that the step is for."""

    async def register(self, spec: PackageSpec, node: str, epoch: int) -> Problem | None: ...
    async def release(self, spec: PackageSpec, node: str, epoch: int) -> Problem | None: ...

    async def fence(self, spec: PackageSpec, node: str, epoch: int) -> Problem | None:
        """None: no other node that was let in up to this epoch can write to any of the disks."""

    async def status(
        self, disks: Mapping[str, FenceSpec], *, deadline_s: float,
    ) -> dict[str, DiskGuard | Problem]:
        """By the disks' paths, each with the fence that is asked for. Within the deadline."""


class DiskFences:
    """By the adapter that `adapter` gives for what a package asks. A fence's command is
    vetted before each step."""

    def __init__(
        self, adapter: Callable[[FenceSpec], StorageFence], vetting: Vetting | None = None,
    ) -> None:
        self._adapter, self._vetting = adapter, vetting or Vetting()

    async def register(self, spec: PackageSpec, node: str, epoch: int) -> Problem | None:
        me = registrant(node, epoch)
        return await self._each(spec, lambda adapter, disk: adapter.register(
            disk, me, deadline_s=ORDER_S))

    async def release(self, spec: PackageSpec, node: str, epoch: int) -> Problem | None:
        me = registrant(node, epoch)
        return await self._each(spec, lambda adapter, disk: adapter.release(
            disk, me, deadline_s=ORDER_S))

    async def fence(self, spec: PackageSpec, node: str, epoch: int) -> Problem | None:
        by = registrant(node, epoch)
        return await self._each(spec, lambda adapter, disk: adapter.fence(
            disk, by, deadline_s=ORDER_S))

    async def status(
        self, disks: Mapping[str, FenceSpec], *, deadline_s: float,
    ) -> dict[str, DiskGuard | Problem]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def seen(path: str, fence: FenceSpec) -> DiskGuard | Problem:
            try:
                async with asyncio.timeout(deadline_s), turns:
                    refused = await self._not_allowed(fence)
                    if refused is not None:
                        return unavailable(path, refused, NOT_ALLOWED)
                    return await self._adapter(fence).status(
                        FencedDisk(path=path, fence=fence), deadline_s=deadline_s)
            except TimeoutError:
                return failed(path, f"the storage had not answered after {deadline_s:g} s")

        found = await asyncio.gather(*(seen(path, fence) for path, fence in disks.items()))
        return dict(zip(disks, found, strict=True))

    async def _each(self, spec: PackageSpec, step: Step) -> Problem | None:
        """At all disks at once; the first that could not be served, if any."""
        adapter = self._adapter(spec.fence)
        try:
            async with asyncio.timeout(ORDER_S):
                refused = await self._not_allowed(spec.fence)
                if refused is not None:
                    return failed(spec.vm.disks[0].path, refused)
                done = await asyncio.gather(*(step(adapter, disk) for disk in disks_of(spec)))
        except TimeoutError:
            return failed(
                spec.vm.disks[0].path, f"the storage had not answered after {ORDER_S:g} s")
        return next((each for each in done if each is not None), None)

    async def _not_allowed(self, fence: FenceSpec) -> str | None:
        if not fence.command:
            return None
        return await asyncio.to_thread(self._vetting.against_program, fence.command)


def disks_of(spec: PackageSpec) -> tuple[FencedDisk, ...]:
    return tuple(
        FencedDisk(path=disk.path, fence=spec.fence, nodes=spec.nodes) for disk in spec.vm.disks)


def fences_of_host(run: RunTool = run_tool, vetting: Vetting | None = None) -> DiskFences:
    none, reservation = NoFence(), ScsiReservation(run)
    targets = {"tgt": TargetAccess(TgtAccessLists(run)), "lio": TargetAccess(LioAccessLists(run))}

    def adapter(fence: FenceSpec) -> StorageFence:
        if fence.kind == "target_access":
            return targets[fence.tool]
        return reservation if fence.kind == "scsi_reservation" else none

    return DiskFences(adapter, vetting)
