"""The journal gives back what was flushed, all of it or a refusal, whatever happens to its file."""

import errno
import random
from pathlib import Path

import pytest

from cluster.raft.disk import HostDisk
from cluster.raft.journal import FORMAT, Journal, JournalDamaged, batch, entry_record
from tests.raft.memory_disk import File, MemoryDisk, Stopped, WorstDisk

SPARE = 64


def opened(path: Path) -> Journal:
    return Journal(path, disk=HostDisk(), spare_bytes=SPARE)


def written(path: Path, batches: int = 12) -> list[tuple[int, list[tuple[bytes, int, int]]]]:
    """Write that many batches; (file length, entries) after each flush, the first after opening."""
    journal = opened(path)
    states = [(journal._end, list(journal[:]))]
    for number in range(1, batches + 1):
        journal.add(b"\0command %d" % number, number, 1)
        if number == 5:
            journal.deleteEntriesFrom(3)
            journal.add(b"\0instead", 4, 2)
            journal.add(b"\0another", 5, 2)
        journal.flush()
        states.append((journal._end, list(journal[:])))
    journal._destroy()
    return states


def test_what_was_flushed_is_there_again(tmp_path: Path) -> None:
    states = written(tmp_path / "journal")
    journal = opened(tmp_path / "journal")
    assert journal[:] == states[-1][1] and len(journal) == 12
    assert journal[3] == (b"\0instead", 4, 2)
    journal._destroy()


