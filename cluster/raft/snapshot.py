"""The snapshot of the machine on this node's disk, and how it travels to a node that fell behind.

One file: a header with a checksum and the last two log entries it covers, then the state, deflated.
It is written beside the old one, synced, and renamed over it; only then is the journal cut, so
that together they always hold everything. The machine is dumped on the loop (a consistent cut);
deflating and writing happen in a thread, and so does the writing of a leader's snapshot.

What must never happen here: state taken from a file or a peer whose checksum is wrong; a snapshot
published by a thread that outlived its cause; a failed write repeated at every tick.

The method names in camel case are those PySyncObj calls in place of its Serializer's.
"""

import logging
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

from cluster.clock import Clock
from cluster.raft.disk import Disk
from cluster.raft.journal import Entry
from cluster.raft.members import MemberHistory, Members
from cluster.raft.pin import SERIALIZER_STATE
from cluster.raft.replica import Machine
from cluster.raft.unpacking import Oversized, allowance, unpacked
from cluster.raft.wire import Term
from cluster.tally import Tally
from packages.core.values import Natural, Undecodable, Value, from_msgpack, to_msgpack

FORMAT = b"VMSG-SNAPSHOT-1\n"
HEADER = struct.Struct("<QI")
"""bytes that follow, their checksum"""

DEFLATE_LEVEL = 1
"""5 MB to 2.9 MB in 30 ms; higher levels cost more time than a LAN needs for the difference."""

MAX_STATE_BYTES = 1 << 30
"""What a peer's snapshot may inflate to: ten times the state of 100,000 packages."""

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
    """`executor` writes; None writes at once, which is what a simulation wants."""

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
        self._received: tuple[bytes, bool] | None = None
        """The leader's latest, and whether it is one; on disk in that case."""
        self._judged: tuple[bytes, Callable[[int, int], bool]] | None = None
        self._tally = Tally(log, clock.boottime_s)

    def stored(self) -> Snapshot | None:
        """The snapshot on disk; raises SnapshotDamaged or OSError."""
        raw = self._disk.read(self._path)
        return None if raw is None else decoded(raw)

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
            self._received = raw, False
            return
        if self._writing is not None:
            wait([self._writing])  # both write the same file
        self._write(raw)
        self._disk.replace(self._new, self._path)
        self._received = raw, True

    # What PySyncObj calls

    def serialize(self, parts: tuple[Any, Entry, Entry, Any], index: int) -> None:
        """Begin to write a snapshot of the machine as it is now."""
        if self._writing is not None or self._is_cooling_down():
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
        """The whole file as the first and last piece; the transport sends it as one message."""
        raw = self._disk.read(self._path)
        return None if raw is None else (raw, True, True)

    def setTransmissionData(self, pieces: tuple[bytes, bool, bool]) -> bool:
        """Store what the leader sent; False when it is not a snapshot."""
        if not self.has_received(pieces[0]):
            self.receive(pieces[0])
        assert self._received is not None
        _, is_intact = self._received
        self._received = self._writing = None
        return is_intact

    def cancelTransmisstion(self, _node: Any) -> None:
        """One message each: there is nothing to cancel. (The name is PySyncObj's.)"""

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
        self._write(encoded(snapshot))
        self._disk.replace(self._new, self._path)

    def _write(self, raw: bytes) -> None:
        self._disk.remove(self._new)
        handle = self._disk.open(self._new)
        try:
            self._disk.write_at(handle, raw, 0)
            self._disk.sync(handle)
        finally:
            self._disk.close(handle)


def encoded(snapshot: Snapshot) -> bytes:
    plain = to_msgpack(snapshot)
    body = zlib.compress(plain, DEFLATE_LEVEL)
    if len(plain) > allowance(len(body)):  # its receiver would not unpack it
        body = zlib.compress(plain, 0)
    return FORMAT + HEADER.pack(len(body), zlib.crc32(body)) + body


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
