"""The snapshot of the machine on this node's disk, and how it travels to a node that fell behind.

One file: a header with a checksum and the last two log entries it covers, then the state, deflated.
It is written beside the old one, synced, and renamed over it; only then is the journal cut, so
that together they always hold everything. The machine is dumped on the loop (a consistent cut);
deflating and writing happen in a thread, and so does the writing of a leader's snapshot. A small
one travels in one message, a large one in pieces (pieces.py).

What must never happen here: state taken from a file or a peer whose checksum is wrong; a snapshot
published by a thread that outlived its cause; a failed write repeated at every tick.

The method names in camel case are those PySyncObj calls in place of its Serializer's.
"""

import errno
import logging
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

from cluster.clock import Clock
from cluster.raft.disk import Disk
from cluster.raft.journal import Entry
from cluster.raft.lease import Lease
from cluster.raft.members import MemberHistory, Members
from cluster.raft.pieces import PIECE_BYTES, WHOLE_BYTES, Coming, Extent, Sending
from cluster.raft.pin import SERIALIZER_STATE
from cluster.raft.replica import Machine
from cluster.raft.unpacking import Oversized, allowance, unpacked
from cluster.raft.wire import Piece, Term
from cluster.tally import Tally
from packages.core.values import Natural, Undecodable, Value, changed, from_msgpack, to_msgpack

FORMAT = b"VMSG-SNAPSHOT-1\n"
HEADER = struct.Struct("<QI")
"""bytes that follow, their checksum"""

DEFLATE_LEVEL = 1
"""5 MB to 2.9 MB in 30 ms; higher levels cost more time than a LAN needs for the difference."""

MAX_STATE_BYTES = 1 << 30
"""What a peer's snapshot may inflate to: ten times the state of 100,000 packages."""

STEP_BYTES = 8 << 20
"""Written and synced at a time: the journal, on the same disk, waits for no more than that."""

EMPTY_BYTES, BYTES_32 = b"\xc4\0", b"\xc6"
"""msgpack's: no bytes, and so many bytes as the next four say."""

Part = bytes | memoryview

RETRY_S = 30.0
"""After a failed write (a full disk, say): the journal holds everything meanwhile."""

log = logging.getLogger(__name__)


class SnapshotDamaged(Exception):
    """The bytes are not a snapshot of this release, or not intact."""


class Snapshot(Value, array_like=True):
    """The state after `last`; `previous` is the entry before, which the engine wants as well."""

    last: tuple[bytes, Natural, Term]
    previous: tuple[bytes, Natural, Term]
    state: bytes
    members: Members | None = None
    """Those in force at `last`; None where they are still those of the nodes' own files."""

    @property
    def is_whole(self) -> bool:
        """A journal that began with other two could never be read again."""
        return self.previous[1] + 1 == self.last[1] and self.previous[2] <= self.last[2]


