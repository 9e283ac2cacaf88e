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
        line="            return known.sync if known is not None and known.is_sync_due()",
        broken="            return known.sync if known is not None and self._waiting",
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
    Mutant(
        file="packages/core/preflight.py",
        line="    room.room_short,\n)",
        broken=")",
        tests=("tests/core/test_preflight.py::test_starting_asks_what_matters_for_a_start",),
    ),
    Mutant(
        file="packages/core/preflight.py",
        line="    room.room_short,\n    channel",
        broken="    channel",
        tests=(
            "tests/core/test_preflight.py"
            "::test_each_rule_refuses_alone_and_lets_its_near_miss_pass",),
    ),
    Mutant(
        file="cluster/rooms.py",
        line="        return rooms if self._clock.boottime_s() - said_s <= KNOWN_S else ()\n",
        broken="        return rooms\n",
        tests=("tests/core/test_room.py::test_who_falls_silent_is_remembered_for_a_while",),
    ),
    Mutant(
        file="cluster/api/client.py",
        line="                    answer.quorum or isinstance(request, Changing)):\n",
        broken="                    True):\n",
        tests=(
            "tests/commands/test_api.py"
            "::test_who_has_a_majority_is_believed_before_who_is_cut_off",),
    ),
    Mutant(
        file="cluster/core/outlook.py",
        line="    if 2 * len(voting) > len(hearing.voters):\n",
        broken="    if 2 * len(heard) > len(hearing.voters):\n",
        tests=("tests/core/test_outlook.py::test_a_majority_that_is_heard_has_only_to_elect",),
    ),
    Mutant(
        file="cluster/core/backup.py",
        line="    refused = against_restoring(state)\n",
        broken="    refused = None\n",
        tests=("tests/core/test_backup.py::test_nothing_is_put_back_while_anything_runs",),
    ),
    Mutant(
        file="cluster/core/backup.py",
        line="    if digest(to_json(file.backup)) != file.sha256:\n",
        broken="    if False:\n",
        tests=("tests/core/test_backup.py::test_a_file_that_was_changed_is_refused",),
    ),
    Mutant(
        file="cluster/core/backup.py",
        line="epoch=max(saved.epoch, known.epoch if known is not None else 0), ",
        broken="epoch=saved.epoch, ",
        tests=("tests/core/test_backup.py::test_an_epoch_never_falls",),
    ),
    Mutant(
        file="cluster/core/backup.py",
        line="    return changed(after, running=False, trust",
        broken="    return changed(after, trust",
        tests=(
            "tests/core/test_backup.py"
            "::test_what_was_saved_is_there_again_and_the_cluster_waits",),
    ),
    Mutant(
        file="cli/cluster/restore.py",
        line="    if not dry_run and not yes and not agreed(file):\n",
        broken="    if not dry_run and not yes and not file:\n",
        tests=(
            "tests/commands/test_cli_backup.py"
            "::test_off_a_terminal_nothing_is_put_back_without_a_yes",),
    ),
    Mutant(
        file="cluster/raft/filters.py",
        line="        if self._has_lost(peer, body):\n",
        broken="        if body is None:\n",
        tests=(ATTENDANCE + "test_a_leader_tells_a_node_that_was_put_back_as_a_whole",),
    ),
    Mutant(
        "cluster/raft/owner.py",
        "    if owner != name:",
        "    if False:",
        ("tests/raft/test_attendance.py::"
         "test_another_nodes_folder_is_not_taken_part_with",)),
    Mutant(
        "cluster/raft/voter.py",
        "            owned(folder, name, disk)",
        "            pass",
        ("tests/raft/test_attendance.py::"
         "test_another_nodes_folder_is_not_taken_part_with",)),
]
