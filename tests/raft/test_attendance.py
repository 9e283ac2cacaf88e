"""A folder that was put back from an earlier copy is known, and taken for a lost one."""

import os
import random
import shutil
from pathlib import Path

import pytest

from cluster.raft.amnesia import NOTE_FILE, Note, write_note
from cluster.raft.attendance import LAG_S, SLOT_BYTES, Attendance, latest, slot
from cluster.raft.disk import HostDisk
from cluster.raft.journal import Journal, JournalOlder
from cluster.raft.owner import OWNER_FILE
from cluster.raft.problems import Fatal
from cluster.raft.voter import Voter
from cluster.rejoining import begin_again, lock
from tests.raft.memory_disk import MemoryDisk, WorstDisk
from tests.raft.rig import TIMINGS, Book, HandClock, Rig
from tests.raft.test_voter_storage import follow

LIB, ETC = Path("/lib"), Path("/etc")
JOURNAL, MARK = LIB / "journal", ETC / "took-part"


class Node:
    """A journal and its mark, of one life after the other."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.clock = HandClock()
        self.disk = disk or WorstDisk(random.Random(1))

    def start(self, *, boot_after: int = 0) -> Journal:
        self.journal = Journal(
            JOURNAL, disk=self.disk, spare_bytes=64, boot_after=boot_after,
            attendance=Attendance(
                "ape", mark=MARK, folder=LIB, clock=self.clock, disk=self.disk))
        return self.journal

    def kill(self) -> None:
        self.disk.restart()

    def copy(self) -> dict[Path, bytes]:
        return self.disk.copied(LIB)

    def put_back(self, copy: dict[Path, bytes]) -> None:
        self.disk.put_back(LIB, copy)

    def add(self, *indexes: int) -> None:
        for index in indexes:
            self.journal.add(b"\0%d" % index, index, 1)
            self.journal.flush()

    def said(self) -> tuple[int, int]:
        return latest(self.disk.read(MARK) or b"")[1]


def test_a_copy_of_one_write_ago_is_known() -> None:
    """Made and put back within one life: nothing but the last acknowledgement tells them apart."""
    node = Node()
    node.start()
    node.add(1, 2)
    copy = node.copy()
    node.add(3)
    node.kill()
    node.put_back(copy)
    with pytest.raises(JournalOlder, match="write 4 of start 1; .* at write 5 of start 1"):
        node.start()
    assert node.copy() == copy


def test_a_copy_of_an_earlier_start_is_known_whatever_it_holds() -> None:
    node = Node()
    node.start()
    node.add(1, 2, 3, 4)
    copy = node.copy()
    node.kill()
    node.start()
    node.kill()
    node.put_back(copy)
    with pytest.raises(JournalOlder):
        node.start()


def test_the_newest_folder_is_taken_after_any_end() -> None:
    node = Node()
    for index in (1, 2, 3):
        node.start()
        node.add(index)
        node.kill()
    node.start()
    node.add(4)
    node.journal._destroy()
    node.start()
    node.disk.lose_power()
    assert len(node.start()) == 4


@pytest.mark.parametrize("raw", [b"", bytes(2 * SLOT_BYTES), slot(1, 2).ljust(1024, b"\0")])
def test_an_earlier_mark_says_nothing_against_a_later_journal(raw: bytes) -> None:
    """<etc> alone was put back, or a release that did not count wrote it."""
    node = Node()
    node.start()
    node.add(1, 2)
    node.kill()
    node.disk.put_back(ETC, {MARK: raw})
    node.start()
    assert node.said() == (2, 5)


def test_a_vote_waits_for_its_mark() -> None:
    node = Node()
    journal = node.start()
    journal.setCurrentTerm(4, None)
    journal.flush()
    copy = node.copy()
    journal.setCurrentTerm(4, "bee")
    journal.flush()
    node.disk.lose_power()
    node.put_back(copy)
    with pytest.raises(JournalOlder):
        node.start()


def test_an_entry_s_mark_is_synced_soon_also_when_nothing_follows() -> None:
    node = Node()
    journal = node.start()
    copy = node.copy()
    node.add(1)
    assert not journal.flush()
    node.clock.now_s += LAG_S
    assert journal.flush() and not journal.flush()
    node.disk.lose_power()
    node.put_back(copy)
    with pytest.raises(JournalOlder):
        node.start()


def test_entries_do_not_wait_for_their_mark() -> None:
    class Counting(MemoryDisk):
        syncs = 0

        def sync(self, handle: int) -> None:
            self.syncs += 1
            super().sync(handle)

    disk = Counting(random.Random(1))
    node = Node(disk)
    node.start()
    before = disk.syncs
    node.add(*range(1, 101))
    assert disk.syncs - before == 100


def test_the_mark_is_never_ahead_of_the_disk() -> None:
    """Else a loss of power would make the newest journal look like an earlier one."""
    for seed in range(60):
        node = Node(MemoryDisk(random.Random(seed)))
        node.start()
        node.disk.stop_chance = 0.1
        index = 0
        try:
            for index in range(1, 30):
                node.clock.now_s += LAG_S / 2
                node.journal.setCurrentTerm(index, "bee" if index % 3 else None)
                node.add(index)
        except BaseException as stopped:  # of MemoryDisk, killed in the middle
            assert type(stopped).__name__ == "Stopped"
        node.disk.lose_power()
        assert len(node.start()) in (index - 1, index)


def test_of_a_torn_mark_the_other_half_counts() -> None:
    node = Node()
    node.start()
    node.add(1)
    copy = node.copy()
    node.add(2, 3)
    number, reached = latest(node.disk.read(MARK) or b"")
    raw = bytearray(node.disk.read(MARK) or b"")
    raw[number * SLOT_BYTES + 20] ^= 0xFF
    assert latest(bytes(raw))[1] == (reached[0], reached[1] - 1)
    node.kill()
    node.disk.put_back(ETC, {MARK: bytes(raw)})
    node.put_back(copy)
    with pytest.raises(JournalOlder):
        node.start()


def test_a_mark_that_cannot_be_read_trusts_no_folder() -> None:
    node = Node()
    node.start()
    node.kill()
    node.disk.put_back(ETC, {MARK: b"rubbish"})
    with pytest.raises(JournalOlder, match="cannot be read"):
        node.start()


def test_an_acknowledged_last_write_that_is_damaged_is_not_cut_off() -> None:
    """By the journal alone it cannot be told from one that a crash tore."""
    node = Node()
    node.start()
    node.add(1, 2)
    end = node.journal._end
    node.kill()
    raw = bytearray(node.disk.read(JOURNAL) or b"")
    raw[end - 1] ^= 0xFF
    node.put_back({JOURNAL: bytes(raw)})
    with pytest.raises(JournalOlder):
        node.start()
    assert node.disk.read(JOURNAL) == bytes(raw)


def test_a_compaction_counts_on() -> None:
    node = Node()
    node.start()
    node.add(*range(1, 10))
    copy = node.copy()
    node.journal.deleteEntriesTo(5)
    node.journal.flush()
    assert node.said() == (1, 12)
    node.kill()
    node.put_back(copy)
    with pytest.raises(JournalOlder):
        node.start()


def test_a_folder_as_an_earlier_rejoin_left_it_is_known() -> None:
    """It holds a note and no journal: what was promised since is forgotten with it."""
    node = Node()
    node.start(boot_after=7)
    node.add(1)
    node.kill()
    node.put_back({})
    with pytest.raises(JournalOlder):
        node.start(boot_after=7)
    assert node.copy() == {}
    assert node.start(boot_after=9).boot == 10


def voter(folder: Path, name: str) -> Voter:
    clock = HandClock()
    return Voter(
        name, ["bee", "cat"], folder=folder / name, machine=Book(), timings=TIMINGS,
        clock=clock, disk=HostDisk(), wire=Silent(), wake=lambda: None,
        attendance=Attendance(
            name, mark=folder / "took-part", folder=folder / name, clock=clock))


class Silent:
    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        return False


def test_the_voter_says_what_to_do_and_what_is_done_helps(tmp_path: Path) -> None:
    raft = tmp_path / "ape"
    raft.mkdir()
    voter(tmp_path, "ape").close()
    copy = (raft / "journal").read_bytes()
    voter(tmp_path, "ape").close()
    (raft / "journal").write_bytes(copy)
    with pytest.raises(Fatal) as refused:
        voter(tmp_path, "ape")
    assert refused.value.problem.code == "journal-rolled-back"
    assert "vmsg node rejoin ape" in refused.value.problem.fix
    # The clock that the others count from may have been set back: the mark knows better.
    note = Note(index=5, boot=1)
    aside = begin_again(raft, "ape", note=note, stamp="1", etc=tmp_path)
    assert isinstance(aside, Path) and (aside / "journal").read_bytes() == copy
    again = voter(tmp_path, "ape")
    assert again.amnesia.lasts and again.journal.boot == 4
    again.close()


def test_who_begins_again_is_rid_of_a_mark_that_cannot_be_read(tmp_path: Path) -> None:
    raft, mark = tmp_path / "ape", tmp_path / "took-part"
    raft.mkdir()
    mark.write_bytes(b"rubbish")
    with pytest.raises(Fatal):
        voter(tmp_path, "ape")
    begin_again(raft, "ape", note=Note(index=5, boot=70), stamp="1", etc=tmp_path)
    again = voter(tmp_path, "ape")
    assert again.journal.boot == 71
    again.close()


def test_another_nodes_folder_is_not_taken_part_with(tmp_path: Path) -> None:
    """Found by an attack: the state folders of two hosts exchanged, the one went on with the vote
    of the other in place of its own."""
    for name in ("ape", "bee"):
        place = tmp_path / name
        (place / name).mkdir(parents=True)
        voter(place, name).close()
    for name, other in (("ape", "bee"), ("bee", "ape")):
        elsewhere = tmp_path / f"{name}-swapped"
        shutil.copytree(tmp_path / other / other, elsewhere / name)
        with pytest.raises(Fatal) as refused:
            voter(elsewhere, name)
        assert refused.value.problem.code == "journal-of-another"
        assert other in refused.value.problem.what
    owner = tmp_path / "ape" / "ape" / OWNER_FILE
    owner.unlink()  # of an earlier release
    voter(tmp_path / "ape", "ape").close()
    assert owner.read_text() == "ape\n"


def test_nothing_is_kept_of_a_folder_that_was_not_there(tmp_path: Path) -> None:
    raft = tmp_path / "var" / "raft"
    held = lock(raft, "ape", tmp_path / "api.sock")
    assert isinstance(held, int)
    note = Note(index=5, boot=7)
    assert begin_again(raft, "ape", note=note, stamp="1", etc=tmp_path) is None
    assert [each.name for each in raft.parent.iterdir()] == ["raft"]
    os.close(held)


def test_an_earlier_snapshot_under_a_later_journal_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, compact_after_entries=10)
    rig.start("ape")
    follow(rig, "ape", 15)
    earlier = (tmp_path / "ape" / "snapshot").read_bytes()
    follow(rig, "ape", 30)
    rig.crash("ape")
    (tmp_path / "ape" / "snapshot").write_bytes(earlier)
    with pytest.raises(Fatal) as refused:
        rig.start("ape")
    assert refused.value.problem.code == "snapshot-damaged"
    rig.close()


def test_a_note_of_an_earlier_life_is_read_with_its_journal(tmp_path: Path) -> None:
    """The note alone, put back, begins the waiting anew; it takes nothing back."""
    raft = tmp_path / "ape"
    raft.mkdir()
    write_note(HostDisk(), raft / NOTE_FILE, Note(index=5, boot=70))
    voter(tmp_path, "ape").close()
    write_note(HostDisk(), raft / NOTE_FILE, Note(index=5, boot=70))
    again = voter(tmp_path, "ape")
    assert again.amnesia.lasts and again.journal.boot == 72
    again.close()


def put_back_whole(tmp_path: Path, *, lost: bool) -> tuple[Rig, str]:
    """A follower whose host was put back as a whole, mark and all, while its leader led on."""
    rig = Rig(tmp_path)
    rig.start(*rig.names)
    leader = rig.leader()
    rig.decide(leader, b"one")
    follower = next(name for name in rig.names if name != leader.engine.name)
    copy = (tmp_path / follower / "journal").read_bytes()
    rig.decide(leader, b"two", b"three")
    rig.crash(follower)
    if lost:
        (tmp_path / follower / "journal").write_bytes(copy)
    rig.start(follower)
    return rig, follower


def test_a_leader_tells_a_node_that_was_put_back_as_a_whole(tmp_path: Path) -> None:
    rig, follower = put_back_whole(tmp_path, lost=True)
    leader = next(voter for voter in rig.voters.values() if voter.engine.is_leading)
    with pytest.raises(Fatal) as told:
        rig.pass_time(0.4)
    assert told.value.problem.code == "journal-rolled-back"
    assert f"vmsg node rejoin {follower}" in told.value.problem.fix
    assert leader.transport.drops["regressed"] > 0
    assert next(index for member, index in leader.engine.match_index.items()
                if member.name == follower) == 0
    rig.close()


def test_a_node_that_was_only_restarted_is_told_nothing(tmp_path: Path) -> None:
    rig, _ = put_back_whole(tmp_path, lost=False)
    rig.pass_time(1.0)
    assert all(voter.transport.drops["regressed"] == 0 for voter in rig.voters.values())
    rig.close()


def test_a_folder_in_which_nothing_is_left_is_not_a_new_nodes(tmp_path: Path) -> None:
    """It was wiped, or its disk is not mounted: the node has promised what it does not know."""
    attendance = Attendance("ape", mark=tmp_path / "mark", folder=tmp_path, clock=HandClock())
    assert attendance.trouble() is None, "it never took part"
    (tmp_path / "mark").touch()
    trouble = attendance.trouble()
    assert trouble is not None and trouble.code == "journal-missing"
    (tmp_path / "journal").touch()
    assert attendance.trouble() is None
