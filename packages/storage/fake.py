"""A host whose disks are what a test says they are; answers as the real probe does."""

import asyncio

from packages.core.facts import DiskFacts


class FakeProbe:
    """Paths nobody placed are missing; a path that hangs never answers."""

    def __init__(self) -> None:
        self._disks: dict[str, DiskFacts] = {}
        self._hanging: set[str] = set()

    def place(self, facts: DiskFacts) -> None:
        self._disks[facts.path] = facts

    def remove(self, path: str) -> None:
        self._disks.pop(path, None)

    def hang(self, path: str) -> None:
        self._hanging.add(path)

    async def examine(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        if deadline_s <= 0:
            return DiskFacts(path=path, kind="other")
        if path in self._hanging:
            await asyncio.sleep(deadline_s)
            return DiskFacts(path=path, kind="other")
        return self._disks.get(path, DiskFacts(path=path, kind="missing"))
