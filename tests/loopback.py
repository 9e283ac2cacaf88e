"""Addresses of this host that nobody else uses: all of 127.0.0.0/8 is its own.

A port of 127.0.0.1 that is free now is somebody's in a moment: another test's, or the near end of
any connection, also while the daemon that listens there is restarted. At an address of its own
every port stays free.
"""

import secrets


def own_address() -> str:
    """One of 16 million; never 127.0.0.x, where other programs listen."""
    return ".".join(("127", *(str(1 + secrets.randbelow(254)) for _ in range(3))))
