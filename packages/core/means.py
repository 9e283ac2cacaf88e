"""What a host may lack for what it is asked to do: its own trouble, and nobody else's. PURE.

A check that was not made says nothing of the guest, and a start that a host had no means for says
nothing of the package: it is not counted against either.
"""

import errno

NO_MEANS = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN,
})
"""Descriptors, memory, buffers, processes: of the daemon or its host."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
WORDS = ("Too many open files", "Cannot allocate memory", "No space left on device")
"""As the C library has them (strerror(3))."""

OF_THE_NODE = frozenset({
    "node-lacks-means", "room-short", "guardian-unreachable", "disk-not-visible", "vswitch-missing",
})
"""Codes of what keeps a guest from starting and lies with its node alone. LUNs and bridges may come
later than the daemon, and where a whole site boots they are missing everywhere at once."""


def is_want(failure: BaseException) -> bool:
    return isinstance(failure, OSError) and failure.errno in NO_MEANS | NO_ROOM


def tells_of_want(words: str) -> bool:
    """Whether a program's last words are the system's for such a failure; not of EAGAIN, which also
    stands for a lock that another has."""
    return any(each in words for each in WORDS)
