"""Waits until the host has an address: a bond, a VLAN or DHCP may be later than the daemon's start.

Nothing is lost by it: guests of an earlier daemon run on under what is left of the lease, and the
guardian sees to them afterwards. What must never happen here: a daemon that gives up, or an address
that cannot be used for any other reason taken for one that is about to come; those are said when it
is really bound (`cannot-listen`).
"""

import asyncio
import errno
import socket
from collections.abc import Callable

LOOK_S = 0.25
"""A tenth of what a node may be silent for, and a look costs two calls of the kernel."""


def is_here(address: str) -> bool:
    """Whether a socket could be bound to it, as far as the host's addresses go."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    except OSError as failure:
        return failure.errno != errno.EADDRNOTAVAIL
    return True


async def until_here(
    address: str, *, ending: asyncio.Event, waits: Callable[[], None],
    is_here: Callable[[str], bool] = is_here,
) -> bool:
    """False: the daemon was told to end meanwhile. `waits` is called once, if it has to wait."""
    if is_here(address):
        return True
    waits()
    while not ending.is_set():
        if is_here(address):
            return True
        try:
            async with asyncio.timeout(LOOK_S):
                await ending.wait()
        except TimeoutError:
            continue
    return False
