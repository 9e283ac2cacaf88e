"""A voter's folder after crashes: everything acknowledged is there again, or it does not start."""

import errno
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.raft.disk import HostDisk
from cluster.raft.members import MemberHistory
from cluster.raft.problems import Fatal
from cluster.raft.snapshot import Snapshot, SnapshotDamaged, SnapshotStore, decoded, encoded
from cluster.raft.wire import Install
from tests.raft.memory_disk import WorstDisk
from tests.raft.rig import Book, HandClock, Rig, append, command, tell


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, compact_after_entries=10)
    yield rig
    rig.close()


class FaultyDisk(HostDisk):
    """Refuses what a test says, from when it says so."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def _check(self, operation: str) -> None:
        if operation in self.refused:
            raise OSError(errno.EIO, f"refused: {operation}")

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        self._check("write")
        super().write_at(handle, raw, offset)

    def sync(self, handle: int) -> None:
        self._check("sync")
        super().sync(handle)

    def replace(self, new: Path, old: Path) -> None:
        self._check(f"replace {old.name}")
        super().replace(new, old)


def follow(rig: Rig, name: str, count: int) -> None:
    """Have a leader give it so many entries, committed one by one, with a turn for each."""
    voter = rig.voters[name]
    last = voter.engine.last_index
    for index in range(last + 1, last + count + 1):
        previous = (index - 1, voter.engine.last_term)
        entry = command(index, index=index, term=1)
        tell(voter, "bee", 1, append(1, previous, [entry], commit=index))
        voter.transport.pump()


def restarted(rig: Rig, name: str):
    rig.crash(name)
    return rig.start(name)


def test_a_snapshot_shortens_the_journal_and_both_are_loaded(rig: Rig, tmp_path: Path) -> None:
    ape = rig.start("ape")
    follow(rig, "ape", 40)
    assert len(ape.journal) <= 20 and (tmp_path / "ape" / "snapshot").exists()
    before = rig.books["ape"].commands
    again = restarted(rig, "ape")
    again.transport.pump()
    assert rig.books["ape"].commands == before
    assert again.engine.last_index == 41


def test_a_crash_between_snapshot_and_compaction_loses_nothing(rig: Rig, tmp_path: Path) -> None:
    """Hole 2: the engine threw away every entry newer than the snapshot."""
    disk = rig.disks["ape"] = FaultyDisk()
    ape = rig.start("ape")
    follow(rig, "ape", 8)
    disk.refused.add("replace journal")
    with pytest.raises(Fatal):
        follow(rig, "ape", 30)
    assert (tmp_path / "ape" / "snapshot").exists()
    last, commands = ape.engine.last_index, rig.books["ape"].commands
    disk.refused.clear()
    again = restarted(rig, "ape")
    again.transport.pump()
    assert again.engine.last_index == last
    assert rig.books["ape"].commands == commands[:len(rig.books["ape"].commands)]
    tell(again, "bee", 1, append(1, (last, 1), [], commit=last))
    again.transport.pump()
    assert rig.books["ape"].commands == commands


class CountingBook(Book):
    dumps = 0

    def dump(self) -> bytes:
        self.dumps += 1
        return super().dump()


def test_a_snapshot_that_cannot_be_written_is_not_tried_at_every_tick(rig: Rig) -> None:
    disk = rig.disks["ape"] = FaultyDisk()
    book = CountingBook()
    rig.new_book = lambda: book
    ape = rig.start("ape")
    follow(rig, "ape", 8)
    disk.refused.add("replace snapshot")
    follow(rig, "ape", 30)
    assert book.dumps == 1 and len(ape.journal) == 39
    disk.refused.clear()
    rig.clock.now_s += 31
    follow(rig, "ape", 3)
    assert len(ape.journal) < 10


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_disk_that_fails_ends_the_voter_before_it_promises(rig: Rig, operation: str) -> None:
    """Hole 24, and no vote or acknowledgement of what is not on disk."""
    disk = rig.disks["ape"] = FaultyDisk()
    ape = rig.start("ape")
    follow(rig, "ape", 3)
    rig.under_way = []
    disk.refused.add(operation)
    tell(ape, "bee", 1, append(1, (4, 1), [command(9, index=5, term=1)], commit=4))
    with pytest.raises(Fatal) as fatal:
        ape.transport.pump()
    assert fatal.value.problem.code == "journal-not-writable"
    assert rig.under_way == []
    disk.refused.clear()
    again = restarted(rig, "ape")
    assert again.engine.last_index >= 4


def test_a_journal_without_its_snapshot_is_refused(rig: Rig, tmp_path: Path) -> None:
    """Hole 14: the engine would begin with an empty state and never learn."""
    rig.start("ape")
    follow(rig, "ape", 40)
    rig.crash("ape")
    (tmp_path / "ape" / "snapshot").unlink()
    assert refusal(rig) == "snapshot-damaged"


def test_a_snapshot_without_its_journal_is_refused(rig: Rig, tmp_path: Path) -> None:
    """The node has forgotten its votes."""
    rig.start("ape")
    follow(rig, "ape", 40)
    rig.crash("ape")
    (tmp_path / "ape" / "journal").unlink()
    assert refusal(rig) == "journal-damaged"


def test_a_damaged_snapshot_is_refused(rig: Rig, tmp_path: Path) -> None:
    """Hole 15."""
    rig.start("ape")
    follow(rig, "ape", 40)
    rig.crash("ape")
    path = tmp_path / "ape" / "snapshot"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert refusal(rig) == "snapshot-damaged"


def test_a_damaged_journal_is_refused_and_says_how_to_rejoin(rig: Rig, tmp_path: Path) -> None:
    rig.start("ape")
    follow(rig, "ape", 5)
    rig.crash("ape")
    path = tmp_path / "ape" / "journal"
    raw = bytearray(path.read_bytes())
    raw[60] ^= 1
    path.write_bytes(raw)
    assert refusal(rig) == "journal-damaged"
    with pytest.raises(Fatal) as fatal:
        rig.start("ape")
    assert "vmsg node rejoin ape" in fatal.value.problem.fix


class Picky(Book):
    def load(self, snapshot: bytes) -> None:
        raise ValueError("not a state of this release")


def test_a_snapshot_the_machine_cannot_load_is_refused(rig: Rig) -> None:
    rig.start("ape")
    follow(rig, "ape", 40)
    rig.crash("ape")
    rig.new_book = Picky
    assert refusal(rig) == "snapshot-damaged"


def refusal(rig: Rig) -> str:
    """The code of the problem that opening ends with; the lock is free afterwards."""
    with pytest.raises(Fatal) as fatal:
        rig.start("ape")
    return fatal.value.problem.code


def test_one_folder_serves_one_voter(rig: Rig) -> None:
    rig.start("ape")
    assert refusal(rig) == "journal-in-use"


def test_an_installed_snapshot_survives_a_crash_before_the_journal_knows(
    rig: Rig, tmp_path: Path,
) -> None:
    ape = rig.start("ape")
    follow(rig, "ape", 5)
    source = Rig(tmp_path / "elsewhere", compact_after_entries=10)
    (tmp_path / "elsewhere").mkdir()
    source.start("bee")
    for index in range(2, 60):
        entry = command(index, index=index, term=1)
        tell(source.voters["bee"], "cat", 1, append(1, (index - 1, min(1, index - 2)), [entry],
                                                    commit=index))
        source.voters["bee"].transport.pump()
    raw = (tmp_path / "elsewhere" / "bee" / "snapshot").read_bytes()
    last = decoded(raw).last
    ape.engine.store.receive(raw)
    tell(ape, "bee", 1, Install(
        term=1, commit_index=last[1], last_index=last[1], last_term=last[2], snapshot=raw,
        sent_s=1.0, quorum_age_s=0.0,
    ))
    again = restarted(rig, "ape")  # nothing was flushed since
    assert again.engine.last_applied == last[1] == again.engine.last_index
    assert rig.books["ape"].commands == source.books["bee"].commands[:last[1] - 1]
    source.close()


@pytest.mark.parametrize("raw", [b"", b"VMSG-SNAPSHOT-1\n", b"VMSG-SNAPSHOT-1\n" + bytes(12)])
def test_bytes_that_are_no_snapshot_are_refused(raw: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        decoded(raw)


def test_a_leaders_snapshot_that_was_stored_outlives_a_loss_of_power() -> None:
    """The journal is cut for it."""
    disk, path = WorstDisk(random.Random(1)), Path("/snapshot")
    store = SnapshotStore(path, machine=Book(), disk=disk, clock=HandClock(), executor=None,
                          members=MemberHistory())
    last = command(9, index=9, term=3)
    store.receive(encoded(Snapshot(last=last, previous=(b"", 8, 3), state=b"a")))
    disk.lose_power()
    stored = store.stored()
    assert stored is not None and stored.last == last


def test_a_leaders_snapshot_that_the_machine_cannot_load_ends_the_voter(rig: Rig) -> None:
    """It would go on with the state of before, under a later index."""
    rig.new_book = Picky
    ape, last = rig.start("ape"), command(9, index=9, term=3)
    tell(ape, "bee", 3, append(3, (9, 3), []))
    ape.transport.pump()
    tell(ape, "bee", 3, Install(
        term=3, commit_index=9, last_index=9, last_term=3, sent_s=1.0, quorum_age_s=0.0,
        snapshot=encoded(Snapshot(last=last, previous=(b"", 8, 3), state=b"a"))))
    with pytest.raises(Fatal) as fatal:
        ape.transport.pump()
    assert fatal.value.problem.code == "snapshot-damaged"


def test_three_voters_compact_and_a_lagging_one_is_given_the_state(rig: Rig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    away = next(name for name in rig.names if name != leader.engine.name)
    rig.crash(away)
    for number in range(60):
        assert rig.decide(leader, b"%d" % number)[0][1] == 0
    assert leader.journal[0][1] > 2
    rig.start(away)
    rig.pass_time(1.0)
    assert rig.books[away].commands == [b"%d" % number for number in range(60)]
