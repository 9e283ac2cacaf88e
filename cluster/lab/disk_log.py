"""What the test guest's log on its disk proves: nothing lost, nothing twice, never two writers.

The guest (cluster/lab/guest/disk_log.h) appends a record several times a second and makes each
durable before the next. Whatever a move or a failover does to it, the log of one life must read
1, 2, 3 ... without a gap, and lives must follow one another. Two copies of a guest that write at
once show as lives that interleave, as a number written twice, or as a broken chain: each record
names the random number drawn for the one before it, and a copy does not know the other's.

A checker here must never call a log clean because it could not read it: what does not decode is
counted as damaged.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from packages.core.values import Value

SECTOR_BYTES = 512
LOG_START_SECTOR = 256
"""The guest's program lies before it."""

_MAGIC = b"VMSGLOG1"
_LAYOUT = struct.Struct("<8sQQIIQIII")
_CRC = struct.Struct("<I")

FindingKind = Literal["lost", "repeated", "out-of-order", "overlap", "damaged"]


class Record(Value):
    """One heartbeat. `position` counts on over all lives and rounds of the log; `ticks` are
    fiftieths of a second of the guest's own clock, which stands still while the guest does."""

    position: int
    boot_id: str
    counter: int
    previous_counter: int
    ticks: int
    boots: int
    nonce: int
    previous_nonce: int


class Finding(Value):
    kind: FindingKind
    boot_id: str
    what: str


class Life(Value):
    """What the log holds of one start of the guest."""

    boot_id: str
    first_counter: int
    last_counter: int
    records: int


class LogReport(Value):
    lives: tuple[Life, ...]
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        return not self.findings


class Log(Value):
    """A log as read: its records by position, how many sectors there are for them, and how many
    of these held something that is no record."""

    records: tuple[Record, ...]
    slots: int
    damaged: int = 0


def encode(record: Record) -> bytes:
    """The sector the guest would write; for fabricating logs in tests."""
    content = _LAYOUT.pack(
        _MAGIC, int(record.boot_id, 16), record.position, record.counter,
        record.previous_counter, record.ticks, record.boots, record.nonce, record.previous_nonce,
    )
    return (content + _CRC.pack(zlib.crc32(content))).ljust(SECTOR_BYTES, b"\0")


def decode(sector: bytes) -> Record | None:
    """None where there is no whole record."""
    content = sector[:_LAYOUT.size]
    if len(sector) < _LAYOUT.size + _CRC.size or not content.startswith(_MAGIC):
        return None
    if _CRC.unpack_from(sector, _LAYOUT.size)[0] != zlib.crc32(content):
        return None
    _, boot_id, position, counter, previous, ticks, boots, nonce, previous_nonce = (
        _LAYOUT.unpack(content)
    )
    return Record(
        position=position, boot_id=f"{boot_id:016x}", counter=counter, previous_counter=previous,
        ticks=ticks, boots=boots, nonce=nonce, previous_nonce=previous_nonce,
    )


def decode_log(area: bytes) -> Log:
    """Everything from the log's first sector to the end of the disk."""
    records, damaged = [], 0
    for sector in _written_sectors(area):
        record = decode(sector)
        if record is None:
            damaged += 1
        else:
            records.append(record)
    records.sort(key=lambda record: record.position)
    slots = len(area) // SECTOR_BYTES
    return Log(records=tuple(records), slots=slots, damaged=damaged)


def _written_sectors(area: bytes) -> Iterator[bytes]:
    """Those that are not all zero; most of a log is, so it is looked at in large pieces first."""
    empty_piece, empty_sector = bytes(128 * SECTOR_BYTES), bytes(SECTOR_BYTES)
    for start in range(0, len(area), len(empty_piece)):
        piece = area[start:start + len(empty_piece)]
        if piece == empty_piece:
            continue
        for begin in range(0, len(piece), SECTOR_BYTES):
            sector = piece[begin:begin + SECTOR_BYTES]
            if sector != empty_sector[:len(sector)]:
                yield sector


