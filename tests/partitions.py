"""Partitions by the kernel's own call (BLKPG), as a reader of partition tables tells it of them.

No table is written, and no tool is asked: Debian 13 has neither addpart nor delpart any more.
"""

import ctypes
import fcntl
import os

BLKPG = 0x1269
ADD, DELETE = 1, 2
SECTOR = 512


class _Partition(ctypes.Structure):
    """struct blkpg_partition of linux/blkpg.h, in bytes."""

    _fields_ = (
        ("start", ctypes.c_longlong), ("length", ctypes.c_longlong), ("number", ctypes.c_int),
        ("device", ctypes.c_char * 64), ("volume", ctypes.c_char * 64))


class _Order(ctypes.Structure):
    """struct blkpg_ioctl_arg."""

    _fields_ = (("op", ctypes.c_int), ("flags", ctypes.c_int), ("size", ctypes.c_int),
                ("partition", ctypes.c_void_p))


def add_partition(device: str, *, start: int, sectors: int) -> str:
    """The first partition of a loop device; returns its path."""
    _tell(device, ADD, _Partition(start=start * SECTOR, length=sectors * SECTOR, number=1))
    return f"{device}p1"


def delete_partition(device: str) -> None:
    _tell(device, DELETE, _Partition(number=1))


def _tell(device: str, op: int, partition: _Partition) -> None:
    order = _Order(op=op, size=ctypes.sizeof(partition), partition=ctypes.addressof(partition))
    opened = os.open(device, os.O_RDONLY)
    try:
        fcntl.ioctl(opened, BLKPG, order)
    finally:
        os.close(opened)
