"""Keeps what guests write to their consoles, and QEMU to its log, to the newest of it.

Both are files below /run, which is memory of the host, and what goes into a console is the guest's
to choose: some 300 KB a second. Both are written by appending, so that cutting one off at its front
is seen by its writer at once.

What must never happen here: a guest that fills the host's memory through its serial port.
"""

import asyncio
import contextlib
import os
from pathlib import Path

NAMES = ("console.log", "qemu.log")
LARGEST_BYTES, KEPT_BYTES = 1 << 20, 256 << 10
"""From where on a file is cut, and how much of its end stays."""
EVERY_S = 2.0
"""Until the next look a guest writes less than it may keep."""


async def keep_short(run_folder: Path) -> None:
    """For ever."""
    while True:
        await asyncio.to_thread(cut_all, run_folder)
        await asyncio.sleep(EVERY_S)


def cut_all(run_folder: Path) -> None:
    """Of all guests here. Never raises: a file that is gone needs no cutting."""
    for name in NAMES:
        for path in run_folder.glob(f"*/{name}"):
            with contextlib.suppress(OSError):
                _cut(path)


def _cut(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = os.fstat(file).st_size
        if size > LARGEST_BYTES:
            end = os.pread(file, KEPT_BYTES, size - KEPT_BYTES)
            os.ftruncate(file, 0)
            os.write(file, end)
    finally:
        os.close(file)
