"""The one order in which things may happen: disk, engine, disk, wire.

The engine sends whenever it likes; here what it sends waits in an outbox until the journal is
flushed. One turn is: flush, tick the engine, flush, send. A vote or an acknowledgement therefore
never leaves before what it promises is on disk. The leader's own heartbeats and entries may
overtake its flush, because it counts itself only at the next tick (Raft thesis 10.2.1): that hides
its disk behind the followers'.

A turn that has to wait for the disk is left standing and gone on with later. Meanwhile the engine
is told nothing and ticks nothing, as if no time passed; only a leader's heartbeats go out.

What must never happen here: a promise sent before it is durable; a leader's tick while anything it
collected is not.
"""

from collections.abc import Callable, Iterator

from cluster.clock import Clock
from cluster.raft.engine import GuardedEngine
from cluster.raft.flusher import Flusher
from cluster.raft.journal import Write
from cluster.raft.reads import Reads
from cluster.raft.wire import Append, Body, Forwarded, Install, Piece

HUNG_S = 2.0
"""A disk that does not answer for as long as a proposal waits (ledger.ROUND_S): this node falls
silent, so that another may lead."""

EARLY = (Append, Forwarded, Install, Piece)
"""What a leader may say before its own disk is done. Where it put a forwarded command promises
nothing about it, and said beside the entry it costs the follower no turn of its own."""

Say = Callable[[str, int, Body], None]
"""Puts a message on the wire: (peer, this node's term when it was posted, message)."""


class Turns:
    """`follow_members` is called before anything is counted; `wake` asks for another turn soon."""

    def __init__(
        self, engine: GuardedEngine, *, reads: Reads, flusher: Flusher, clock: Clock, say: Say,
        follow_members: Callable[[], None], wake: Callable[[], None],
    ) -> None:
        self._engine, self._reads, self._flusher, self._clock = engine, reads, flusher, clock
        self._say, self._follow_members, self._wake = say, follow_members, wake
        self._outbox: list[tuple[str, int, Body]] = []
        self._steps: Iterator[None] | None = None
        self._received: tuple[Write, Callable[[], object]] | None = None
        self._is_running = False
        self._is_commit_due = False
        self._flush_began_s = 0.0

    def is_waiting(self) -> bool:
        """A turn stands until the disk is done."""
        return self._steps is not None and not self._is_running

    def is_hung(self) -> bool:
        """Of a turn that waits: so long that this node should not be counted on."""
        return self._clock.boottime_s() - self._flush_began_s > HUNG_S

    def post(self, peer: str, term: int, body: Body) -> None:
        """Goes out when what is collected now is durable."""
        self._outbox.append((peer, term, body))
        if not self._is_running:
            self._wake()

    def store(self, write: Write, then: Callable[[], object]) -> None:
        """Put a leader's snapshot, or a piece of one, on disk in the next turn, before anything is
        ticked, and go on. A later one takes an earlier one's place."""
        self._received = write, then

    def go_on(self) -> None:
        """Take a turn, or go on with the one that waits. Raises OSError."""
        if self._is_running:
            return
        self._is_running = True
        try:
            if self._steps is None:
                self._steps = self._turn()
            for _ in self._steps:
                self._keep_alive()
                return
            self._steps = None
        finally:
            self._is_running = False

    def _turn(self) -> Iterator[None]:
        """Yields while the disk is not done."""
        engine = self._engine
        self._follow_members()
        yield from self._flush()
        yield from self._store_received()
        engine.doTick(0)
        self._follow_members()
        if self._reads.take_round_wanted():
            engine.send_appends()
        self._send_news()
        self._send_early()
        yield from self._flush()
        self._reads.settle()
        outbox, self._outbox = self._outbox, []
        for each in outbox:
            self._say(*each)

    def _flush(self) -> Iterator[None]:
        journal = self._engine.log
        while (write := journal.begin_flush()) is not None:
            yield from self._written(write)
            journal.flushed()

    def _store_received(self) -> Iterator[None]:
        received, self._received = self._received, None
        if received is not None:
            write, then = received
            yield from self._written(write)
            then()

    def _written(self, write: Write) -> Iterator[None]:
        self._flush_began_s = self._clock.boottime_s()
        self._flusher.begin(write)
        while not self._flusher.is_done():
            yield

    def _keep_alive(self) -> None:
        if self._engine.is_heartbeat_due and not self.is_hung():
            self._engine.send_appends()
            self._send_early()

    def _send_news(self) -> None:
        """New entries at once: a commit then takes one round trip instead of one heartbeat period.
        That they are committed is told a moment later if somebody here was just answered, so that
        what they propose next takes it along; and told alone it needs no answer."""
        engine = self._engine
        has_answered = engine.take_has_answered()
        if engine.has_unsent_entries:
            engine.send_appends()
        elif engine.has_unsent_commit and (self._is_commit_due or not has_answered):
            engine.send_appends(is_answer_wanted=False)
        self._is_commit_due = engine.has_unsent_commit
        if self._is_commit_due:
            self._wake()

    def _send_early(self) -> None:
        if not (self._engine.is_leading and self._engine.log.is_term_durable()):
            return
        outbox, self._outbox = self._outbox, []
        for each in outbox:
            if isinstance(each[2], EARLY):
                self._say(*each)
            else:
                self._outbox.append(each)
