"""The door to the disk: the few file operations that journal and snapshot are built on.

Narrow on purpose, so that a simulated disk can lose, tear and refuse writes the way real ones do.
What must never happen here: a return before the bytes are where the caller was told they are.
Every operation may raise OSError; above, that ends the replica (after a failed fsync nothing on
the disk can be trusted, see Rebello et al., "Can Applications Recover from fsync Failures?").
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    def read(self, path: Path) -> bytes | None:
        """The whole file; None when there is none."""

    def read_at(self, path: Path, offset: int, most: int) -> bytes:
        """So many bytes from there on, or what there is; none where there is no file."""

    def open(self, path: Path) -> int:
        """A handle for reading and writing; the file is made when missing."""

    def write_at(self, handle: int, raw: bytes | memoryview, offset: int) -> None: ...

    def sync(self, handle: int) -> None:
        """Returns when everything written to the handle would survive a loss of power."""

    def cut(self, handle: int, size: int) -> None: ...

    def close(self, handle: int) -> None: ...

    def replace(self, new: Path, old: Path) -> None:
        """Rename `new` over `old`, durably: afterwards a crash finds one or the other."""

    def sync_names(self, folder: Path) -> None:
        """Returns when what is called what in the folder would survive a loss of power: also a
        rename in whose middle an earlier process was killed."""

    def remove(self, path: Path) -> None: ...

    def lock(self, path: Path) -> int:
        """A handle that holds the lock until closed; raises BlockingIOError when it is taken."""


class HostDisk:
    """The host's own file system."""

    def read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def read_at(self, path: Path, offset: int, most: int) -> bytes:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(handle, most, offset)
        finally:
            os.close(handle)

    def open(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write_at(self, handle: int, raw: bytes | memoryview, offset: int) -> None:
        rest = memoryview(raw)
        while rest:
            written = os.pwrite(handle, rest, offset)
            offset += written
            rest = rest[written:]

    def sync(self, handle: int) -> None:
        os.fdatasync(handle)

    def cut(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)
        os.fsync(handle)

    def close(self, handle: int) -> None:
        os.close(handle)

    def replace(self, new: Path, old: Path) -> None:
        os.rename(new, old)
        self.sync_names(old.parent)

    def sync_names(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def lock(self, path: Path) -> int:
        handle = self.open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        return handle


def write_whole(disk: Disk, path: Path, raw: bytes) -> None:
    """A small file, at once or not at all, and durably. Raises OSError."""
    new = path.with_suffix(".new")
    disk.remove(new)
    handle = disk.open(new)
    try:
        disk.write_at(handle, raw, 0)
        disk.sync(handle)
    finally:
        disk.close(handle)
    disk.replace(new, path)