class SnapshotStore:
    """`executor` writes; None writes at once, which is what a simulation wants. Larger ones than
    `whole_bytes` are sent by `piece_bytes`."""

    whole_bytes, piece_bytes, most_state_bytes = WHOLE_BYTES, PIECE_BYTES, MAX_STATE_BYTES

    def __init__(
        self, path: Path, *, machine: Machine, disk: Disk, clock: Clock, executor: Executor | None,
        members: MemberHistory,
    ) -> None:
        self._path, self._machine, self._disk = path, machine, disk
        self._clock, self._executor, self._members = clock, executor, members
        self._new = path.with_suffix(".new")
        self._writing: Future[None] | None = None
        self._writing_index = 0
        self._failed_at_s: float | None = None
        self._received: tuple[bytes, Snapshot | None] | None = None
        """The leader's latest, and what it is if it is one; on disk in that case."""
        self._judged: tuple[bytes, Callable[[int, int], bool]] | None = None
        self._tally = Tally(log, clock.boottime_s)
        self._extent: Extent | None = None
        """Of the file on disk, once that was read or written."""
        self._loading: Snapshot | None = None
        """What the file holds, while it is being loaded: it is asked for more than once."""
        self.sending = Sending(clock)
        self.coming = Coming(path.with_suffix(".coming"), disk)

    def stored(self) -> Snapshot | None:
        """The snapshot on disk; raises SnapshotDamaged or OSError."""
        if self._loading is None and (raw := self._disk.read(self._path)) is not None:
            self._loading = decoded(raw)
            self._extent = extent(self._loading, len(raw))
        return self._loading

    def loaded(self) -> None:
        """It is in the machine now."""
        self._loading = None

    def has_received(self, raw: bytes) -> bool:
        return self._received is not None and self._received[0] is raw

    def judge(self, raw: bytes, is_other: Callable[[int, int], bool]) -> None:
        """Of what is received next: `is_other` says whether a snapshot up to this (index, term) is
        another than its leader spoke of."""
        self._judged = raw, is_other

    def receive(self, raw: bytes) -> None:
        """Put the leader's snapshot on disk, if it is one. On any thread, while the engine stands;
        raises OSError. Nothing here is newer: the engine has not committed as much."""
        try:
            received = decoded(raw, most=allowance(len(raw)))
            if not received.is_whole:
                raise SnapshotDamaged("its two entries do not follow one another")
            judged = self._judged
            if judged is not None and judged[0] is raw and judged[1](*received.last[1:]):
                raise SnapshotDamaged(f"it reaches to {received.last[1:]}, which was not said")
        except SnapshotDamaged as error:
            self._tally.refuse("snapshot-refused", f"the leader's snapshot: {error}")
            self._received = raw, None
            return
        if self._writing is not None:
            wait([self._writing])  # both write the same file
        self._write(steps(raw))
        self._disk.replace(self._new, self._path)
        self._extent = extent(received, len(raw))
        self._received = raw, received

    # What PySyncObj calls

    def serialize(self, parts: tuple[Any, Entry, Entry, Any], index: int) -> None:
        """Begin to write a snapshot of the machine as it is now."""
        if self._writing is not None or self._is_cooling_down() or self.sending.is_busy():
            return
        members = self._members.stored_at(parts[1][1])
        snapshot = Snapshot(
            last=parts[1], previous=parts[2], state=self._machine.dump(), members=members)
        self._writing_index = index
        self._writing = self._started(snapshot)

    def checkSerializing(self) -> tuple[int, int]:
        if self._writing is None:
            return SERIALIZER_STATE.NOT_SERIALIZING, self._writing_index
        if not self._writing.done():
            return SERIALIZER_STATE.SERIALIZING, self._writing_index
        written, self._writing = self._writing, None
        try:
            written.result()
        except OSError as error:
            log.warning("a snapshot could not be written: %s", error)
            self._failed_at_s = self._clock.boottime_s()
            return SERIALIZER_STATE.FAILED, self._writing_index
        self._failed_at_s = None
        return SERIALIZER_STATE.SUCCESS, self._writing_index

    def deserialize(self) -> tuple[None, Entry, Entry, set[Any]]:
        """Load the stored state into the machine. The members are read by the engine's guard."""
        snapshot = self.stored()
        if snapshot is None:
            raise SnapshotDamaged("there is no snapshot")
        self._machine.load(snapshot.state)
        return None, snapshot.last, snapshot.previous, set()

    def getTransmissionData(self, _node: Any) -> tuple[bytes, bool, bool] | None:
        """The whole file as the first and last piece; the transport sends it as one message. None
        where there is none, and where it goes by `piece_due`."""
        if self._in_pieces() is not None:
            return None
        raw = self._disk.read(self._path)
        return None if raw is None else (raw, True, True)

    def setTransmissionData(self, pieces: tuple[bytes, bool, bool]) -> bool:
        """Store what the leader sent; False when it is not a snapshot."""
        if not self.has_received(pieces[0]):
            self.receive(pieces[0])
        assert self._received is not None
        _, self._loading = self._received
        self._received = self._writing = None
        return self._loading is not None

    def cancelTransmisstion(self, _node: Any) -> None:
        """One message each: there is nothing to cancel. (The name is PySyncObj's.)"""

    def _in_pieces(self) -> Extent | None:
        """Of the file on disk, where it is too large for one message."""
        found = self._extent
        return found if found is not None and found.size > self.whole_bytes else None

    def piece_due(self, peer: str, *, term: int, lease: Lease) -> Piece | None:
        """What the peer is to be sent of a large file now; None while that is under way, and where
        it goes as one. Raises OSError."""
        large = self._in_pieces()
        offset = None if large is None else self.sending.due(peer, large)
        if large is None or offset is None:
            return None
        return Piece(
            term=term, last_index=large.last_index, last_term=large.last_term, size=large.size,
            offset=offset, raw=self._disk.read_at(self._path, offset, self.piece_bytes),
            sent_s=lease.now_s(), quorum_age_s=lease.quorum_age_s())

    def close(self) -> None:
        if self._writing is not None:
            wait([self._writing])
            self._writing = None

    def _is_cooling_down(self) -> bool:
        failed_at_s = self._failed_at_s
        return failed_at_s is not None and self._clock.boottime_s() < failed_at_s + RETRY_S

    def _started(self, snapshot: Snapshot) -> Future[None]:
        if self._executor is not None:
            return self._executor.submit(self._encode_and_write, snapshot)
        finished: Future[None] = Future()
        try:
            self._encode_and_write(snapshot)
            finished.set_result(None)
        except OSError as error:
            finished.set_exception(error)
        return finished

    def _encode_and_write(self, snapshot: Snapshot) -> None:
        if len(snapshot.state) > self.most_state_bytes:
            raise OSError(errno.EFBIG, f"a state of {len(snapshot.state)} bytes could not be read")
        parts = encoded_parts(snapshot)
        self._write(parts)
        self._disk.replace(self._new, self._path)
        self._extent = extent(snapshot, sum(map(len, parts)))

    def _write(self, parts: Sequence[Part]) -> None:
        at = 0
        self._disk.remove(self._new)
        handle = self._disk.open(self._new)
        try:
            for part in parts:
                self._disk.write_at(handle, part, at)
                self._disk.sync(handle)
                at += len(part)
        finally:
            self._disk.close(handle)