def test_what_was_not_flushed_was_never_promised(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    journal.add(b"\0kept", 1, 1)
    assert journal.flush() and not journal.flush()
    journal.add(b"\0lost", 2, 1)
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert journal[:] == [(b"\0kept", 1, 1)]
    journal._destroy()


def test_term_vote_and_commit_index_are_kept(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    journal.add(b"\0", 1, 1)
    journal.add(b"\0", 2, 1)
    journal.setRaftCommitIndex(2)
    journal.setCurrentTerm(7, "bee")
    assert not journal.is_term_durable()
    journal.flush()
    assert journal.is_term_durable()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert (journal.getCurrentTerm(), journal.getVotedForNodeId()) == (7, "bee")
    assert journal.getRaftCommitIndex() == 2
    journal.setCurrentTerm(8, None)
    journal.flush()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert (journal.getCurrentTerm(), journal.getVotedForNodeId()) == (8, None)
    journal._destroy()


def test_a_vote_in_a_term_that_is_known_already_is_kept(tmp_path: Path) -> None:
    """Who heard of the term before it was asked would vote twice in it after a restart."""
    journal = opened(tmp_path / "journal")
    journal.setCurrentTerm(7, None)
    journal.flush()
    journal.setCurrentTerm(7, "bee")
    journal.flush()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert (journal.getCurrentTerm(), journal.getVotedForNodeId()) == (7, "bee")
    journal._destroy()


def test_the_commit_index_never_exceeds_the_entries(tmp_path: Path) -> None:
    """Hole 9: a leader would acknowledge entries as it appends them."""
    journal = opened(tmp_path / "journal")
    journal.add(b"\0", 1, 1)
    journal.setRaftCommitIndex(50)
    journal.flush()
    assert journal.getRaftCommitIndex() == 1
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert journal.getRaftCommitIndex() == 1
    journal._destroy()


def test_the_boot_grows_with_every_opening(tmp_path: Path) -> None:
    boots = []
    for _ in range(3):
        journal = opened(tmp_path / "journal")
        boots.append(journal.boot)
        journal._destroy()
    assert boots == [1, 2, 3]


def test_compaction_keeps_the_rest_and_everything_else(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    for number in range(1, 101):
        journal.add(b"\0%d" % number, number, 1)
    journal.setCurrentTerm(3, "cat")
    journal.flush()
    size = (tmp_path / "journal").stat().st_size
    journal.deleteEntriesTo(90)
    journal.add(b"\0101", 101, 3)
    journal.flush()
    journal._destroy()
    assert (tmp_path / "journal").stat().st_size < size
    journal = opened(tmp_path / "journal")
    assert [index for _, index, _ in journal[:]] == list(range(91, 102))
    assert (journal.getCurrentTerm(), journal.getVotedForNodeId()) == (3, "cat")
    journal._destroy()


def test_a_journal_cleared_for_a_snapshot_begins_where_that_ends(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    journal.add(b"\0", 1, 0)
    journal.flush()
    journal.clear()
    journal.add(b"\0a", 80, 4)
    journal.add(b"\0b", 81, 4)
    journal.flush()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert journal[:] == [(b"\0a", 80, 4), (b"\0b", 81, 4)]
    journal._destroy()


def test_every_truncation_gives_the_last_whole_batch_or_a_refusal(tmp_path: Path) -> None:
    """Hole 4: of 970 lengths the stock journal failed on 903 and accepted 26 wrong entries."""
    states = written(tmp_path / "journal")
    raw = (tmp_path / "journal").read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(raw)):
        cut.write_bytes(raw[:length])
        whole = [entries for end, entries in states if end <= length]
        if len(whole) == 0:
            # Not even the batch of the first opening: such a file cannot come from a crash, since
            # a new journal appears by a rename.
            try:
                journal = opened(cut)
            except JournalDamaged:
                continue
            assert journal[:] == []  # the first batch without the record of the first boot
            journal._destroy()
            continue
        journal = opened(cut)
        assert journal[:] == whole[-1], length
        journal._destroy()


def test_every_flipped_byte_is_refused_or_costs_the_last_batch_alone(tmp_path: Path) -> None:
    """Hole 4: of 970 flips the stock journal accepted 810 as wrong entries."""
    states = written(tmp_path / "journal")
    raw = (tmp_path / "journal").read_bytes()
    last_begins, everything = states[-2][0], states[-1][1]
    flipped = tmp_path / "flipped"
    for at in range(states[-1][0]):
        damaged = bytearray(raw)
        damaged[at] ^= 0x40
        flipped.write_bytes(damaged)
        try:
            journal = opened(flipped)
        except JournalDamaged:
            continue
        assert at >= last_begins, at
        assert journal[:] == states[-2][1] != everything
        assert journal.torn_bytes > 0
        journal._destroy()


def test_a_torn_tail_is_cut_and_written_over(tmp_path: Path) -> None:
    states = written(tmp_path / "journal")
    with open(tmp_path / "journal", "r+b") as file:
        file.seek(states[-1][0] - 3)
        file.write(b"\xee\xee\xee")
    journal = opened(tmp_path / "journal")
    assert journal[:] == states[-2][1]
    journal.add(b"\0again", 12, 3)
    journal.flush()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert journal[-1] == (b"\0again", 12, 3)
    journal._destroy()


@pytest.mark.parametrize("content", [b"", b"rubbish", FORMAT, FORMAT + bytes(100)])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal").write_bytes(content)
    with pytest.raises(JournalDamaged):
        opened(tmp_path / "journal")


def test_a_journal_whose_entries_do_not_follow_each_other_is_refused(tmp_path: Path) -> None:
    """Each batch is whole: such a file was put together of two."""
    entries = [entry_record((b"\0", index, 1)) for index in (1, 2, 4)]
    for count in (2, 3):
        (tmp_path / "journal").write_bytes(FORMAT + batch(0, entries[:count]))
        if count == 2:
            opened(tmp_path / "journal")._destroy()
            continue
        with pytest.raises(JournalDamaged):
            opened(tmp_path / "journal")


class FullDisk(HostDisk):
    """Has room for so many bytes more, then refuses as a full disk does, half way in."""

    def __init__(self) -> None:
        self.room = 1 << 30

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        if len(raw) > self.room:
            super().write_at(handle, raw[:self.room], offset)
            self.room = 0
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(raw)
        super().write_at(handle, raw, offset)


@pytest.mark.parametrize("room", range(0, 400, 7))
def test_a_full_disk_loses_nothing_that_was_flushed(tmp_path: Path, room: int) -> None:
    disk = FullDisk()
    journal = Journal(tmp_path / "journal", disk=disk, spare_bytes=SPARE)
    disk.room = room
    flushed = 0
    with pytest.raises(OSError):
        for number in range(1, 100):
            journal.add(b"\0%d" % number, number, 1)
            journal.flush()
            flushed = number
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert len(journal) == flushed
    journal._destroy()


class FickleDisk(MemoryDisk):
    """Whoever syncs is killed; a loss of power keeps the last write alone."""

    is_deadly = False

    def sync(self, handle: int) -> None:
        if self.is_deadly:
            raise Stopped
        super().sync(handle)

    def _survivor(self, file: File) -> File:
        file.unsynced = file.unsynced[-1:]
        survivor = File()
        survivor.seen = bytearray(file.synced)
        for offset, raw in file.unsynced:
            survivor.seen.extend(bytes(max(0, offset - len(survivor.seen))))
            survivor.seen[offset:offset + len(raw)] = raw
        survivor.synced = bytes(survivor.seen)
        return survivor


def test_what_was_found_at_start_is_made_durable_before_anything_is_written_behind_it() -> None:
    """Found by the simulation: killed twice while it synced, then a power cut, and the journal was
    taken for damaged."""
    path, disk = Path("/journal"), FickleDisk(random.Random(1))
    journal = Journal(path, disk=disk, spare_bytes=SPARE)
    journal.add(b"\0", 1, 1)
    disk.is_deadly = True
    with pytest.raises(Stopped):
        journal.flush()
    disk.restart()
    with pytest.raises(Stopped):
        Journal(path, disk=disk, spare_bytes=SPARE)
    disk.lose_power()
    disk.is_deadly = False
    Journal(path, disk=disk, spare_bytes=SPARE)


@pytest.mark.parametrize("kind", [MemoryDisk, WorstDisk])
def test_a_compaction_that_was_flushed_outlives_a_loss_of_power(kind: type[MemoryDisk]) -> None:
    """The file that takes the old one's place is whole on disk before its name is."""
    for seed in range(20):
        path, disk = Path("/journal"), kind(random.Random(seed))
        journal = Journal(path, disk=disk, spare_bytes=SPARE)
        journal.setCurrentTerm(2, "bee")
        for index in range(1, 6):
            journal.add(b"\0" * 600, index, 2)
        journal.flush()
        journal.deleteEntriesTo(3)
        journal.flush()
        disk.lose_power()
        found = Journal(path, disk=disk, spare_bytes=SPARE)
        assert [index for _, index, _ in found[:]] == [4, 5]
        assert (found.getCurrentTerm(), found.getVotedForNodeId()) == (2, "bee")


class RenamingDisk(WorstDisk):
    """Whoever renames is killed before the folder is synced."""

    is_deadly = False

    def replace(self, new: Path, old: Path) -> None:
        if not self.is_deadly:
            super().replace(new, old)
            return
        self._files[old] = self._files.pop(new)
        raise Stopped


@pytest.mark.parametrize("seed", range(8))
def test_a_compaction_that_a_kill_interrupted_is_durable_before_anything_is_promised(
    seed: int,
) -> None:
    """Found by the simulation: killed between the rename and the sync of its folder, started again,
    and it voted into a file that a loss of power took back, vote and all: two led in one term."""
    path, disk = Path("/journal"), RenamingDisk(random.Random(seed))
    journal = Journal(path, disk=disk, spare_bytes=SPARE)
    for index in range(1, 6):
        journal.add(b"\0", index, 1)
    journal.flush()
    journal.deleteEntriesTo(3)
    disk.is_deadly = True
    with pytest.raises(Stopped):
        journal.flush()
    disk.restart()
    disk.is_deadly = False
    again = Journal(path, disk=disk, spare_bytes=SPARE)
    again.setCurrentTerm(2, "bee")
    again.flush()
    disk.lose_power()
    found = Journal(path, disk=disk, spare_bytes=SPARE)
    assert (found.getCurrentTerm(), found.getVotedForNodeId()) == (2, "bee")


def test_what_is_collected_while_a_flush_is_under_way_is_for_the_next(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    journal.add(b"\0one", 1, 1)
    write = journal.begin_flush()
    assert write is not None
    journal.add(b"\0two", 2, 1)
    journal.setCurrentTerm(2, "cat")
    write()
    journal.flushed()
    assert not journal.is_term_durable()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert [index for _, index, _ in journal[:]] == [1] and journal.getCurrentTerm() == 0
    journal._destroy()


def test_a_compaction_is_made_by_the_next_flush_with_all_it_finds(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    for number in range(1, 51):
        journal.add(b"\0%d" % number, number, 1)
    journal.deleteEntriesTo(40)
    write = journal.begin_flush()
    assert write is not None
    journal.add(b"\0last", 51, 1)
    write()
    journal.flushed()
    journal.flush()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert [index for _, index, _ in journal[:]] == list(range(41, 52))
    journal._destroy()


def test_a_compaction_without_room_leaves_the_old_journal(tmp_path: Path) -> None:
    disk = FullDisk()
    journal = Journal(tmp_path / "journal", disk=disk, spare_bytes=SPARE)
    for number in range(1, 51):
        journal.add(b"\0%d" % number, number, 1)
    journal.flush()
    disk.room = 10
    journal.deleteEntriesTo(40)
    with pytest.raises(OSError):
        journal.flush()
    journal._destroy()
    journal = opened(tmp_path / "journal")
    assert len(journal) == 50
    journal._destroy()
