"""Tells whoever supervises the daemon that its loop goes round (sd_notify(3): WATCHDOG=1).

A process may live and do nothing for good: a thread that cannot be started for want of memory is
waited for without an end by Python itself. Its guests are safe then (the guardian freezes them, and
others take over), but its node would be out until somebody looks. So the unit has a WatchdogSec,
after which systemd ends the daemon and starts it again.

What must never happen here: a sign of life from anywhere but the loop that renews the lease.
"""

import asyncio
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

__all__ = ["signs_of_life"]

SIGN = b"WATCHDOG=1"


async def signs_of_life(environment: MutableMapping[str, str] = os.environ) -> None:
    """Until cancelled, two in each period that is asked for; at once over if none is. What asks is
    taken out of the environment, because guests must not answer for the daemon."""
    place = environment.pop("NOTIFY_SOCKET", "")
    period_us = environment.pop("WATCHDOG_USEC", "")
    environment.pop("WATCHDOG_PID", None)
    if not place or not period_us.isdigit():
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as supervisor:
        while True:
            with suppress(OSError):  # one that is lost is followed by the next
                supervisor.sendto(SIGN, address)
            await asyncio.sleep(int(period_us) / 2e6)
