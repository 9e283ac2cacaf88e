"""A disk in memory that loses what was not synced, tears it, or stops in the middle of a write."""

import random
from collections.abc import Callable
from pathlib import Path

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


class Stopped(BaseException):
    """The process was killed inside a file operation; nothing may catch this."""


class File:
    def __init__(self) -> None:
        self.seen = bytearray()
        """What the running system reads."""
        self.synced = b""
        """What is certainly there after a loss of power."""
        self.unsynced: list[tuple[int, bytes]] = []


class MemoryDisk:
    """`stop_chance`: of being killed at each changing operation. `slow_share` of what a flush hands
    over take up to `slowest_s` (slow_flusher.py)."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._files: dict[Path, File] = {}
        self._durable: dict[Path, File] = {}
        self._handles: dict[int, File] = {}
        self.stop_chance = 0.0
        self.slow_share, self.slowest_s = 0.0, 0.0
        self._put_off: list[Callable[[], None]] | None = None

    def put_off(self, write: Callable[[], None]) -> list[Callable[[], None]]:
        """What `write` would do that takes a disk time, step by step, for later."""
        steps = self._put_off = []
        try:
            write()
        finally:
            self._put_off = None
        return steps

    def read(self, path: Path) -> bytes | None:
        file = self._files.get(path)
        return None if file is None else bytes(file.seen)

    def read_at(self, path: Path, offset: int, most: int) -> bytes:
        file = self._files.get(path)
        return b"" if file is None else bytes(file.seen[offset:offset + most])

    def open(self, path: Path) -> int:
        handle = max(self._handles, default=0) + 1
        self._handles[handle] = self._files.setdefault(path, File())
        return handle

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        if self._put_off is not None:
            self._put_off.append(lambda: self.write_at(handle, raw, offset))
            return
        file = self._handles[handle]
        if self._dice.random() < self.stop_chance:
            self._write(file, raw[:self._dice.randrange(len(raw) + 1)], offset)
            raise Stopped
        self._write(file, bytes(raw), offset)

    def _write(self, file: File, raw: bytes, offset: int) -> None:
        file.seen.extend(bytes(max(0, offset - len(file.seen))))
        file.seen[offset:offset + len(raw)] = raw
        file.unsynced.append((offset, raw))

    def sync(self, handle: int) -> None:
        if self._put_off is not None:
            self._put_off.append(lambda: self.sync(handle))
            return
        file = self._handles[handle]
        if file.unsynced:
            self._may_stop()
        file.synced, file.unsynced = bytes(file.seen), []

    def cut(self, handle: int, size: int) -> None:
        file = self._handles[handle]
        del file.seen[size:]
        file.synced, file.unsynced = bytes(file.seen), []

    def close(self, handle: int) -> None:
        if self._put_off is not None:
            self._put_off.append(lambda: self.close(handle))
            return
        del self._handles[handle]

    def replace(self, new: Path, old: Path) -> None:
        if self._put_off is not None:
            self._put_off.append(lambda: self.replace(new, old))
            return
        self._may_stop()
        self._files[old] = self._files.pop(new)
        self._may_stop()
        self._durable = dict(self._files)

    def sync_names(self, folder: Path) -> None:
        if self._durable != self._files:
            self._may_stop()
            self._durable = dict(self._files)

    def remove(self, path: Path) -> None:
        self._files.pop(path, None)

    def lock(self, path: Path) -> int:
        return self.open(path)

    def _may_stop(self) -> None:
        if self._dice.random() < self.stop_chance:
            raise Stopped

    # What a test does to it

    def copied(self, folder: Path) -> dict[Path, bytes]:
        """What a backup of the folder would hold now."""
        return {
            path: bytes(file.seen) for path, file in self._files.items() if path.parent == folder}

    def put_back(self, folder: Path, copy: dict[Path, bytes]) -> None:
        """Nothing but the copy is in the folder from now on."""
        kept = {path: file for path, file in self._files.items() if path.parent != folder}
        for path, raw in copy.items():
            file = kept[path] = File()
            file.seen, file.synced = bytearray(raw), raw
        self._files, self._durable = kept, dict(kept)

    def restart(self) -> None:
        """After a kill: what was written is there, open handles are not."""
        self._handles = {}
        self.stop_chance = 0.0

    def lose_power(self) -> None:
        """Unsynced renames may be undone; unsynced writes are lost, there, or torn."""
        found: dict[Path, File] = {}
        for path in sorted({*self._files, *self._durable}):
            now, before = self._files.get(path), self._durable.get(path)
            file = now if now is before or self._dice.random() < 0.5 else before
            if file is not None:
                found[path] = self._survivor(file)
        self._files, self._durable = found, dict(found)
        self.restart()

    def _survivor(self, file: File) -> File:
        kept = bytearray(file.synced)
        share = self._dice.random()
        for offset, raw in file.unsynced:
            for start in range(0, len(raw), SECTOR_BYTES):
                if self._dice.random() < share:
                    piece = raw[start:start + SECTOR_BYTES]
                    kept.extend(bytes(max(0, offset + start - len(kept))))
                    kept[offset + start:offset + start + len(piece)] = piece
        survivor = File()
        survivor.seen, survivor.synced = kept, bytes(kept)
        return survivor


class WorstDisk(MemoryDisk):
    """Keeps nothing that it was not told to sync."""

    def _survivor(self, file: File) -> File:
        survivor = File()
        survivor.seen, survivor.synced = bytearray(file.synced), file.synced
        return survivor
