"""This Linux host's block devices, read from sysfs and /proc.

A dead LUN can hang an ordinary stat() for minutes in the kernel, where nothing can interrupt it.
So each look is made by a thread of its own that nobody ever has to wait for, and there is at most
one per path: a device that hangs costs one thread, however often it is asked about.
"""

import asyncio
import os
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from packages.core.facts import DeviceKind, DiskFacts, OpenedDisks
from packages.core.values import changed
from packages.storage.device_users import (
    CountsProcess, OpenFiles, devices_of, every_process, kernel_holders, mount_points, partitions
)

T = TypeVar("T")

# What the kernel counts `size` in, whatever the device's own sectors are.
SIZE_UNIT_BYTES = 512


class BlockDevices:
    """The Probe of a real host. `counts_process` says whose open files count as use."""

    def __init__(
        self, *, sysfs: Path = Path("/sys"), proc: Path = Path("/proc"),
        counts_process: CountsProcess = every_process,
    ) -> None:
        self._sysfs = sysfs
        self._proc = proc
        self._open_files = OpenFiles(proc, counts_process)
        self._looking: dict[str, asyncio.Future[DiskFacts]] = {}
        self._naming: dict[str, asyncio.Future[DiskFacts]] = {}
        self._asked: dict[int, asyncio.Future[OpenedDisks | None]] = {}

    async def examine(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        return await _answer(
            self._looking, path, lambda: self.look(path), DiskFacts(path=path, kind="other"),
            deadline_s)

    async def named(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        return await _answer(
            self._naming, path, lambda: self._named(path), DiskFacts(path=path, kind="other"),
            deadline_s)

    async def opened(
        self, pid: int, paths: Iterable[str], *, deadline_s: float = 5.0,
    ) -> OpenedDisks | None:
        asked = tuple(paths)
        return await _answer(
            self._asked, pid, lambda: self.look_at_process(pid, asked), None, deadline_s)

    def look_at_process(self, pid: int, paths: tuple[str, ...]) -> OpenedDisks:
        """May hang as `look` may; raises OSError when the process is gone."""
        devices = devices_of(self._proc, pid)
        return OpenedDisks(
            devices=tuple(self._device(devices[each], each) for each in sorted(devices)),
            named=tuple(self._named(path) for path in paths))

    def look(self, path: str) -> DiskFacts:
        """What the path is, now. May hang; raises OSError if it goes away meanwhile."""
        facts = self._named(path)
        if not facts.device:
            return facts
        return self._with_users(facts, self._home(facts.device).resolve(), _number(facts.device))

    def _named(self, path: str) -> DiskFacts:
        """What it is, without who uses it."""
        try:
            seen = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return DiskFacts(path=path, kind="missing")
        if stat.S_ISBLK(seen.st_mode):
            return self._device(path, seen.st_rdev)
        if stat.S_ISREG(seen.st_mode):
            kind: DeviceKind = "file"
        else:
            kind = "directory" if stat.S_ISDIR(seen.st_mode) else "other"
        return DiskFacts(
            path=path, kind=kind, identity=f"{kind}:{seen.st_dev}:{seen.st_ino}",
            size_bytes=seen.st_size if kind == "file" else 0,
        )

    def _home(self, device: str) -> Path:
        return self._sysfs / "dev" / "block" / device

    def _device(self, path: str, device: int) -> DiskFacts:
        named = f"{os.major(device)}:{os.minor(device)}"
        link = self._home(named)
        if not link.exists():
            # A device node that was left behind when its device went away.
            return DiskFacts(path=path, kind="missing")
        home = link.resolve()
        size_bytes = int(_line(home / "size") or 0) * SIZE_UNIT_BYTES
        if size_bytes == 0:
            # No medium: an unbound loop device, an unmapped LUN.
            return DiskFacts(path=path, kind="missing")
        kind, identity = _kind_and_identity(home)
        queue = home / "queue" if kind != "partition" else home.parent / "queue"
        return DiskFacts(
            path=path, kind=kind, identity=identity, device=named, serial=_serial(home),
            size_bytes=size_bytes,
            sector_bytes=int(_line(queue / "logical_block_size") or 0),
            read_only=_line(home / "ro") == "1",
        )

    def _with_users(self, facts: DiskFacts, home: Path, device: int) -> DiskFacts:
        devices = frozenset({device, *(number for _, number in partitions(home))})
        return changed(
            facts,
            mounted_at=mount_points(self._proc, device),
            held_by=kernel_holders(home, self._proc, device),
            opened_by=self._open_files.openers(devices),
        )


Key = TypeVar("Key", str, int)


async def _answer(
    under_way: "dict[Key, asyncio.Future[T]]", key: Key, look: Callable[[], T], otherwise: T,
    deadline_s: float,
) -> T:
    """What a thread of its own finds, or `otherwise`. Each key is looked at once at a time."""
    try:
        async with asyncio.timeout(deadline_s):
            while (earlier := under_way.get(key)) is not None:
                # An answer to an older question may be older than what has happened since.
                await asyncio.wait({earlier})
            return await asyncio.shield(_begun(under_way, key, look, otherwise))
    except TimeoutError:
        return otherwise


def _begun(
    under_way: "dict[Key, asyncio.Future[T]]", key: Key, look: Callable[[], T], otherwise: T,
) -> "asyncio.Future[T]":
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def answered(found: T) -> None:
        del under_way[key]
        if not answer.done():
            answer.set_result(found)

    def begin() -> None:
        found = otherwise
        try:
            found = look()
        except (OSError, ValueError):
            pass  # it went away under our hands, or the kernel's records make no sense
        finally:
            if not loop.is_closed():  # the device may answer after the daemon has ended
                loop.call_soon_threadsafe(answered, found)

    under_way[key] = answer
    threading.Thread(target=begin, name=f"look at {key}", daemon=True).start()
    return answer


def _number(device: str) -> int:
    major, _, minor = device.partition(":")
    return os.makedev(int(major), int(minor))


def _kind_and_identity(home: Path) -> tuple[DeviceKind, str]:
    if (home / "partition").exists():
        return "partition", f"{_own_identity(home.parent)}-part{_line(home / 'partition')}"
    if (home / "dm").is_dir():
        return _mapped(_line(home / "dm" / "uuid"), home.name)
    if (home / "md").is_dir():
        return "other", f"md:{home.name}"
    return "whole", _own_identity(home)


def _mapped(uuid: str, name: str) -> tuple[DeviceKind, str]:
    """Device mapper's uuids begin with whoever made the mapping. A multipath device is its LUN:
    the same identity as a node sees that has a single path to it."""
    maker, _, rest = uuid.partition("-")
    if maker == "mpath":
        return "whole", _designated(rest)
    if maker.startswith("part"):
        return "partition", uuid
    if maker == "LVM":
        return "logical-volume", uuid
    return "other", uuid or f"dm:{name}"


def _designated(wwid: str) -> str:
    """multipath writes the type of a designator as a digit before it (scsi_id(8)), the kernel as
    a word."""
    words = {"3": "naa.", "2": "eui.", "1": "t10."}
    return words[wwid[0]] + wwid[1:] if wwid[:1] in words else wwid


def _own_identity(home: Path) -> str:
    if (home / "loop").is_dir():
        return _loop_identity(home / "loop")
    for source in (home / "device" / "wwid", home / "wwid"):
        wwid = " ".join(_line(source).split())
        if wwid:
            return wwid
    serial = _serial(home)
    return f"serial:{serial}" if serial else ""


def _loop_identity(loop: Path) -> str:
    """The backing file, and where in it the device begins."""
    backing = _line(loop / "backing_file")
    try:
        seen = os.stat(backing)
        numbers = f"{seen.st_dev}:{seen.st_ino}"
    except OSError:
        numbers = "gone:gone"
    offset = _line(loop / "offset")
    return f"loop:{numbers}:{backing}" + (f"+{offset}" if offset not in ("", "0") else "")


def _serial(home: Path) -> str:
    for source in (home / "serial", home / "device" / "serial"):
        serial = " ".join(_line(source).split())
        if serial:
            return serial
    return ""


def _line(path: Path) -> str:
    """A sysfs attribute, or nothing where the device has no such attribute."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\n\0 ")
    except OSError:
        return ""
