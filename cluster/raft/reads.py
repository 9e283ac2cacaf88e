"""Read index: how a node makes sure that what it has applied is current, without an entry.

The leader notes its commit index and waits until a majority has confirmed a heartbeat it sent
after the question; then nobody can have committed more before the question (Raft thesis 6.4).
What must never happen here: an answer resting on a heartbeat sent before the question, or on a
commit index from before the leader's first own entry.
"""

from collections import Counter
from collections.abc import Callable

from cluster.clock import Clock
from cluster.raft.engine import GuardedEngine
from cluster.raft.lease import Lease

MAX_WAITING = 10_000
"""Beyond this a leader is asked faster than a majority answers; askers ask again."""

Found = Callable[[int], None]


class Reads:
    def __init__(self, engine: GuardedEngine, *, lease: Lease, clock: Clock) -> None:
        self._engine, self._lease, self._clock = engine, lease, clock
        self._waiting: list[tuple[float, int, Found]] = []
        self._is_round_wanted = False
        self.drops: Counter[str] = Counter()

    def ask(self, found: Found) -> None:
        """`found` hears the index that must be applied; never when leadership ends first."""
        if not self._engine.is_leading or len(self._waiting) >= MAX_WAITING:
            self.drops["read-refused"] += 1
            return
        self._waiting.append((self._clock.boottime_s(), self._engine.commit_index, found))
        self._is_round_wanted = True

    def take_round_wanted(self) -> bool:
        """Whether a heartbeat must go out now, so that a question takes one round trip."""
        wanted, self._is_round_wanted = self._is_round_wanted, False
        return wanted and self._engine.is_leading

    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def settle(self) -> None:
        """Answer what a majority has confirmed by now."""
        if not self._waiting:
            return
        if not self._engine.is_leading:
            self._waiting = []
            return
        if not self._engine.has_applied_first_entry:
            return
        proven_s = self._lease.quorum_at_s()
        settled = [each for each in self._waiting if each[0] <= proven_s]
        self._waiting = [each for each in self._waiting if each[0] > proven_s]
        for _, index, found in settled:
            found(max(index, self._engine.first_own_index))
