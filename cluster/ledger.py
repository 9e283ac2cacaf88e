"""The record as this node sees it, and the way to change it.

Every proposal carries an id, so that one whose answer was lost is simply proposed again: it is
applied once. What must never happen here: a proposal reported as refused that may yet be applied.
"""

import asyncio
from collections.abc import Callable, Mapping

from cluster.clock import Clock
from cluster.core.codec import encode_entry
from cluster.core.entries import Entry
from cluster.core.floor import SINCE, as_all_know, refused_by_floor
from cluster.core.history import shortened
from cluster.core.machine import StateMachine
from cluster.core.model import Outcome, PackageRecord, State
from cluster.core.outcomes import against
from cluster.raft.replica import Replica
from packages.core.problem import Problem
from packages.core.values import changed
from packages.core.versions import Version

ROUND_S = 2.0
"""One attempt: longer than a re-election (profile `lan`: below 1.3 s), so that an attempt made
during one succeeds."""
PAUSE_S = 0.05


class Ledger:
    """Wraps the replica and its machine; `by` signs this node's own entries. `since`: in which
    version of the product each kind of entry came in (core/floor.py)."""

    def __init__(
        self, replica: Replica, machine: StateMachine, clock: Clock, by: str, *,
        since: Mapping[type[Entry], Version] = SINCE,
    ) -> None:
        self.replica = replica
        self.clock = clock
        self.by = by
        self._machine, self._since = machine, since
        self._waiting: dict[asyncio.Future[None], Callable[[State], bool]] = {}
        """Whoever waits for the record, and for what."""
        self._watchers: list[Callable[[], None]] = []
        self._told_ms, self._told_s = 0, 0.0
        """The cluster's time that the record told last, and when that was by our clock."""
        replica.watch(self._moved_on)

    @property
    def state(self) -> State:
        return self._machine.shown

    @property
    def size_bytes(self) -> int:
        """Of the record, when it was last written down as a whole."""
        return self._machine.dumped_bytes

    def package(self, name: str) -> PackageRecord | None:
        return self.state.packages.get(name)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each advance of the record; returns what ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def time_ms(self) -> int:
        """The cluster's time, as this node reckons it: what was told last, and what has passed
        since by a clock that never steps; 0 before anything was told."""
        self._reckon()
        passed_s = self.clock.boottime_s() - self._told_s
        return self._told_ms + int(passed_s * 1000) if self._told_ms else 0

    def _reckon(self) -> None:
        if self.state.time_ms != self._told_ms:
            self._told_ms, self._told_s = self.state.time_ms, self.clock.boottime_s()

    def _moved_on(self) -> None:
        self._reckon()
        state = self.state
        for waiting, holds in self._waiting.items():
            # Asked here, for few entries concern any of them: to wake a task for each entry costs
            # every node more than applying it.
            if not waiting.done() and holds(state):
                waiting.set_result(None)
        for told in tuple(self._watchers):
            told()

    def entry(self, kind: Callable[..., Entry], because: str, **fields: object) -> Entry:
        """An entry of this node's own, stamped now."""
        stamp = {"id": self.clock.token(), "at_ms": self.clock.wall_ms(), "by": self.by}
        return kind(**{**stamp, "because": because, **fields})

    async def say(
        self, kind: Callable[..., Entry], because: str, *, deadline_s: float = 30.0,
        **fields: object,
    ) -> Problem | None:
        """Propose an entry of this node's own; None when it was applied."""
        return await self.propose(self.entry(kind, because, **fields), deadline_s=deadline_s)

    async def propose(self, entry: Entry, *, deadline_s: float) -> Problem | None:
        """None when applied, the record's refusal, or `no-quorum` / `timed-out` when the deadline
        passed; after `timed-out` the entry may still be applied, under its id."""
        refused = refused_by_floor(self.state, type(entry), self._since)
        if refused is not None:
            return refused
        entry = as_all_know(self.state, changed(
            shortened(entry), time_ms=self.time_ms(), seen=self.state.applied, via=self.by))
        raw = encode_entry(entry)
        end_s = self.clock.boottime_s() + deadline_s
        doubt: Problem | None = None
        while True:
            left_s = max(0.01, end_s - self.clock.boottime_s())
            answer = await self.replica.propose(raw, deadline_s=min(ROUND_S, left_s))
            if isinstance(answer, Outcome):
                return answer.problem
            outcome = self.state.outcomes.get(entry.id)
            if outcome is not None:
                return against(self.state, entry) or outcome.problem
            assert isinstance(answer, Problem)
            if doubt is None or answer.code == "timed-out":
                doubt = answer  # one unanswered attempt leaves the outcome open for good
            if self.clock.boottime_s() + PAUSE_S >= end_s:
                return doubt
            await asyncio.sleep(PAUSE_S)

    async def until(self, holds: Callable[[State], bool], *, deadline_s: float | None) -> bool:
        """Wait until the record is so; False when the deadline passed first."""
        loop = asyncio.get_running_loop()
        end_s = None if deadline_s is None else self.clock.boottime_s() + deadline_s
        while not holds(self.state):
            left_s = None if end_s is None else end_s - self.clock.boottime_s()
            if left_s is not None and left_s <= 0:
                return False
            waiting: asyncio.Future[None] = loop.create_future()
            self._waiting[waiting] = holds
            try:
                # Not wait_for, which in Python 3.11 forgets a cancellation that comes together
                # with what it waits for: a daemon that steps out would never end.
                async with asyncio.timeout(left_s):
                    await waiting
            except TimeoutError:
                return holds(self.state)
            finally:
                del self._waiting[waiting]
        return True
