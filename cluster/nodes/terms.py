"""By which numbers this node takes its leases: the record's, and those that each grant brings.

What must never happen here: a grant taken by older numbers than this life has seen in the record;
the old numbers called done with while a lease by them may be held here, by this daemon or by what
an earlier one told the guardian.
"""

import asyncio
import logging
from collections.abc import Mapping

from cluster.clock import Clock
from cluster.config.cluster_file import cluster_from_text
from cluster.config.schema import PROFILES, Timings
from cluster.core import leases
from cluster.core.entries import LeaseTaken
from cluster.core.floor import refused_by_floor
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.model import State
from cluster.ledger import Ledger
from packages.core.values import Undecodable, shaped

log = logging.getLogger(__name__)

LOOK_S = 0.5
SAY_S = 2.0


def numbers_of(timings: Timings, profile: str) -> LeaseNumbers:
    return LeaseNumbers(
        profile=profile, heartbeat_s=timings.heartbeat_s, suspect_s=timings.suspect_s,
        lease_s=timings.lease_s, margin_s=timings.margin_s, kill_after_s=timings.kill_after_s)


def of_older_record(
    state: State, own: LeaseNumbers, profiles: Mapping[str, Timings] = PROFILES,
) -> LeaseNumbers:
    """In a record that is older than its numbers: those of the profile that it names."""
    config, _ = cluster_from_text(state.config_text)
    return numbers_of(profiles[config.profile], config.profile) if config is not None else own


def said_numbers(tree: object) -> LeaseNumbers | None:
    """Of a grant; None: of a release that does not say them."""
    try:
        found: LeaseNumbers = shaped(tree, LeaseNumbers)
    except Undecodable:
        return None
    return found


class Terms:
    """One per life of a daemon. `own` counts in a cluster that is not formed yet, and nowhere
    else."""

    def __init__(self, *, node: str, own: LeaseNumbers, clock: Clock, ledger: Ledger) -> None:
        self._node, self._own, self._clock, self._ledger = node, own, clock, ledger
        self._seen, self._seen_at_s, self._older_s = 0, clock.boottime_s(), 0.0
        ledger.watch(self._look)

    @property
    def numbers(self) -> LeaseNumbers:
        return leases.newest(self._ledger.state) or self._own

    def longest_s(self) -> float:
        """No answer to a request that is older than this could be of use."""
        return max((each.lease_s for each in self._ledger.state.leases), default=self._own.lease_s)

    def _look(self) -> None:
        last = leases.newest(self._ledger.state)
        if last is not None and last.number > self._seen:
            self._seen, self._seen_at_s = last.number, self._clock.boottime_s()
            self._older_s = self.longest_s()

    def taken(self, remaining_s: float, said: LeaseNumbers | None) -> float | None:
        """What a grant is good for, from its request's sending; None: for nothing. One that says
        nothing of its numbers is of an older release: it counts while there are but one's."""
        if said is None:
            is_good = len(self._ledger.state.leases) <= 1
            return min(remaining_s, self.numbers.lease_s) if is_good else None
        if said.number < self._seen:
            return None
        return min(remaining_s, said.lease_s)

    async def run(self) -> None:
        """Say so in the record once nothing by older numbers can be held here any more."""
        while True:
            await self.take()
            await asyncio.sleep(LOOK_S)

    async def take(self) -> None:
        """If it is time. A request from before this life knew of the new numbers, its own or an
        earlier life's, was answered by older ones at the most."""
        state = self._ledger.state
        me = state.nodes.get(self._node)
        if me is None or not me.incarnation or len(state.leases) < 2:
            return
        if me.lease_number >= self._seen:
            return
        if self._clock.boottime_s() < self._seen_at_s + self._older_s:
            return
        if refused_by_floor(state, LeaseTaken) is not None:
            return  # an older node counts by its own file's numbers
        refused = await self._ledger.say(
            LeaseTaken, "no lease by older numbers is left on it", deadline_s=SAY_S,
            node=self._node, incarnation=me.incarnation, number=self._seen)
        if refused is not None:
            log.info("the new lease is not taken yet: %s", refused.because)
