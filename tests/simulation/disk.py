"""A host's disk: loses, tears and stops like tests/raft/memory_disk.py, and can be full."""

import errno
from collections.abc import Callable
from pathlib import Path

from tests.raft.memory_disk import MemoryDisk, Stopped


class HostsDisk(MemoryDisk):
    """`stopped` is told when a process died in one of its operations, whoever swallows that."""

    is_full = False
    stopped: Callable[[], None]

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        self._operate(super().write_at, handle, raw, offset)

    def sync(self, handle: int) -> None:
        self._operate(super().sync, handle)

    def replace(self, new: Path, old: Path) -> None:
        self._operate(super().replace, new, old)

    def sync_names(self, folder: Path) -> None:
        self._operate(super().sync_names, folder)

    def _operate(self, operation: Callable[..., None], *about: object) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        try:
            operation(*about)
        except Stopped:
            self.stopped()
            raise