def check(log: Log, *, acknowledged: Mapping[str, int] | None = None) -> LogReport:
    """Everything wrong with a log. `acknowledged`: by boot id, the last counter the guest itself
    was heard to name; a log that ends before it has lost what was durable."""
    lives = _by_life(log.records)
    findings = _damage(log) + _overlaps(log.records)
    # Only the oldest life can have lost its beginning rightly, to a later round of the log.
    may_be_cut = bool(log.records) and log.records[-1].position >= log.slots
    for boot_id, records in lives.items():
        findings += _order(boot_id, records)
        named = (acknowledged or {}).get(boot_id, 0)
        findings += _gaps(boot_id, records, first=records[0].counter if may_be_cut else 1,
                          last=max(named, max(record.counter for record in records)))
        may_be_cut = False
    for boot_id in sorted(set(acknowledged or {}) - set(lives)):
        findings.append(Finding(kind="lost", boot_id=boot_id, what="not one record is left"))
    return LogReport(
        lives=tuple(_life(boot_id, records) for boot_id, records in lives.items()),
        findings=tuple(findings),
    )


def _by_life(records: Sequence[Record]) -> dict[str, list[Record]]:
    lives: dict[str, list[Record]] = {}
    for record in records:
        lives.setdefault(record.boot_id, []).append(record)
    return lives


def _life(boot_id: str, records: Sequence[Record]) -> Life:
    counters = [record.counter for record in records]
    return Life(
        boot_id=boot_id, first_counter=min(counters), last_counter=max(counters),
        records=len(records),
    )


def _damage(log: Log) -> list[Finding]:
    if not log.damaged:
        return []
    what = f"{log.damaged} sectors of the log hold no whole record"
    return [Finding(kind="damaged", boot_id="", what=what)]


def _overlaps(records: Sequence[Record]) -> list[Finding]:
    """Lives that come back after another has begun, and chains that break: two writers."""
    findings = []
    ended: set[str] = set()
    for earlier, later in pairwise(records):
        where = f"at position {later.position}"
        if earlier.boot_id != later.boot_id:
            ended.add(earlier.boot_id)
            if later.boot_id in ended:
                what = f"{where} it writes on although {earlier.boot_id} had begun"
                findings.append(Finding(kind="overlap", boot_id=later.boot_id, what=what))
        elif _breaks_chain(earlier, later):
            what = f"{where} counter {later.counter} does not follow the record before it"
            findings.append(Finding(kind="overlap", boot_id=later.boot_id, what=what))
    return findings


def _breaks_chain(earlier: Record, later: Record) -> bool:
    """Two records that claim to be neighbours and were not drawn by one copy."""
    return later.previous_counter == earlier.counter and later.previous_nonce != earlier.nonce


def _order(boot_id: str, records: Sequence[Record]) -> list[Finding]:
    findings = []
    seen: set[int] = set()
    highest = latest_ticks = 0
    for record in records:
        where = f"at position {record.position}"
        if record.counter in seen:
            what = f"counter {record.counter} again {where}"
            findings.append(Finding(kind="repeated", boot_id=boot_id, what=what))
        elif record.counter < highest:
            what = f"counter {record.counter} after {highest} {where}"
            findings.append(Finding(kind="out-of-order", boot_id=boot_id, what=what))
        elif record.ticks < latest_ticks:
            what = f"the guest's clock went back from {latest_ticks} to {record.ticks} {where}"
            findings.append(Finding(kind="out-of-order", boot_id=boot_id, what=what))
        seen.add(record.counter)
        highest, latest_ticks = max(highest, record.counter), max(latest_ticks, record.ticks)
    return findings


def _gaps(boot_id: str, records: Sequence[Record], *, first: int, last: int) -> list[Finding]:
    missing = sorted(set(range(first, last + 1)) - {record.counter for record in records})
    if not missing:
        return []
    shown = ", ".join(str(counter) for counter in missing[:5])
    what = f"{len(missing)} records are missing: {shown}{', ...' if len(missing) > 5 else ''}"
    return [Finding(kind="lost", boot_id=boot_id, what=what)]
