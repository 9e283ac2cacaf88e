"""A host whose disks are what a test says they are; answers as the real probe does."""

import asyncio
from collections.abc import Iterable

from packages.core.facts import DiskFacts, OpenedDisks
from packages.core.values import changed


class FakeProbe:
    """Paths nobody placed are missing; a path that hangs never answers."""

    def __init__(self) -> None:
        self._disks: dict[str, DiskFacts] = {}
        self._hanging: set[str] = set()
        self._opened: dict[int, tuple[DiskFacts, ...]] = {}

    def place(self, facts: DiskFacts) -> None:
        self._disks[facts.path] = facts

    def remove(self, path: str) -> None:
        self._disks.pop(path, None)

    def hang(self, path: str) -> None:
        self._hanging.add(path)

    def open(self, pid: int, *facts: DiskFacts) -> None:
        """The process has these devices open, and no others."""
        self._opened[pid] = facts

    async def opened(
        self, pid: int, paths: Iterable[str], *, deadline_s: float = 5.0,
    ) -> OpenedDisks | None:
        if pid not in self._opened or self._hanging.intersection(paths):
            return None
        named = [await self.examine(path, deadline_s=deadline_s) for path in paths]
        return OpenedDisks(named=tuple(named), devices=self._opened[pid])

    async def named(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        found = await self.examine(path, deadline_s=deadline_s)
        return changed(found, mounted_at=(), held_by=(), opened_by=())

    async def examine(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        if deadline_s <= 0:
            return DiskFacts(path=path, kind="other")
        if path in self._hanging:
            await asyncio.sleep(deadline_s)
            return DiskFacts(path=path, kind="other")
        return self._disks.get(path, DiskFacts(path=path, kind="missing"))
