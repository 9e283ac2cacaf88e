"""Storage in memory that keeps lists of who may write; for scenarios and the simulation.

The fabric is one SAN for all nodes. A scenario makes it deaf, or asks whether a guest of a node
and epoch could write now.
"""

from collections import defaultdict

from packages.core.fencing import DiskGuard, Registrant, outlived, own_earlier, registrant
from packages.core.problem import Problem
from packages.fencing.fence import FencedDisk, failed, unavailable
from packages.fencing.fences import DiskFences, NoFence


class FakeStorage:
    """All nodes' view of the lists."""

    def __init__(self) -> None:
        self.lists: dict[str, set[Registrant]] = defaultdict(set)
        self.deaf_to: set[str] = set()
        """Nodes whose orders do not reach the storage."""
        self.unable = False
        self.fenced: list[tuple[str, Registrant]] = []
        """What was shut out, in order: (path, who)."""
        self.looked_at: list[str] = []
        """The disks whose lists somebody asked for, in order."""

    def may_write(self, path: str, node: str, epoch: int) -> bool:
        return registrant(node, epoch) in self.lists[path]

    def fences(self, node: str) -> DiskFences:
        adapter, none = FakeFence(node, self), NoFence()
        return DiskFences(lambda fence: none if fence.kind == "none" else adapter)


class FakeFence:
    """One node's way to the storage."""

    def __init__(self, node: str, storage: FakeStorage) -> None:
        self._node = node
        self._storage = storage

    async def register(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        refused = self._unheard(disk)
        if refused is None:
            self._storage.lists[disk.path].add(me)
        return refused

    async def release(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        refused = self._unheard(disk)
        if refused is None:
            guard = self._guard(disk)
            self._storage.lists[disk.path] -= {*own_earlier(guard, me)}
        return refused

    async def fence(
        self, disk: FencedDisk, by: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        refused = self._unheard(disk)
        if refused is not None:
            return refused
        gone = outlived(self._guard(disk), by)
        self._storage.fenced += [(disk.path, each) for each in gone]
        self._storage.lists[disk.path] -= {*gone}
        return None

    async def status(self, disk: FencedDisk, *, deadline_s: float) -> DiskGuard | Problem:
        self._storage.looked_at.append(disk.path)
        if self._storage.unable:
            return unavailable(disk.path, "it keeps no list", "use one that does")
        return self._unheard(disk) or self._guard(disk)

    def _guard(self, disk: FencedDisk) -> DiskGuard:
        listed = self._storage.lists[disk.path]
        return DiskGuard(
            registrants=tuple(sorted(listed, key=lambda each: (each.epoch, each.node))),
            closed=True, identity=f"fake:{disk.path}",
        )

    def _unheard(self, disk: FencedDisk) -> Problem | None:
        if self._node in self._storage.deaf_to:
            return failed(disk.path, f"{self._node} does not reach the storage")
        return None
