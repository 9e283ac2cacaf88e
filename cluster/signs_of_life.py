"""Tells whoever supervises the daemon that its loop goes round, and what the daemon is about.

A process may live and do nothing for good: a thread that cannot be started for want of memory is
waited for without an end by Python itself. Its guests are safe then (the guardian freezes them, and
others take over), but its node would be out until somebody looks. So the unit has a WatchdogSec,
after which systemd ends the daemon and starts it again.

What must never happen here: a sign of life from anywhere but the loop that renews the lease.
"""

import asyncio
from collections.abc import Callable

from cluster.supervision import Supervisor

__all__ = ["signs_of_life"]

SHOWN_S = 5.0
"""Between two looks at what is to be shown; a person reads it."""


async def signs_of_life(
    supervisor: Supervisor, status: Callable[[], str] = lambda: "",
) -> None:
    """Until cancelled, two or more in each period that is asked for; at once over if nobody is
    there to hear them."""
    loop = asyncio.get_running_loop()
    while supervisor.is_there:
        supervisor.alive(loop.time())
        supervisor.show(status())
        await asyncio.sleep(min(supervisor.period_s / 2 or SHOWN_S, SHOWN_S))
