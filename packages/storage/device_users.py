"""Who on this host uses a block device: mounts, swap, device mapper, md, and open files.

Everything is read from the kernel's own records and nothing is opened: opening a device can
itself make others (udev) look at it. What cannot be read is taken as not there only where it has
just gone away, such as a process that ended while it was looked at.
"""

import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

CountsProcess = Callable[[int], bool]


def every_process(pid: int) -> bool:
    """On a host of its own, whoever has the disk open counts."""
    return True


def same_network_namespace(pid: int) -> bool:
    """Where several nodes share one kernel (vmsg lab), a node is a network namespace, and what
    the other nodes' processes have open says nothing about this one."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return False


def mount_points(proc: Path, device: int) -> tuple[str, ...]:
    """Where the device is mounted, in this process's view and in the host's."""
    found: dict[str, None] = {}
    for view in ("self", "1"):
        for line in _lines(proc / view / "mountinfo"):
            if _mounts(line, device):
                found[_unescaped(line.split()[4])] = None
    return tuple(found)


def kernel_holders(sysfs_home: Path, proc: Path, device: int) -> tuple[str, ...]:
    """Holders of the device by their kernel names, its partitions in use, and swap."""
    found = _names_in(sysfs_home / "holders")
    if _is_swap(proc, device):
        found.append("swap")
    for home, partition in partitions(sysfs_home):
        in_use = mount_points(proc, partition) or _names_in(home / "holders")
        if in_use or _is_swap(proc, partition):
            found.append(home.name)
    return tuple(found)


def partitions(sysfs_home: Path) -> Iterator[tuple[Path, int]]:
    """The partitions the kernel made of a device, with their device numbers."""
    for child in sorted(sysfs_home.iterdir()):
        if (child / "partition").exists():
            major, _, minor = (child / "dev").read_text().strip().partition(":")
            yield child, os.makedev(int(major), int(minor))


class OpenFiles:
    """Which processes have which block devices open. One look at all processes serves every
    question that was asked before it began: hundreds of disks are not hundreds of looks."""

    def __init__(self, proc: Path, counts: CountsProcess) -> None:
        self._proc, self._counts = proc, counts
        self._asked = self._covered = 0
        self._numbering, self._turn = threading.Lock(), threading.Lock()
        self._found: dict[int, list[int]] = {}

    def openers(self, devices: frozenset[int]) -> tuple[int, ...]:
        """The processes that have one of the devices open, in ascending order."""
        with self._numbering:
            self._asked += 1
            number = self._asked
        with self._turn:
            if self._covered < number:
                self._covered, self._found = self._asked, self._look()
            found = {pid for device in devices for pid in self._found.get(device, ())}
        return tuple(sorted(found))

    def _look(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for name in os.listdir(self._proc):
            # Who counts is one look; what it has open may be hundreds.
            if name.isdigit() and self._counts(int(name)):
                for device in _devices_of(self._proc, int(name)):
                    found.setdefault(device, []).append(int(name))
        return found


def devices_of(proc: Path, pid: int) -> dict[int, str]:
    """The block devices that a process has open, by number, with the kernel's name for each.
    Raises OSError when it is gone."""
    folder = f"{proc}/{pid}/fd"
    found: dict[int, str] = {}
    for name in os.listdir(folder):
        descriptor = f"{folder}/{name}"
        device = _opened_device(descriptor)
        if device is not None:
            try:
                found[device] = os.readlink(descriptor)
            except OSError:
                continue  # closed meanwhile
    return found


def _devices_of(proc: Path, pid: int) -> Iterable[int]:
    try:
        return devices_of(proc, pid)
    except OSError:
        return ()  # the process has ended


def _opened_device(descriptor: str) -> int | None:
    """Only names below /dev are looked at more closely: to ask about a file on a dead network
    file system would hang, and is nothing to us."""
    try:
        if not os.readlink(descriptor).startswith("/dev/"):
            return None
        seen = os.stat(descriptor)
    except OSError:
        return None  # closed meanwhile
    return seen.st_rdev if stat.S_ISBLK(seen.st_mode) else None


def _mounts(line: str, device: int) -> bool:
    """File systems of several devices (btrfs) have a made-up number, and name one of them."""
    fields, _, rest = line.partition(" - ")
    if fields.split()[2] == f"{os.major(device)}:{os.minor(device)}":
        return True
    source = _unescaped(rest.split()[1])
    return source.startswith("/dev/") and _device_number(source) == device


def _is_swap(proc: Path, device: int) -> bool:
    return any(
        _device_number(_unescaped(line.split()[0])) == device
        for line in _lines(proc / "swaps") if line.startswith("/dev/")
    )


def _device_number(path: str) -> int | None:
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_rdev if stat.S_ISBLK(seen.st_mode) else None


def _names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []


def _unescaped(field: str) -> str:
    """The kernel writes space, tab, newline and backslash as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
