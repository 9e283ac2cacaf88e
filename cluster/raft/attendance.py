"""How far this node has promised, written down where its journal is not.

A folder that was wiped, or a disk that was not mounted, looks like that of a new node; and a folder
that was put back from a backup looks like that of a node that promised less. Either would vote
twice, or forget what it acknowledged. So each flush of the journal is counted, the count is part of
what is flushed, and before anything that rests on the flush is said, (start, count) is written into
the mark. A journal that is behind its mark is not the newest one, and is taken for a lost one
(amnesia.py).

Why that is enough. Within one life of the daemon the count grows with every flush, and every start
is a higher start; so the states a folder was ever in are in one order, and a copy stands at the
place of the moment in which it was made. Whatever was promised after that moment was flushed after
it, and its mark is a later one. A copy that is not behind its mark lacks nothing that was promised.
The other way round, a mark that is behind its journal (<etc> alone was put back, or a loss of power
took the mark's last writes) says nothing against the journal. A later release counts on; one that
does not count yet still counts starts, and its journal is ahead of the mark.

What it costs. A start and every vote wait until the mark is synced. Other flushes only write it,
which a daemon that is killed, and a host that is shut down, lose nothing of; it is synced LAG_S
later at the latest. So a copy that is younger than LAG_S when its host loses power, and is put back
after that, is not known here. Neither is a host that was put back as a whole, <etc> and all. A
leader remembers what each node acknowledged to it in its term, counts nothing of one whose log
ends before that, and tells it (filters.Incoming._has_lost); once there is another leader, nobody
knows: never put a whole host back with its journal (docs/repair.md).

What must never happen here: a promise before its mark is written; a mark that is ahead of what is
on disk.
"""

import logging
import zlib
from pathlib import Path

from cluster.clock import Clock
from cluster.raft.amnesia import NOTE_FILE
from cluster.raft.disk import Disk, HostDisk
from cluster.raft.problems import journal_missing
from packages.core.problem import Problem

MARK_FILE = "took-part"
"""In <etc>, beside the node's keys."""

LAG_S = 1.0
"""A sync with every flush would double what a disk takes; one a second is not noticed."""

SLOT_BYTES = 512
"""Two of them, written in turn: a write that a loss of power tore leaves the other one."""

log = logging.getLogger(__name__)

Reached = tuple[int, int]
"""(start, count): compared as it is"""


class MarkDamaged(Exception):
    """There is a mark, and it cannot be read: how far this node has promised is not known."""


class Attendance:
    """`mark` belongs on another disk than `folder`, if there is one: with the node's keys. Every
    method but `trouble` and `behind` is for the journal alone, and raises OSError."""

    def __init__(
        self, name: str, *, mark: Path, folder: Path, clock: Clock, disk: Disk | None = None,
    ) -> None:
        self._name, self._mark, self._folder = name, mark, folder
        self._clock, self._disk = clock, disk or HostDisk()
        self._handle: int | None = None
        self._slot, self._start = 0, 0
        self._written_s: float | None = None
        """When the oldest write was made that is not synced."""

    def trouble(self) -> Problem | None:
        """Why the folder cannot be this node's any more."""
        is_there = any((self._folder / each).exists() for each in ("journal", NOTE_FILE))
        if is_there or not self._mark.exists():
            return None
        return journal_missing(self._name, f"There is none in {self._folder}.")

    def behind(self, start: int, count: int) -> str | None:
        """Why a folder that stands there is an earlier one. To be called with the folder locked,
        at the beginning of each life. Raises OSError."""
        self.close()
        raw = self._disk.read(self._mark)
        try:
            self._slot, reached = latest(raw or b"")
        except MarkDamaged as error:
            return f"{self._mark}, which says how far it must go, cannot be read: {error}"
        if (start, count) >= reached:
            return None
        return (
            f"It ends at write {count} of start {start}; {self._mark} is at write {reached[1]} of "
            f"start {reached[0]}."
        )

    def reach(self, start: int, count: int, *, is_vote: bool) -> None:
        """What was flushed with that count is on disk."""
        is_first = self._handle is None or start != self._start
        if self._handle is None:
            self._handle = self._disk.open(self._mark)
        self._slot, self._start = 1 - self._slot, start
        self._disk.write_at(self._handle, slot(start, count), self._slot * SLOT_BYTES)
        if self._written_s is None:
            self._written_s = self._clock.boottime_s()
        if is_first or is_vote or self.is_sync_due():
            self.sync()
        if is_first:
            self._disk.sync_names(self._mark.parent)

    def is_sync_due(self) -> bool:
        written_s = self._written_s
        return written_s is not None and self._clock.boottime_s() >= written_s + LAG_S

    def sync(self) -> None:
        if self._handle is not None:
            self._disk.sync(self._handle)
        self._written_s = None

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is None:
            return
        try:
            if self._written_s is not None:
                self._disk.sync(handle)
        except OSError as error:
            log.warning("%s could not be synced: %s", self._mark, error)
        self._written_s = None
        self._disk.close(handle)


def slot(start: int, count: int) -> bytes:
    said = f"vmsg promised start {start} write {count}"
    line = f"{said} sum {zlib.crc32(said.encode()):08x}"
    return line.ljust(SLOT_BYTES - 1).encode() + b"\n"


def latest(raw: bytes) -> tuple[int, Reached]:
    """Which slot of a mark's bytes is the later one, and what it says; (0, 0) where nothing was
    said yet, as in the empty mark of earlier releases. Raises MarkDamaged."""
    found = [
        (reached, number) for number in (0, 1)
        if (reached := said_in(raw[number * SLOT_BYTES:(number + 1) * SLOT_BYTES])) is not None
    ]
    if found:
        reached, number = max(found)
        return number, reached
    if raw.strip(b"\0"):
        raise MarkDamaged("neither half of it is whole")
    return 0, (0, 0)


def said_in(raw: bytes) -> Reached | None:
    said, _, total = raw.decode(errors="replace").strip().rpartition(" sum ")
    if total != f"{zlib.crc32(said.encode()):08x}" or not said:
        return None
    words = said.split()
    return int(words[3]), int(words[5])


def next_start(mark: Path, disk: Disk) -> int:
    """One the node's daemon has never had, as far as its mark can be read. Raises OSError."""
    try:
        return latest(disk.read(mark) or b"")[1][0] + 1
    except MarkDamaged:
        return 0


def forget_damage(mark: Path, disk: Disk) -> None:
    """For a node that begins again, in whose folder nothing is left that the mark would be compared
    with: one that cannot be read is emptied. Raises OSError."""
    try:
        latest(disk.read(mark) or b"")
    except MarkDamaged:
        new = mark.with_name(f"{mark.name}.new")
        disk.remove(new)
        disk.close(disk.open(new))
        disk.replace(new, mark)
