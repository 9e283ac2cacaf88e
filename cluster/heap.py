"""Memory that was freed goes back to the host.

glibc keeps what was large once: when the first large block is freed, it takes the next ones of that
size from its heap (mallopt(3), M_MMAP_THRESHOLD), where one small block behind them keeps all of
them. A daemon that was sent some hundred megabytes would have them for good.
"""

import ctypes

M_MMAP_THRESHOLD = -3
"""Of malloc.h; once it is set, glibc leaves it as it is."""

LARGE_BYTES = 1 << 20
"""Larger blocks are the kernel's own mappings, and gone when they are freed."""


def give_back_what_is_freed() -> bool:
    """False where the C library is another, which does as it likes."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES))
