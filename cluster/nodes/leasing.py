"""The daemon's share of leases: asking for one each heartbeat. The leader's is `granting.py`.

The arithmetic and its proof stand in `lease.py`. What must never happen here: an answer taken for
one to another request than its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cluster.clock import Clock
from cluster.ledger import Ledger
from cluster.nodes.guarding import Guarding
from cluster.nodes.lease import new_lease_holder
from cluster.nodes.terms import Terms
from packages.core.values import changed

AskLeader = Callable[[str, int], Awaitable[float | None]]
"""(leader, or nothing where none is heard; number) -> what is granted, in seconds."""


class Tenant:
    """The node's side: asks, and tells the guardian how long guests may run."""

    def __init__(
        self, *, node: str, terms: Terms, clock: Clock, ledger: Ledger, ask: AskLeader,
        renewed: Callable[[float], None], guarding: Guarding,
    ) -> None:
        self._node, self._terms, self._clock, self._ledger = node, terms, clock, ledger
        self._ask, self._renewed, self._guarding = ask, renewed, guarding
        self._holder = new_lease_holder(lease_s=terms.longest_s(), token=clock.token())
        self._asking: set[asyncio.Task[None]] = set()
        self.followed = ""
        """The last leader that is another node."""
        self._began, self._term = asyncio.Event(), 0

    @property
    def expiry_s(self) -> float:
        return self._holder.expiry_s

    def holds(self) -> bool:
        """Whether guests may run here at this instant: the lease is good, and the guardian has
        acknowledged it."""
        now_s = self._clock.boottime_s()
        return not self._holder.is_over(now_s) and now_s < self._guarding.until_s

    def _look(self) -> None:
        """A coordinator that has just begun knows of nobody that is well before it is asked."""
        if self._ledger.state.coordinator_term != self._term:
            self._term = self._ledger.state.coordinator_term
            self._began.set()

    def _is_known(self) -> bool:
        """Whether it is worth asking peers who lead, where no leader is heard here."""
        node = self._ledger.state.nodes.get(self._node)
        return node is not None and bool(node.incarnation)

    async def run(self) -> None:
        self._ledger.watch(self._look)
        while True:
            self._began.clear()
            leader = self._ledger.replica.leader()
            if leader is not None or self._is_known():
                self.followed = leader if leader not in (None, self._node) else self.followed
                # Not awaited: a slow answer must not delay the next request.
                task = asyncio.ensure_future(self._once(leader or ""))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._terms.numbers.heartbeat_s):
                    await self._began.wait()

    async def _once(self, leader: str) -> None:
        self._holder = changed(self._holder, lease_s=self._terms.longest_s())
        self._holder, number = self._holder.ask(self._clock.boottime_s())
        remaining_s = await self._ask(leader, number)
        if remaining_s is None:
            return
        before = self._holder.expiry_s
        self._holder = self._holder.answered(number, remaining_s)
        if self._holder.expiry_s > before:
            self._renewed(self._holder.expiry_s)
