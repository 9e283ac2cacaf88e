"""The write-ahead log: term, vote, boot count and log entries of this node, on its disk.

A file of numbered batches, each with a checksum: one flush is one batch, one write and one
fdatasync, and is found again whole or not at all. Changing methods only collect in memory; the
transport flushes before anything leaves the node that depends on it. The writing itself is handed
out as a piece of work (`begin_flush`), so that a slow disk need not hold up the event loop.
Compaction writes a new file and renames it over the old, at the next flush.

What must never happen here: acknowledged bytes given up silently. A damaged batch with nothing
intact after it is a write torn by a crash, never acknowledged, and is cut off; a damaged batch with
an intact one after it is damage to acknowledged data, and the node must not take part
(`JournalDamaged`).

The method names in camel case are those PySyncObj calls.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import overload

from cluster.raft.attendance import Attendance
from cluster.raft.disk import Disk
from cluster.raft.members import MemberHistory, MembersUnreadable

Entry = tuple[bytes, int, int]
"""(command, index, term), as the engine has it"""

Write = Callable[[], None]
"""Touches the disk and nothing else; raises OSError."""

FORMAT = b"VMSG-JOURNAL-1\n"
BATCH_MARK = b"\xa5VJ\n"
BATCH = struct.Struct("<4sIIQ")
"""mark, bytes in the body, checksum of number and body, number"""
RECORD = struct.Struct("<IBQQ")
"""bytes of payload, kind, and two numbers whose meaning is the kind's"""

ENTRY, CUT_FROM, VOTE, COMMIT, COUNT = 1, 2, 3, 4, 5
"""COUNT: how many flushes there were, this one included (attendance.py)."""

SPARE_BYTES = 1 << 20
"""Zeroes written ahead of need: syncing into space that is already allocated took 0.12 ms where a
growing file took 0.23 ms."""


class JournalDamaged(Exception):
    """The file holds acknowledged data that can no longer be read; says where."""


class JournalOlder(Exception):
    """The file is one of an earlier moment: later on more was promised; says how much more."""


