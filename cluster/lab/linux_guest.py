"""A Linux guest from what Debian has: its cloud kernel, and an initramfs with one program of ours.

The kernel's package is only unpacked, below the virtual environment: installed, it would be what
this machine boots next, and it lacks the drivers of most hardware.

The program (cluster/lab/linux/init.c) is /init and everything else; it shares the log on the disk
with the bare-metal guest. The initramfs holds it, the kernel modules it loads and busybox for
somebody who wants a shell on the console.
"""

import lzma
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

KERNEL, INITRD = "vmlinuz", "initrd"

APPEND = (
    "console=ttyS0 loglevel=1 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check "
    "rcupdate.rcu_expedited=1 random.trust_cpu=on"
)
"""Boots in 1.8 s under emulation, half the time it takes without."""

MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "button", "evdev")
"""What a guest needs beside what is built into the kernel; each with what it stands on."""

BUSYBOX = Path("/usr/bin/busybox")
ROOTS = (Path(sys.prefix, "kernel"), Path("/"))
"""Where a kernel's package was unpacked, or installed: with boot/ and lib/modules/ in it."""
_SOURCES = Path(__file__).parent
_COMPILE = (
    "gcc", "-static", "-Os", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I",
    str(_SOURCES / "guest"),
)

_FILE, _FOLDER, _DEVICE = 0o100755, 0o040755, 0o020600
_CONSOLE = (5, 1)
"""Device numbers of /dev/console: without it the kernel gives /init nowhere to write."""


def build(folder: Path) -> Path:
    """Make kernel and initramfs in `folder`, and return it. Raises OSError or SubprocessError."""
    kernel = newest_kernel()
    shutil.copyfile(kernel, folder / KERNEL)
    (folder / INITRD).write_bytes(b"".join(archive(folder, kernel)))
    return folder


def newest_kernel(roots: tuple[Path, ...] = ROOTS) -> Path:
    """The newest of the first root that has any. Raises FileNotFoundError."""
    for root in roots:
        if found := sorted(root.glob("boot/vmlinuz-*-cloud-amd64"), key=version):
            return found[-1]
    wanted = " or ".join(str(root / "boot/vmlinuz-*-cloud-amd64") for root in roots)
    raise FileNotFoundError(f"there is no {wanted}")


def version(path: Path) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", path.name)]


def archive(folder: Path, kernel: Path) -> Iterator[bytes]:
    """An initramfs in the kernel's own format ("newc", Documentation/driver-api/early-userspace).
    """
    for name in ("bin", "dev", "proc", "sys", "modules"):
        yield entry(name, _FOLDER)
    yield entry("dev/console", _DEVICE, device=_CONSOLE)
    yield entry("init", _FILE, program(folder))
    if BUSYBOX.exists():
        yield entry("bin/busybox", _FILE, BUSYBOX.read_bytes())
    for place, content in enumerate(modules(kernel)):
        yield entry(f"modules/{place:02}.ko", _FILE, content)
    yield entry("TRAILER!!!", 0)


def program(folder: Path) -> bytes:
    target = folder / "init"
    subprocess.run(
        [*_COMPILE, "-o", str(target), str(_SOURCES / "linux" / "init.c"),
         str(_SOURCES / "guest" / "disk_log.c")], check=True, timeout=60,
    )
    return target.read_bytes()


def modules(kernel: Path, wanted: tuple[str, ...] = MODULES) -> Iterator[bytes]:
    """What is to be loaded, in order, as the kernel takes it."""
    folder = kernel.parents[1] / "lib" / "modules" / kernel.name.removeprefix("vmlinuz-")
    for name in load_order((folder / "modules.dep").read_text(), wanted):
        content = (folder / name).read_bytes()
        yield lzma.decompress(content) if name.endswith(".xz") else content


def load_order(dependencies: str, wanted: tuple[str, ...] = MODULES) -> list[str]:
    """Files of these modules, each after those it needs. A line of modules.dep names a file and
    then all that it needs, the deepest last. What has no line is built into the kernel."""
    order: dict[str, None] = {}
    for name in wanted:
        for line in dependencies.splitlines():
            file, _, needed = line.partition(":")
            if Path(file).name.partition(".")[0].replace("-", "_") == name:
                order |= dict.fromkeys([*reversed(needed.split()), file])
    return list(order)


def entry(
    name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0),
) -> bytes:
    """One file: header of thirteen numbers, name, content, each filled up to four bytes."""
    spelled = name.encode() + b"\0"
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(spelled), 0)
    header = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return padded(header + spelled) + padded(content)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
