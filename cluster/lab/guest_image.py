"""Builds the test guest, puts it on a disk, and reads back what it wrote there.

The guest (cluster/lab/guest) is a few kilobytes of C that boot from a whole disk. It is built with
the host's gcc and binutils into a folder the caller gives, once: a second build finds the image.
Writing an image onto a disk always empties the guest's log first, or a test would read what an
earlier one left behind.
"""

import fcntl
import hashlib
import mmap
import os
import stat
import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster.lab.disk_log import LOG_START_SECTOR, SECTOR_BYTES, Log, decode_log

SOURCES = Path(__file__).parent / "guest"
IMAGE = "nano.img"
IMAGE_BYTES = 4 << 20
"""Of the image file as it is: the program and a log of ten minutes."""

_PROGRAM_BYTES = (LOG_START_SECTOR - 1) * SECTOR_BYTES
_CHUNK_BYTES = 32 * SECTOR_BYTES  # what the boot sector reads at a time
_COMPILE = (
    "gcc", "-m32", "-march=i686", "-Os", "-ffreestanding", "-fno-pic", "-fno-pie", "-nostdlib",
    "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-mno-sse", "-mno-mmx", "-Wall",
    "-Wextra", "-Werror",
)
_BLKZEROOUT = 0x127F  # linux/fs.h
_BLKGETSIZE64 = 0x80081272


def build(folder: Path) -> Path:
    """The whole-disk image in `folder`, made if it is not there yet; nano.elf lies beside it, for
    direct kernel boot. Raises CalledProcessError with the compiler's words if it cannot be.

    Several may build at once, or be ended in the middle: who comes first with a whole folder has
    made it for all."""
    target = folder / f"guest-{_fingerprint()}"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="making-", dir=folder) as making:
            made = Path(making, "whole")
            made.mkdir()
            _image(made)
            try:
                made.rename(target)
            except OSError:
                if not target.exists():  # else somebody was quicker
                    raise
    return target / IMAGE


def _image(folder: Path) -> None:
    program = _program(folder)
    chunks = -(-len(program) // _CHUNK_BYTES)
    sector = _boot_sector(folder, chunks)
    assert len(program) <= _PROGRAM_BYTES, "the guest has grown into its own log"
    image = folder / IMAGE
    image.write_bytes(sector + program)
    os.truncate(image, IMAGE_BYTES)


def write(image: Path, device: Path) -> None:
    """Make `device` (a block device or a file of its final size) a disk that boots the guest, with
    an empty log."""
    program = image.read_bytes()[:SECTOR_BYTES + _PROGRAM_BYTES]
    descriptor = os.open(device, os.O_RDWR)
    try:
        size = _size(descriptor)
        if _is_block_device(descriptor):
            fcntl.ioctl(descriptor, _BLKZEROOUT, struct.pack("=QQ", 0, size))
        else:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, size)
        os.pwrite(descriptor, program, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_records(device: Path) -> Log:
    """The guest's log as it is on the disk now, past this host's cache of it; also while the guest
    writes."""
    descriptor = os.open(device, os.O_RDONLY)
    try:
        direct = _is_block_device(descriptor)
    finally:
        os.close(descriptor)
    descriptor = os.open(device, os.O_RDONLY | (os.O_DIRECT if direct else 0))
    try:
        start = LOG_START_SECTOR * SECTOR_BYTES
        return decode_log(_read(descriptor, start, _size(descriptor) - start))
    finally:
        os.close(descriptor)


def _read(descriptor: int, start: int, length: int) -> bytes:
    """Through memory that is aligned to a page, as O_DIRECT asks."""
    with mmap.mmap(-1, length) as memory, memoryview(memory) as view:
        done = 0
        while done < length:
            got = os.preadv(descriptor, [view[done:]], start + done)
            if not got:
                break
            done += got
        return bytes(view[:done])


def _size(descriptor: int) -> int:
    if not _is_block_device(descriptor):
        return os.fstat(descriptor).st_size
    answer = fcntl.ioctl(descriptor, _BLKGETSIZE64, bytes(8))
    size: int = struct.unpack("=Q", answer)[0]
    return size


def _is_block_device(descriptor: int) -> bool:
    return stat.S_ISBLK(os.fstat(descriptor).st_mode)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def _program(target: Path) -> bytes:
    """Compile and link; returns what stands in memory from 1 MiB on."""
    sources = [*sorted(SOURCES.glob("*.c")), SOURCES / "start.S"]
    elf, flat = target / "nano.elf", target / "nano.bin"
    _run(*_COMPILE, "-static", "-no-pie",
         "-Wl,-m,elf_i386,--build-id=none,-z,noexecstack,--no-warn-rwx-segments",
         "-T", str(SOURCES / "link.ld"), "-o", str(elf), *map(str, sources))
    _run("objcopy", "-O", "binary", str(elf), str(flat))
    return flat.read_bytes()


def _boot_sector(target: Path, chunks: int) -> bytes:
    symbols = _run("nm", str(target / "nano.elf")).splitlines()
    entry = next(line.split()[0] for line in symbols if line.endswith(" _start"))
    loader, flat = target / "boot.o", target / "boot.bin"
    _run("gcc", "-m32", f"-DCHUNKS={chunks}", f"-DENTRY=0x{entry}",
         "-c", str(SOURCES / "boot.S"), "-o", str(loader))
    _run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-e", "boot",
         "-o", str(flat), str(loader))
    return flat.read_bytes()


def _run(*command: str) -> str:
    return subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE, timeout=60,
    ).stdout
