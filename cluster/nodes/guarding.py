"""The node's watch over its guardian: what a lease is worth while nobody enforces it.

A lease proves that this node's guests stand once it is over, and it proves that only if somebody
makes them stand. So nothing counts here but what the guardian itself has acknowledged: the node
counts a lease as good from that moment on, asks for none while the guardian is silent, and freezes
its guests itself at the last acknowledged expiry, whether or not the guardian lives to do it. Each
of the two alone is enough; both gone at once is what a watchdog is for (docs/safety.md).

What the daemon has frozen is let go on by the guardian, which is told of it and looks at the lease
in the same moment; only what no lease counts for any more the daemon lets go on itself.

What must never happen here: a lease counted on that is not acknowledged; a guest of a lease let
run on by this process.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from cluster.clock import Clock
from cluster.core.entries import GuardianChanged
from cluster.core.floor import refused_by_floor
from cluster.core.model import UP
from cluster.ledger import Ledger
from cluster.nodes.guardian_link import Guardian, Noted

__all__ = ["Guarding", "Guests", "PING_S"]

log = logging.getLogger(__name__)

PING_S = 0.2
"""Between two looks whether the guardian has answered since; where it has not it is asked."""
FIRST_WORD_S = 0.04
"""A guardian that is there answers a daemon that has just begun within milliseconds, and may hold a
later lease than the one it has noted."""
SILENT_AFTER = 3
"""Looks in a row with nothing heard: 0.6 to 0.8 s after its last word, which leaves 0.2 s for it to
be in the record within a second. Counted in looks and not in time, because a daemon that itself
stood still has heard nothing either."""
SAY_S = 2.0


class Guests(Protocol):
    """Whom the lease is about (packages/worker.py)."""

    async def freeze(self, pids: frozenset[int] | None = None) -> bool:
        """Stop those that the record gives to this node, or those with these ids, where they do not
        stand yet; whether there were any."""

    def all_thawed(self) -> None:
        """The guardian has them again, under a good lease."""


class Guarding:
    def __init__(
        self, *, node: str, clock: Clock, ledger: Ledger, guardian: Guardian,
        guests: Callable[[], Guests], told: Callable[[], None],
    ) -> None:
        self._node, self._clock, self._ledger = node, clock, ledger
        self._guardian, self._guests, self._told = guardian, guests, told
        self._unanswered, self._was_heard = 0, False
        self._until_s = 0.0
        self._logged = False
        self._noted: frozenset[int] | None = frozenset()
        """Whom the lease of its earlier life is about; None once it has renewed it itself."""
        self._saying: asyncio.Task[object] | None = None

    # what the doors tell

    def renew(self, expiry_s: float, kill_at_s: float) -> None:
        self._noted = None
        self._guardian.renew(expiry_s, kill_at_s)

    def recall(self, noted: Noted) -> None:
        """For a daemon that starts: what a successor of its guardian would go by."""
        self._until_s, self._noted = noted.expiry_s, noted.pids

    def acknowledged(self, expiry_s: float) -> None:
        """The guardian is there, and holds a lease until then."""
        self._until_s, self._unanswered, self._was_heard = expiry_s, 0, True

    # what the rooms ask

    @property
    def until_s(self) -> float:
        """Until when the guardian lets guests run, by its own last word (CLOCK_BOOTTIME)."""
        return self._until_s

    @property
    def is_silent(self) -> bool:
        return self._unanswered >= SILENT_AFTER

    # life

    async def run(self) -> None:
        if self._clock.boottime_s() >= self._until_s:  # over while there was no daemon
            await asyncio.sleep(FIRST_WORD_S)
            if not self._was_heard:  # a guardian that is there sees to it, and knows who is let go
                await self._enforce()
        while True:
            if not self._was_heard:  # each renewal is answered, too
                self._unanswered += 1
                self._guardian.ping()
            self._was_heard = False
            await self._sleep()
            await self._enforce()
            self._say()

    async def _sleep(self) -> None:
        """Until the next question, or until the lease is over."""
        left_s = self._until_s - self._clock.boottime_s()
        await asyncio.sleep(left_s if 0.0 < left_s < PING_S else PING_S)

    async def _enforce(self) -> None:
        """Until this daemon has renewed the lease, the one of its earlier life counts, for those
        that the guardian was told of then: the record may be behind, and say that one is guarded
        that was left alone since."""
        if self._clock.boottime_s() < self.until_s:
            if self._noted is None and not self.is_silent:
                self._guests().all_thawed()
            return
        if await self._guests().freeze(self._noted):
            log.error("the lease that the guardian acknowledged is over: this daemon froze what "
                      "was still running")
            self._told()

    def _say(self) -> None:
        """What the record says of the guardian, others rest plans upon."""
        me = self._ledger.state.nodes.get(self._node)
        if me is None or me.state not in UP or me.guardian_silent == self.is_silent:
            return
        if self._saying is not None and not self._saying.done():
            return
        because = "it does not answer the daemon" if self.is_silent else "it answers again"
        if self._logged != self.is_silent:
            log.error("guardian: %s", because)
        self._logged = self.is_silent
        if refused_by_floor(self._ledger.state, GuardianChanged) is not None:
            return  # said once every node can read it
        self._saying = asyncio.ensure_future(self._ledger.say(
            GuardianChanged, because, deadline_s=SAY_S, node=self._node,
            incarnation=me.incarnation, is_silent=self.is_silent))

    async def until_heard(self) -> None:
        """A node called dead because its guardian is silent has nothing to join for before that."""
        while self.is_silent:
            await asyncio.sleep(PING_S)
