"""Worlds for the storage fence's contract: lists in memory, and a real tgtd with QEMU's own
initiators writing to it."""

import os
import subprocess
from pathlib import Path
from typing import Protocol

from packages.core.fencing import initiator_name, registrant
from packages.core.model import FenceSpec
from packages.fencing.fake import FakeFence, FakeStorage
from packages.fencing.fence import FencedDisk, StorageFence
from packages.fencing.target_access import TargetAccess
from packages.fencing.tgt import TgtAccessLists
from packages.fencing.tools import run_tool
from tests.contracts.tgt_target import QemuWriter, TgtTarget

NODES = ("n1", "n2", "N_3")


class Writer(Protocol):
    """The guest of one owner, with the disk open."""

    async def open(self) -> bool: ...
    async def writes(self) -> bool: ...


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
        netns = f"fence-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", netns], check=True, timeout=10)
        subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True, timeout=10)
        self.target = TgtTarget(folder, netns)
        self.disk = FencedDisk(
            path=self.target.path(), nodes=NODES,
            fence=FenceSpec(kind="target_access", tool="tgt", command=self.target.command))
        self._writers: list[QemuWriter] = []

    def fence(self, node: str) -> StorageFence:
        return TargetAccess(TgtAccessLists(run_tool))

    async def writer(self, node: str, epoch: int) -> Writer:
        name = initiator_name(self.disk.fence, registrant(node, epoch))
        made = QemuWriter(self.target, name)
        self._writers.append(made)
        return made

    async def close(self) -> None:
        for writer in self._writers:
            await writer.close()
        self.target.end()
        subprocess.run(["ip", "netns", "del", self.target.netns], check=True, timeout=10)