class Journal:
    """Opening replays the file and begins a new boot; raises JournalDamaged, JournalOlder or
    OSError. `attendance` keeps how far the journal has come."""

    def __init__(
        self, path: Path, *, disk: Disk, spare_bytes: int = SPARE_BYTES, boot_after: int = 0,
        attendance: Attendance | None = None,
    ) -> None:
        self._path, self._disk, self._spare_bytes = path, disk, spare_bytes
        self._attendance = attendance
        self._entries: list[Entry] = []
        self.members = MemberHistory()
        self._waiting: list[bytes] = []
        self._term, self._vote, self._boot = 0, "", boot_after
        self._count = 0
        self._is_vote_waiting = False
        self._commit = 1
        self._commit_written = 1
        self._handle: int | None = None
        self._is_rewrite_due = False
        """The next flush makes the file anew, without the entries a snapshot stands for."""
        self._end = self._size = self._number = 0
        self.torn_bytes = 0
        """Cut off the end of the file at start: a write that a crash interrupted."""
        self._open()
        self._boot += 1
        self._record_vote()
        self.flush()

    @property
    def boot(self) -> int:
        """How often this journal was opened, this time included: grows with every restart."""
        return self._boot

    def is_term_durable(self) -> bool:
        return self._term == self._durable_term

    # Reading the file

    def _intact_end(self, raw: bytes, offset: int) -> int | None:
        return intact_batch_end(raw, offset, self._number)

    def _open(self) -> None:
        new = self._path.with_suffix(".new")
        self._disk.remove(new)  # a compaction that a crash interrupted
        raw = self._disk.read(self._path)
        if raw is None:
            self._must_be_newest()
            self._flushing_term = self._durable_term = self._term
            self._begin_rewrite()()
            return
        if not raw.startswith(FORMAT):
            raise JournalDamaged(f"{self._path} does not begin as a journal of this release")
        offset = len(FORMAT)
        while (end := self._intact_end(raw, offset)) is not None:
            self._replay(raw[offset + BATCH.size:end])
            offset, self._number = end, self._number + 1
        later = intact_batch_after(raw, offset, self._number)
        if self._number == 0 or later is not None:
            raise JournalDamaged(
                f"{self._path}: batch {self._number} at byte {offset} is damaged"
                + (f", batch {later} is intact" if later is not None else ""),
            )
        self._must_be_newest()
        self._handle = self._disk.open(self._path)
        self._end, self._size, self._durable_term = offset, len(raw), self._term
        # A daemon that was killed while it synced left what a loss of power may still take: the
        # file's end, though not what is written behind it, or the file itself, for the one that it
        # was renamed over.
        if any(raw[offset:]):
            self.torn_bytes = len(raw) - offset
            self._disk.cut(self._handle, offset)
            self._size = offset
        else:
            self._disk.sync(self._handle)
        self._disk.sync_names(self._path.parent)

    def _replay(self, body: bytes) -> None:
        offset = 0
        while offset < len(body):
            size, kind, first, second = RECORD.unpack_from(body, offset)
            payload = body[offset + RECORD.size:offset + RECORD.size + size]
            offset += RECORD.size + size
            if kind == ENTRY:
                if self._entries and first != self._entries[-1][1] + 1:
                    raise JournalDamaged(f"{self._path}: entry {first} does not follow the last")
                self._entries.append((payload, first, second))
                self._note_members(payload, first)
            elif kind == CUT_FROM:
                del self._entries[max(0, first - self._first_index()):]
                self.members.cut(first)
            elif kind == VOTE:
                self._boot, self._term = max(self._boot, first), second
                self._vote = payload.decode()
            elif kind == COUNT:
                self._count = first
            elif kind == COMMIT:
                self._commit = self._commit_written = max(self._commit, first)

    def _must_be_newest(self) -> None:
        """Before the file is touched: it may be wanted as it is."""
        why = None if self._attendance is None else self._attendance.behind(self._boot, self._count)
        if why is not None:
            raise JournalOlder(f"{self._path}: {why}")

    def _note_members(self, command: bytes, index: int) -> None:
        try:
            self.members.added(index, command)
        except MembersUnreadable as error:
            raise JournalDamaged(f"{self._path}: members in entry {index}: {error}") from error

    def _first_index(self) -> int:
        return self._entries[0][1] if self._entries else 0

    # Writing the file

    def flush(self) -> bool:
        """Make everything collected durable; False when there was nothing to write."""
        write = self.begin_flush()
        if write is None:
            return False
        write()
        self.flushed()
        return True

    def begin_flush(self) -> Write | None:
        """What makes everything collected until now durable: to be called once, on any thread, and
        then `flushed` here. Until then nothing else is begun, but things may be collected."""
        handle = self._handle
        if handle is None:
            return None
        self._flushing_term = self._term
        if self._is_rewrite_due:
            return self._begin_rewrite()
        if not self._waiting:
            known = self._attendance
            return known.sync if known is not None and known.is_sync_due() else None
        if self._commit != self._commit_written:
            # Safe to lose, since commitment is found anew from a majority: rides along.
            self._waiting.append(RECORD.pack(0, COMMIT, self._commit, 0))
            self._commit_written = self._commit
        reach = self._begin_count()
        raw, start = batch(self._number, self._waiting), self._end
        self._waiting = []
        self._number += 1
        self._end += len(raw)
        spare = b""
        size = self._size
        if self._end > size and self._spare_bytes:
            spare = bytes((len(raw) // self._spare_bytes + 1) * self._spare_bytes)
        self._size = max(size + len(spare), self._end)

        def write() -> None:
            if spare:
                self._disk.write_at(handle, spare, size)
            self._disk.write_at(handle, raw, start)
            self._disk.sync(handle)
            reach()

        return write

    def _begin_count(self) -> Write:
        """Count what is flushed next; what writes the mark once that is on disk."""
        self._count += 1
        self._waiting.insert(0, RECORD.pack(0, COUNT, self._count, 0))
        known, boot, count, is_vote = (
            self._attendance, self._boot, self._count, self._is_vote_waiting)
        self._is_vote_waiting = False
        if known is None:
            return lambda: None
        return lambda: known.reach(boot, count, is_vote=is_vote)

    def flushed(self) -> None:
        """What `begin_flush` gave was done, without an OSError."""
        self._durable_term = self._flushing_term

    def _begin_rewrite(self) -> Write:
        """Replace the file by what is in memory now, at once or not at all."""
        self._waiting = [self._vote_record(), RECORD.pack(0, COMMIT, self._commit, 0)]
        self._waiting += [entry_record(each) for each in self._entries]
        reach = self._begin_count()
        raw = FORMAT + batch(0, self._waiting)
        self._waiting, self._is_rewrite_due = [], False
        self._end, self._size, self._number = len(raw), len(raw) + self._spare_bytes, 1
        self._commit_written = self._commit

        def write() -> None:
            self._replace_file(raw)
            reach()

        return write

    def _replace_file(self, raw: bytes) -> None:
        new = self._path.with_suffix(".new")
        self._disk.remove(new)
        handle = self._disk.open(new)
        try:
            self._disk.write_at(handle, raw + bytes(self._spare_bytes), 0)
            self._disk.sync(handle)
            self._disk.replace(new, self._path)
        except OSError:
            self._disk.close(handle)
            raise
        if self._handle is not None:
            self._disk.close(self._handle)
        self._handle = handle

    def _vote_record(self) -> bytes:
        vote = self._vote.encode()
        return RECORD.pack(len(vote), VOTE, self._boot, self._term) + vote

    def _record_vote(self) -> None:
        self._is_vote_waiting = True
        self._waiting.append(self._vote_record())

    # What PySyncObj calls

    def add(self, command: bytes, index: int, term: int) -> None:
        self.members.added(index, command)  # first: what cannot be read is not taken
        entry = (command, index, term)
        self._entries.append(entry)
        self._waiting.append(entry_record(entry))

    def clear(self) -> None:
        self.deleteEntriesFrom(0)

    def deleteEntriesFrom(self, position: int) -> None:
        if position < len(self._entries):
            index = self._entries[position][1]
            self._waiting.append(RECORD.pack(0, CUT_FROM, index, 0))
            del self._entries[position:]
            self.members.cut(index)

    def deleteEntriesTo(self, position: int) -> None:
        if position > 0:
            del self._entries[:position]
            self._is_rewrite_due = True

    @overload
    def __getitem__(self, where: int) -> Entry: ...

    @overload
    def __getitem__(self, where: slice) -> list[Entry]: ...

    def __getitem__(self, where: int | slice) -> Entry | list[Entry]:
        return self._entries[where]

    def __len__(self) -> int:
        return len(self._entries)

    def setRaftCommitIndex(self, index: int) -> None:
        self._commit = max(self._commit, index)

    def getRaftCommitIndex(self) -> int:
        """Never beyond the last entry: else a leader would apply entries as it appends them."""
        return max(1, min(self._commit, self._entries[-1][1] if self._entries else 1))

    def setCurrentTerm(self, term: int, vote: str | None) -> None:
        if (term, vote or "") != (self._term, self._vote):
            self._term, self._vote = term, vote or ""
            self._record_vote()

    def getCurrentTerm(self) -> int:
        return self._term

    def getVotedForNodeId(self) -> str | None:
        return self._vote or None

    def onOneSecondTimer(self) -> None:
        """Nothing is left for later."""

    def _destroy(self) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
            self._handle = None
        if self._attendance is not None:
            self._attendance.close()


def batch(number: int, records: list[bytes]) -> bytes:
    body = b"".join(records)
    return BATCH.pack(BATCH_MARK, len(body), checksum(number, body), number) + body


def entry_record(entry: Entry) -> bytes:
    command, index, term = entry
    return RECORD.pack(len(command), ENTRY, index, term) + command


def checksum(number: int, body: bytes) -> int:
    return zlib.crc32(body, number & 0xFFFFFFFF)


def intact_batch_end(raw: bytes, offset: int, number: int) -> int | None:
    """Where batch `number`, which begins at `offset`, ends; None when it is not intact."""
    if offset + BATCH.size > len(raw):
        return None
    mark, size, known, found = BATCH.unpack_from(raw, offset)
    end = offset + BATCH.size + size
    if mark != BATCH_MARK or found != number or end > len(raw):
        return None
    return end if checksum(number, raw[offset + BATCH.size:end]) == known else None


def intact_batch_after(raw: bytes, offset: int, number: int) -> int | None:
    """The number of an intact batch later than `number` anywhere beyond `offset`."""
    found = raw.find(BATCH_MARK, offset)
    while found >= 0:
        if found + BATCH.size <= len(raw):
            later = BATCH.unpack_from(raw, found)[3]
            if later > number and intact_batch_end(raw, found, later) is not None:
                return int(later)
        found = raw.find(BATCH_MARK, found + 1)
    return None