def extent(snapshot: Snapshot, size: int) -> Extent:
    return Extent(last_index=snapshot.last[1], last_term=snapshot.last[2], size=size)


def steps(raw: bytes) -> list[Part]:
    """The same bytes, not copied, in parts of STEP_BYTES."""
    view = memoryview(raw)
    return [view[at:at + STEP_BYTES] for at in range(0, len(raw), STEP_BYTES)]


def encoded(snapshot: Snapshot) -> bytes:
    return b"".join(encoded_parts(snapshot))


def encoded_parts(snapshot: Snapshot) -> list[Part]:
    """The file, to be written one part after the other; one part where it is not large. A large
    state is never copied as a whole, which would keep the event loop from running meanwhile."""
    plain = plain_parts(snapshot)
    body = deflated(plain, DEFLATE_LEVEL)
    if sum(map(len, plain)) > allowance(sum(map(len, body))):  # its receiver would not unpack it
        body = deflated(plain, 0)
    checksum = 0
    for part in body:
        checksum = zlib.crc32(part, checksum)
    size = sum(map(len, body))
    head = FORMAT + HEADER.pack(size, checksum)
    return [head, *body] if size > STEP_BYTES else [b"".join([head, *body])]


def plain_parts(snapshot: Snapshot) -> list[Part]:
    """Its msgpack: an array of the two entries, the state and the members."""
    state = snapshot.state
    if len(state) <= STEP_BYTES:
        return [to_msgpack(snapshot)]
    empty = to_msgpack(changed(snapshot, state=b""))
    members = to_msgpack(snapshot.members)
    before = empty[:len(empty) - len(members) - len(EMPTY_BYTES)]
    return [before + BYTES_32 + len(state).to_bytes(4, "big"), *steps(state), members]


def deflated(plain: Sequence[Part], level: int) -> list[bytes]:
    deflater = zlib.compressobj(level)
    found = [*(deflater.compress(part) for part in plain), deflater.flush()]
    return [each for each in found if each]


def decoded(raw: bytes, *, most: int = MAX_STATE_BYTES) -> Snapshot:
    """`most`: bytes that its state may have; fewer where it is not this node's own."""
    start = len(FORMAT) + HEADER.size
    if not raw.startswith(FORMAT) or len(raw) < start:
        raise SnapshotDamaged("it does not begin as a snapshot of this release")
    size, known = HEADER.unpack_from(raw, len(FORMAT))
    body = memoryview(raw)[start:]
    if len(body) != size or zlib.crc32(body) != known:
        raise SnapshotDamaged("its checksum is wrong")
    try:
        plain = unpacked(body, most=min(most, MAX_STATE_BYTES))
        return from_msgpack(memoryview(plain), Snapshot)
    except (zlib.error, ValueError, Oversized, *Undecodable) as error:
        raise SnapshotDamaged(str(error)) from error
