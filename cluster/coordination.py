"""The coordinator at work: on the leader, and only there, what `core.coordinator` decides is
proposed.

It holds nothing that the record does not. What must never happen here: a proposal from a leader
whose lease is over; the same failing move of a drain tried for ever (P8).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cluster.clock import Clock
from cluster.core import entries
from cluster.core.coordinator import BY, Knowledge, decide, ended_holds, evacuations
from cluster.core.model import PackageRecord
from cluster.core.refusals import no_target
from cluster.ledger import Ledger
from cluster.nodes.leasing import Landlord
from cluster.seating import Seating
from packages.core.problem import Problem

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""Time passes without an event: leases end, holds end."""
HOLDS_EVERY_S = 1.0
PROPOSE_S = 2.0

Checked = Callable[[PackageRecord, str], Awaitable[list[Problem]]]
"""(package, target) -> all problems of preflight."""


class Coordination:
    def __init__(
        self, *, ledger: Ledger, landlord: Landlord, clock: Clock, checked: Checked,
    ) -> None:
        self._ledger, self._landlord, self._clock = ledger, landlord, clock
        self._checked = checked
        self._seating = Seating(ledger)
        self._news = asyncio.Event()
        self._holds_looked_s = 0.0
        self._moving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self._ledger.watch(self._news.set)
        while True:
            self._news.clear()
            if self._ledger.replica.is_leader():
                await self._once()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _once(self) -> None:
        if not await self._landlord.begin():
            return
        self._seating.look()
        known = self._knowledge()
        wanted = decide(self._ledger.state, known, self._clock.token)
        now_s = self._clock.boottime_s()
        if now_s - self._holds_looked_s >= HOLDS_EVERY_S:
            self._holds_looked_s = now_s
            wanted += ended_holds(self._ledger.state, known.now_ms, self._clock.token)
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
            self._evacuate(known)

    def _knowledge(self) -> Knowledge:
        dead = self._landlord.condemn()
        return Knowledge(
            now_ms=self._clock.wall_ms(), term=self._ledger.replica.term(),
            heard=self._landlord.heard(), dead=dict(dead),
        )

    def _evacuate(self, known: Knowledge) -> None:
        """Begin the next moves off draining nodes; each is checked first, beside the loop."""
        for record, targets in evacuations(self._ledger.state, known):
            if record.name not in self._moving:
                self._moving.add(record.name)
                task = asyncio.ensure_future(self._move_off(record, targets))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _move_off(self, record: PackageRecord, targets: tuple[str, ...]) -> None:
        try:
            failed = await self._tried(record, targets)
            if failed is not None:
                await self._ledger.say(
                    entries.NodeStuck, failed.because, node=record.owner, package=record.name,
                    problem=failed,
                )
        finally:
            self._moving.discard(record.name)

    async def _tried(self, record: PackageRecord, targets: tuple[str, ...]) -> Problem | None:
        """Move it to the first target that may take it; the last Problem when none did."""
        last: Problem | None = None
        for target in targets:
            problems = await self._checked(record, target)
            refused = [each for each in problems if each.severity == "refuse"]
            if refused:
                last = refused[0]
                continue
            last = await self._moved(record, target)
            if last is None:
                return None
        return last or no_target(record.name, record.spec.nodes)

    async def _moved(self, record: PackageRecord, target: str) -> Problem | None:
        move = self._clock.token()
        refused = await self._ledger.propose(entries.MoveOpened(
            id=move, at_ms=self._clock.wall_ms(), by=BY, because=f"{record.owner} is drained",
            move=move, package=record.name, target=target,
        ), deadline_s=PROPOSE_S)
        if refused is not None:
            return refused

        def ended(_: object) -> bool:
            now = self._ledger.package(record.name)
            return now is None or now.move is None or now.move.id != move or not now.moving

        await self._ledger.until(ended, deadline_s=None)
        now = self._ledger.package(record.name)
        return now.move.problem if now is not None and now.move is not None else None
