"""Which way a request for a lease takes: to the coordinator itself, or through a peer.

Where only the link between a node and the coordinator is broken, a third node hears both. It passes
the request on as it is, at once, and adds nothing; why the proof holds for such a grant too stands
in `lease.py`. What must never happen here: a request passed on twice, or kept for later; a lease
for a node that has stepped out of agreement: it no longer learns what is decided about its guests.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from cluster.api.messages import AskLease, Reply
from cluster.api.neighbour import Neighbour
from cluster.clock import Clock
from cluster.nodes.terms import Terms, said_numbers
from packages.core.values import changed

log = logging.getLogger(__name__)

UNANSWERED = 2.5
"""Heartbeats without an answer of the coordinator's own, after which peers are asked as well."""
AT_ONCE = 2
"""Peers that are asked at a time, each time others."""
SHARE = 0.5
"""Of a lease: an answer that comes later than this after its request is hardly of use."""


class LeaseWays:
    def __init__(
        self, *, node: str, neighbours: Mapping[str, Neighbour], terms: Terms, clock: Clock,
        narrow: Callable[[], tuple[str, ...]] = tuple,
        is_guarded: Callable[[], bool] = lambda: True,
        has_stepped_out: Callable[[], bool] = lambda: False,
    ) -> None:
        self._node, self._neighbours, self._terms, self._clock = node, neighbours, terms, clock
        self._narrow, self._is_guarded = narrow, is_guarded
        self._has_stepped_out = has_stepped_out
        self._answered_s = clock.boottime_s()
        self._turn = 0
        self.through = ""
        """The peer by which the last grant came; empty: from the coordinator itself."""

    async def ask(self, leader: str, number: int, incarnation: str) -> float | None:
        """What was granted to this request, from its sending. `leader` is another node, or empty
        where none is known here; then a peer may know. A node that has stepped out asks nobody."""
        if self._has_stepped_out():
            return None
        ask = AskLease(
            number=number, incarnation=incarnation, narrow=self._narrow(),
            is_guarded=self._is_guarded())
        asked = {}
        if leader in self._neighbours:
            door = self._neighbours[leader]
            asked[asyncio.ensure_future(self._answer(door, ask))] = ""
        late_s = self._clock.boottime_s() - self._answered_s
        if not asked or late_s > UNANSWERED * self._terms.numbers.heartbeat_s:
            passed_on = changed(ask, relay=True)
            for peer in self._peers(leader):
                door = self._neighbours[peer]
                asked[asyncio.ensure_future(self._answer(door, passed_on))] = peer
        try:
            return await self._first(asked)
        finally:
            for each in asked:
                each.cancel()

    async def _first(self, asked: dict["asyncio.Task[float | None]", str]) -> float | None:
        waiting = set(asked)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                granted_s = each.result()
                if granted_s is not None:
                    self._came(asked[each])
                    return granted_s
        return None

    def _came(self, through: str) -> None:
        if not through:
            self._answered_s = self._clock.boottime_s()
        if through != self.through:
            log.warning("leases come through %s", through or "the coordinator's own link again")
        self.through = through

    def _peers(self, leader: str) -> list[str]:
        others = sorted(name for name in self._neighbours if name != leader)
        self._turn += AT_ONCE
        return [others[(self._turn + each) % len(others)] for each in range(
            min(AT_ONCE, len(others)))]

    async def _answer(self, door: Neighbour, ask: AskLease) -> float | None:
        """Not by its name, which may be a neighbour's no more when this gets to run."""
        deadline_s = SHARE * self._terms.numbers.lease_s
        reply = await door.ask(ask, deadline_s=deadline_s)
        if not isinstance(reply, Reply) or not isinstance(reply.result, dict):
            return None
        said = reply.result
        remaining_s, answered = said.get("remaining_s"), said.get("number")
        if not isinstance(remaining_s, (int, float)) or answered != ask.number:
            return None
        return self._terms.taken(float(remaining_s), said_numbers(said.get("numbers")))
