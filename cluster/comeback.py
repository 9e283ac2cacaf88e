"""A node whose disk failed: it says nothing, says so, and comes back by itself.

The replica closes at the first write that fails. Guests run on under what is left of the node's
lease, and stand frozen after it (cluster/guardian.py); the daemon stays, answers `vmsg status` with
the trouble, and tries every few seconds whether the disk takes writes again. What must never happen
here: a voice in agreement while the disk is in doubt.
"""

import asyncio
import logging

from cluster.raft.replica import Replica
from packages.core.problem import Problem

log = logging.getLogger(__name__)

AGAIN_S = 3.0
"""Rarely enough not to wear a disk that is ill; a lease is about as long."""

PASSING = frozenset({"journal-not-writable"})
"""What ends without anybody looking after this node's data."""


class Comeback:
    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._failed = asyncio.Event()
        self.trouble: Problem | None = None
        """Why this node takes no part at present."""

    def takes(self, why: Problem) -> bool:
        """Whether this passes, and the node is to come back by itself."""
        if why.code not in PASSING:
            return False
        log.error("stepped out: %s %s", why.what, why.because)
        self.trouble = why
        self._failed.set()
        return True

    async def run(self) -> Problem | None:
        """Bring the replica back whenever it failed; the Problem for which it cannot come back."""
        while True:
            await self._failed.wait()
            self._failed.clear()
            await self._replica.close()
            refused = await self._back()
            if refused is not None:
                return refused

    async def _back(self) -> Problem | None:
        while True:
            trouble = await self._replica.disk_trouble() or await self._replica.start()
            if trouble is None:
                log.info("back: the disk takes writes again")
                self.trouble = None
                return None
            if trouble.code not in PASSING:
                return trouble
            self.trouble = trouble
            await asyncio.sleep(AGAIN_S)
