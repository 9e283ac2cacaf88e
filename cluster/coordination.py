"""The coordinator at work: on the leader, and only there, what `core.coordinator` decides is
proposed.

It holds nothing that the record does not. What must never happen here: a proposal from a leader
whose lease is over.
"""

import asyncio
import logging
from collections.abc import Callable

from cluster.answers.survey import Survey
from cluster.clock import Clock
from cluster.core import entries
from cluster.core.agreed_time import is_to_be_told
from cluster.core.coordinator import Knowledge, decide, ended_holds
from cluster.errands import Errands
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.seating import Seating
from packages.core.limits import Limits

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""Time passes without an event: leases end, holds end."""
PAUSE_S = 0.005
"""Between two looks while entries come one after another: a look costs as much as deciding an entry
does, and whoever waits for the next one would wait for it too."""
HOLDS_EVERY_S = 1.0
PROPOSE_S = 2.0


class Coordination:
    def __init__(
        self, *, ledger: Ledger, landlord: Landlord, clock: Clock, survey: Survey,
        limits: Callable[[], Limits], fence: Callable[[], None],
    ) -> None:
        self._ledger, self._landlord, self._clock = ledger, landlord, clock
        self._fence = fence
        self._seating = Seating(ledger)
        self._limits = limits
        self._errands = Errands(ledger=ledger, clock=clock, survey=survey)
        self._news = asyncio.Event()
        self._holds_looked_s = 0.0

    async def run(self) -> None:
        self._ledger.watch(self._news.set)
        while True:
            self._news.clear()
            self._landlord.notice()
            if self._ledger.replica.is_leader():
                await self._once()
            await asyncio.sleep(PAUSE_S)
            try:
                async with asyncio.timeout(self._landlord.look_within_s(LOOK_S)):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _once(self) -> None:
        if not await self._landlord.begin():
            return
        self._seating.look()
        self._fence()
        known = self._knowledge()
        wanted = decide(self._ledger.state, known, self._clock.token)
        now_s = self._clock.boottime_s()
        if now_s - self._holds_looked_s >= HOLDS_EVERY_S:
            self._holds_looked_s = now_s
            state, time_ms = self._ledger.state, self._ledger.time_ms()
            wanted += ended_holds(state, known.now_ms, self._clock.token, time_ms)
            if is_to_be_told(state, time_ms):
                wanted.append(self._ledger.entry(entries.Noted, "time passes"))
        for entry in wanted:
            if isinstance(entry, entries.NodeFailed):
                self._landlord.stop(entry)
        for place, entry in enumerate(wanted):
            # Asked again for each: only at this very instant is it safe to act upon.
            if not self._ledger.replica.is_leader():
                self._landlord.withdraw(wanted[place:])
                return
            refused = await self._ledger.propose(entry, deadline_s=PROPOSE_S)
            if refused is not None:
                log.warning("refused: %s %s", refused.what, refused.because)
                self._landlord.pardon(entry, refused)
        if self._landlord.settled():
            self._errands.begin(known)

    def _knowledge(self) -> Knowledge:
        dead = self._landlord.condemn()
        return Knowledge(
            now_ms=self._clock.wall_ms(), time_ms=self._ledger.time_ms(),
            term=self._ledger.replica.term(), heard=self._landlord.heard(), dead=dict(dead),
            reset=dict(self._landlord.reset()), over=self._landlord.over(),
            suspected=self._landlord.suspected(), limits=self._limits(),
            is_new=self._landlord.is_new(),
        )
