"""Worlds for the storage fence's contract: lists in memory; a real tgtd, and the kernel's own
target (LIO), with QEMU's own initiators writing to them; and SCSI disks of a real kernel.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from packages.core.fencing import initiator_name, registrant
from packages.core.model import FenceSpec
from packages.fencing.fake import FakeFence, FakeStorage
from packages.fencing.fence import FencedDisk, StorageFence
from packages.fencing.lio import LioAccessLists
from packages.fencing.scsi_reservation import ScsiReservation
from packages.fencing.target_access import TargetAccess
from packages.fencing.tgt import TgtAccessLists
from packages.fencing.tools import Said, run_tool
from tests.contracts.scsi_host import DISKS, ScsiHost
from tests.contracts.tgt_target import TARGET, QemuWriter, TgtTarget, end_netns, in_netns, own_netns

NODES = ("n1", "n2", "N_3")


class Writer(Protocol):
    """The guest of one owner, with the disk open."""

    async def open(self) -> bool: ...
    async def writes(self) -> bool: ...
    async def is_shut_out(self) -> bool: ...


class World(Protocol):
    disk: FencedDisk

    def fence(self, node: str) -> StorageFence: ...
    async def writer(self, node: str, epoch: int) -> Writer: ...
    async def close(self) -> None: ...


class FakeWriter:
    def __init__(self, storage: FakeStorage, path: str, node: str, epoch: int) -> None:
        self._who = path, node, epoch
        self._storage = storage

    async def open(self) -> bool:
        return await self.writes()

    async def writes(self) -> bool:
        return self._storage.may_write(*self._who)

    async def is_shut_out(self) -> bool:
        return not await self.writes()


class FakeWorld:
    def __init__(self) -> None:
        self.disk = FencedDisk(
            path="/dev/fake0", fence=FenceSpec(kind="scsi_reservation"), nodes=NODES)
        self._storage = FakeStorage()

    def fence(self, node: str) -> StorageFence:
        return FakeFence(node, self._storage)

    async def writer(self, node: str, epoch: int) -> Writer:
        return FakeWriter(self._storage, self.disk.path, node, epoch)

    async def close(self) -> None:
        return None


class TgtWorld:
    def __init__(self, folder: Path) -> None:
        self.target = TgtTarget(folder, own_netns("fence"))
        self.disk = FencedDisk(
            path=self.target.path(), nodes=NODES,
            fence=FenceSpec(kind="target_access", tool="tgt", command=self.target.command))
        self._writers: list[QemuWriter] = []

    async def start(self) -> None:
        self.target.start()

    def fence(self, node: str) -> StorageFence:
        return TargetAccess(TgtAccessLists(run_tool))

    async def writer(self, node: str, epoch: int) -> Writer:
        name = initiator_name(self.disk.fence, registrant(node, epoch))
        made = QemuWriter(
            self.target.portal, name, enter=in_netns(self.target.netns))
        self._writers.append(made)
        return made

    async def close(self) -> None:
        for writer in self._writers:
            await writer.close()
        self.target.end()
        end_netns(self.target.netns)


LUN = "/dev/lun"
"""What each host calls its own way to the one LUN."""


class ScsiWriter:
    """A write through the host's own path to the LUN, waited for until it is there."""

    def __init__(self, host: ScsiHost, disk: str) -> None:
        self._host, self._disk = host, disk

    async def open(self) -> bool:
        return await self.writes()

    async def writes(self) -> bool:
        said = await asyncio.to_thread(self._host.run, (
            "dd", "if=/dev/zero", f"of={self._disk}", "bs=4096", "count=1", "conv=fsync",
        ), WRITTEN_S)
        return said.status == 0

    async def is_shut_out(self) -> bool:
        return not await self.writes()


WRITTEN_S = 20.0


class ScsiWorld:
    """sg_persist at disks of a real kernel."""

    def __init__(self, host: ScsiHost) -> None:
        self._host = host
        self.disk = FencedDisk(
            path=LUN, fence=FenceSpec(kind="scsi_reservation"), nodes=NODES)

    async def start(self) -> None:
        """As a LUN is before anybody has used it."""
        for words in (("--register-ignore", "--param-sark=1"), ("--clear", "--param-rk=1")):
            said = await self._on("n1")(("sg_persist", "--out", *words, LUN), WRITTEN_S)
            assert said.status == 0, said

    def _on(self, node: str) -> Callable[[tuple[str, ...], float], Awaitable[Said]]:
        def run(command: tuple[str, ...], deadline_s: float) -> Awaitable[Said]:
            there = tuple(DISKS[node] if word == LUN else word for word in command)
            return asyncio.to_thread(self._host.run, there, deadline_s)

        return run

    def fence(self, node: str) -> StorageFence:
        return ScsiReservation(self._on(node))

    async def writer(self, node: str, epoch: int) -> Writer:
        return ScsiWriter(self._host, DISKS[node])

    async def close(self) -> None:
        return None


class LioWorld:
    """The kernel's own target, reached through its files."""

    def __init__(self, host: ScsiHost) -> None:
        self._host = host
        self.disk = FencedDisk(
            path=f"iscsi://{host.portal}/{TARGET}/1", nodes=NODES,
            fence=FenceSpec(kind="target_access", tool="lio"))
        self._writers: list[QemuWriter] = []

    async def start(self) -> None:
        for node in NODES:
            released = await self.fence(node).release(
                self.disk, registrant(node, 1 << 20), deadline_s=WRITTEN_S)
            assert released is None, released

    def fence(self, node: str) -> StorageFence:
        return TargetAccess(LioAccessLists(
            lambda command, deadline_s: asyncio.to_thread(self._host.run, command, deadline_s)))

    async def writer(self, node: str, epoch: int) -> Writer:
        name = initiator_name(self.disk.fence, registrant(node, epoch))
        self._writers.append(
            QemuWriter(self._host.portal, name, enter=in_netns(self._host.netns)))
        return self._writers[-1]

    async def close(self) -> None:
        for writer in self._writers:
            await writer.close()
