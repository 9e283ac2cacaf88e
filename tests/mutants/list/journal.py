"""The journal, its mark, the record's backup, and room."""

from tests.mutants.mutant import Mutant

ATTENDANCE = "tests/raft/test_attendance.py::"

MUTANTS = [
    Mutant(
        file="cluster/raft/attendance.py",
        line="        if (start, count) >= reached:\n",
        broken="        if start >= reached[0]:\n",
        tests=(ATTENDANCE + "test_a_copy_of_one_write_ago_is_known",),
    ),
    Mutant(
        file="cluster/raft/attendance.py",
        line="        if is_first or is_vote or self.is_sync_due():\n",
        broken="        if is_first or self.is_sync_due():\n",
        tests=(ATTENDANCE + "test_a_vote_waits_for_its_mark",),
    ),
    Mutant(
        file="cluster/raft/journal.py",
        line="            self._disk.sync(handle)\n            reach()\n",
        broken="            reach()\n            self._disk.sync(handle)\n",
        tests=(ATTENDANCE + "test_the_mark_is_never_ahead_of_the_disk",),
    ),
    Mutant(
        file="cluster/raft/journal.py",
        line="            return known.sync if known is not None and known.is_sync_due() else None\n",
        broken="            return None\n",
        tests=(
            ATTENDANCE + "test_an_entry_s_mark_is_synced_soon_also_when_nothing_follows",),
    ),
    Mutant(
        file="cluster/raft/journal.py",
        line="        if raw is None:\n            self._must_be_newest()\n",
        broken="        if raw is None:\n",
        tests=(ATTENDANCE + "test_a_folder_as_an_earlier_rejoin_left_it_is_known",),
    ),
    Mutant(
        file="cluster/raft/journal.py",
        line="        self._must_be_newest()\n        self._handle = self._disk.open(",
        broken="        self._handle = self._disk.open(",
        tests=(
            ATTENDANCE + "test_a_copy_of_an_earlier_start_is_known_whatever_it_holds",
            ATTENDANCE + "test_an_acknowledged_last_write_that_is_damaged_is_not_cut_off",
        ),
    ),
    Mutant(
        file="cluster/raft/engine.py",
        line="            if self.log[0][1] > stored.previous[1]:",
        broken="            if self.log[0][1] < 0:",
        tests=(ATTENDANCE + "test_an_earlier_snapshot_under_a_later_journal_is_refused",),
    ),
    Mutant(
        file="cluster/rejoining.py",
        line="        boot = max(note.boot, next_start(mark, HostDisk()))\n",
        broken="        boot = note.boot\n",
        tests=(ATTENDANCE + "test_the_voter_says_what_to_do_and_what_is_done_helps",),
    ),
]
