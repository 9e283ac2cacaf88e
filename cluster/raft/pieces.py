"""A snapshot too large for one message: sent in pieces, each when the one before it is there.

So much and no more is under way that heartbeats, which travel beside it, are hardly later than
without. The leader reads each piece from its file; whoever fell behind puts it into a file of its
own, and what is whole then is judged and installed as one that came in one message.

While it is sent the leader makes no newer one: the journal keeps what comes after it, so that its
receiver need not begin again. But not for ever, for one that takes a piece an hour could make every
journal grow.

What must never happen here: pieces of two snapshots in one file; more under way to a peer than one
piece; a snapshot installed that was not looked at as a whole.
"""

from pathlib import Path

from cluster.clock import Clock
from cluster.raft.disk import Disk
from cluster.raft.wire import Piece, PieceHeld
from packages.core.values import Value

WHOLE_BYTES = 8 << 20
"""Sent in one message up to this size, which every release can read."""

PIECE_BYTES = 1 << 20
"""84 ms at 100 Mb/s: a fraction of the time after which a leader is missed."""

RETRY_S = 2.0
"""A piece is sent again once a heartbeat is answered that was sent so much later on the same
connection: on the slowest link, too, it has then been there or is lost."""

QUIET_S = 10.0
"""After the last piece that was taken: whoever installs it is about to ask for what came after."""

MOST_BUSY_S = 600.0
"""For how long journals may be kept from being cut: a gigabyte at 15 Mb/s."""


class Extent(Value):
    """Which snapshot it is: its last entry and how many bytes it has."""

    last_index: int
    last_term: int
    size: int


def extent_of(body: Piece | PieceHeld) -> Extent:
    return Extent(last_index=body.last_index, last_term=body.last_term, size=body.size)


class Towards:
    """One peer that is being sent a snapshot: what it is known to have of it."""

    def __init__(self, extent: Extent, now_s: float) -> None:
        self.extent = extent
        self.offset = 0
        self.taken_at_s = now_s
        self.sent_at_s: float | None = None
        """Of the piece that is under way; None: none is."""
        self.answered_s = 0.0
        """When the latest heartbeat was sent that it has answered."""


class Sending:
    """The leader's side: who is sent what, and from where on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._towards: dict[str, Towards] = {}
        self._busy_since_s: float | None = None

    def due(self, peer: str, extent: Extent) -> int | None:
        """Where the piece begins that it is to be sent now; None while one is under way."""
        now_s = self._clock.boottime_s()
        towards = self._towards.get(peer)
        if towards is None or towards.extent != extent:
            towards = self._towards[peer] = Towards(extent, now_s)
        if towards.sent_at_s is not None and towards.answered_s < towards.sent_at_s + RETRY_S:
            return None
        towards.sent_at_s = now_s
        return towards.offset

    def answered(self, peer: str, sent_s: float | None) -> None:
        """It has heard the heartbeat that was sent then."""
        towards = self._towards.get(peer)
        if towards is not None and sent_s is not None:
            towards.answered_s = max(towards.answered_s, sent_s)

    def held(self, peer: str, said: PieceHeld) -> bool:
        """Note how much it has; whether the next piece may go at once."""
        towards = self._towards.get(peer)
        if towards is None or towards.extent != extent_of(said) or said.offset > said.size:
            return False
        is_further = said.offset > towards.offset
        towards.offset = said.offset
        if is_further:
            towards.taken_at_s, towards.sent_at_s = self._clock.boottime_s(), None
        return is_further and said.offset < said.size

    def forget(self, peer: str) -> None:
        """It was started anew, and has nothing."""
        self._towards.pop(peer, None)

    def clear(self) -> None:
        self._towards.clear()

    def is_busy(self) -> bool:
        """Whether the file should stay as it is, for somebody's sake."""
        now_s = self._clock.boottime_s()
        if all(now_s - each.taken_at_s > QUIET_S for each in self._towards.values()):
            self._busy_since_s = None
            return False
        if self._busy_since_s is None:
            self._busy_since_s = now_s
        return now_s - self._busy_since_s < MOST_BUSY_S


class Coming:
    """The receiver's side: one snapshot at a time, in one file."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path, self._disk = path, disk
        self._of: tuple[str, Extent] | None = None
        self._held = 0
        self._raw = b""

    def is_next(self, peer: str, piece: Piece) -> bool:
        """Whether it goes on with what is here, or begins another."""
        if piece.offset + len(piece.raw) > piece.size or not piece.raw:
            return False
        return piece.offset == self._held_of(peer, piece)

    def _held_of(self, peer: str, piece: Piece) -> int:
        return self._held if self._of == (peer, extent_of(piece)) else 0

    def write(self, piece: Piece) -> None:
        """On any thread, one at a time. Raises OSError."""
        if piece.offset == 0:
            self._disk.remove(self._path)
        handle = self._disk.open(self._path)
        try:
            self._disk.write_at(handle, piece.raw, piece.offset)
        finally:
            self._disk.close(handle)

    def wrote(self, peer: str, piece: Piece) -> None:
        self._of, self._held = (peer, extent_of(piece)), piece.offset + len(piece.raw)

    def answer(self, peer: str, piece: Piece) -> PieceHeld:
        """How much of this snapshot is here."""
        return PieceHeld(
            last_index=piece.last_index, last_term=piece.last_term, size=piece.size,
            offset=self._held_of(peer, piece))

    def is_whole(self) -> bool:
        return self._of is not None and self._held == self._of[1].size

    def gather(self) -> None:
        """Read the file, and remove it. On any thread; raises OSError."""
        self._raw = self._disk.read(self._path) or b""
        self._disk.remove(self._path)

    def taken(self) -> bytes:
        """What was gathered; nothing is here any more."""
        raw, self._raw, self._of, self._held = self._raw, b"", None, 0
        return raw
