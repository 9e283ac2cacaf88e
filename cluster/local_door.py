"""The door for this host's own callers, which is closed while the process is short of descriptors.

libzmq's listener on a local socket takes every way in which `accept` may fail but one: with no
descriptor left it ends the process ("Too many open files (src/ipc_listener.cpp)", 4.3.5; its
listener on TCP waits). So the caller must not come as far as that. While few are left the socket
stands under another name: who calls finds nobody at once and asks another node, and connections
that stand go on. To rename takes no descriptor.

What must never happen here: a caller let in when there may be no descriptor for it.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from cluster.descriptors import Descriptors, descriptors

log = logging.getLogger("vmsg.doors")

LOCAL = "ipc://"
CLOSED = ".closed"
"""Behind the socket's name, while nobody is to find it."""
LOOK_S = 0.05
"""Between two looks, of some microseconds; those that are kept (packages/core/room.py) last for
longer, also when guests are started by the dozen."""


class LocalDoor:
    """Of one bound socket, on the running event loop."""

    def __init__(self, endpoint: str, *, look: Callable[[], Descriptors] = descriptors) -> None:
        self._path = Path(endpoint.removeprefix(LOCAL))
        self._aside = self._path.with_name(self._path.name + CLOSED)
        self._aside.unlink(missing_ok=True)
        self._descriptors = look
        self._loop = asyncio.get_running_loop()
        self.is_open = True
        self._timer = self._loop.call_soon(self._look)

    def _look(self) -> None:
        now = self._descriptors()
        if self.is_open and now.are_short:
            self._rename(self._path, self._aside, is_open=False)
            log.error("only %d of %d descriptors are left: local callers are kept out", *now)
        elif not self.is_open and now.are_plenty:
            self._rename(self._aside, self._path, is_open=True)
            log.warning("%d of %d descriptors are left: local callers are let in again", *now)
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def _rename(self, old: Path, new: Path, *, is_open: bool) -> None:
        """A folder that was cleaned up meanwhile has neither."""
        self.is_open = is_open
        try:
            os.rename(old, new)
        except OSError as error:
            log.warning("%s: %s", old, error.strerror)

    def close(self) -> None:
        self._timer.cancel()
        self._aside.unlink(missing_ok=True)
