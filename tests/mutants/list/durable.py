"""What is on disk before it is promised, and read again: cluster/raft."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/raft/turns.py",
        "self._send_early()\n"
        "        yield from self._flush()",
        "self._send_early()",
        ("tests/raft/test_voter_storage.py::"
         "test_a_crash_between_snapshot_and_compaction_loses_nothing",)),
    Mutant(
        "cluster/raft/turns.py",
        "yield from self._flush()\n"
        "        yield from self._store_received()",
        "yield from self._store_received()",
        ("tests/raft/test_voter_storage.py::"
         "test_a_crash_between_snapshot_and_compaction_loses_nothing",)),
    Mutant(
        "cluster/raft/turns.py",
        "if self._engine.is_heartbeat_due and not self.is_hung():",
        "if self._engine.is_heartbeat_due:",
        ("tests/raft/test_slow_disk.py::test_a_leader_whose_disk_hangs_makes_way_for_another",)),
    Mutant(
        "cluster/raft/journal.py",
        "self._disk.write_at(handle, raw, start)\n"
        "            self._disk.sync(handle)",
        "self._disk.write_at(handle, raw, start)",
        ("tests/raft/test_slow_disk.py::"
         "test_real_voters_with_slow_disks_agree_and_sync_off_the_loop",)),
    Mutant(
        "cluster/raft/journal.py",
        "self._disk.sync(handle)\n"
        "            self._disk.replace(new, self._path)",
        "self._disk.replace(new, self._path)",
        ("tests/raft/test_journal.py::"
         "test_a_compaction_that_was_flushed_outlives_a_loss_of_power",)),
    Mutant(
        "cluster/raft/journal.py",
        "self._flushing_term = self._term\n"
        "        if self._is_rewrite_due",
        "if self._is_rewrite_due",
        ("tests/raft/test_votes.py::test_and_forgets_that_it_did_by_no_restart",)),
    Mutant(
        "cluster/raft/journal.py",
        "if self._number == 0 or later is not None:",
        "if self._number == 0:",
        ("tests/raft/test_journal.py::"
         "test_every_flipped_byte_is_refused_or_costs_the_last_batch_alone",)),
    Mutant(
        "cluster/raft/journal.py",
        "if mark != BATCH_MARK or found != number or end > len(raw):",
        "if mark != BATCH_MARK or end > len(raw):",
        ("tests/raft/test_journal.py::"
         "test_every_flipped_byte_is_refused_or_costs_the_last_batch_alone",)),
    Mutant(
        "cluster/raft/journal.py",
        "return end if checksum(number, raw[offset + BATCH.size:end]) == known else None",
        "return end",
        ("tests/raft/test_journal.py::"
         "test_every_flipped_byte_is_refused_or_costs_the_last_batch_alone",)),
    Mutant(
        "cluster/raft/journal.py",
        "if self._entries and first != self._entries[-1][1] + 1:",
        "if False:",
        ("tests/raft/test_journal.py::"
         "test_a_journal_whose_entries_do_not_follow_each_other_is_refused",)),
    Mutant(
        "cluster/raft/journal.py",
        "return max(1, min(self._commit, self._entries[-1][1] if self._entries else 1))",
        "return self._commit",
        ("tests/raft/test_journal.py::test_the_commit_index_never_exceeds_the_entries",)),
    Mutant(
        "cluster/raft/journal.py",
        "        else:\n"
        "            self._disk.sync(self._handle)\n"
        "        self._disk.sync_names",
        "        self._disk.sync_names",
        ("tests/raft/test_journal.py::"
         "test_what_was_found_at_start_is_made_durable_before_anything_is_written_behind_it",)),
    Mutant(
        "cluster/raft/journal.py",
        "self._disk.sync_names(self._path.parent)\n"
        "\n",
        "pass\n"
        "\n",
        ("tests/raft/test_journal.py::"
         "test_a_compaction_that_a_kill_interrupted_is_durable_before_anything_is_promised",)),
    Mutant(
        "cluster/raft/journal.py",
        "del self._entries[max(0, first - self._first_index()):]",
        "pass",
        ("tests/raft/test_journal.py::test_what_was_flushed_is_there_again",)),
    Mutant(
        "cluster/raft/journal.py",
        'if (term, vote or "") != (self._term, self._vote):',
        "if term != self._term:",
        ("tests/raft/test_journal.py::test_a_vote_in_a_term_that_is_known_already_is_kept",)),
    Mutant(
        "cluster/raft/snapshot.py",
        "self._disk.write_at(handle, part, at)\n"
        "                self._disk.sync(handle)",
        "self._disk.write_at(handle, part, at)",
        ("tests/raft/test_voter_storage.py::"
         "test_a_leaders_snapshot_that_was_stored_outlives_a_loss_of_power",)),
    Mutant(
        "cluster/raft/snapshot.py",
        "self._failed_at_s = self._clock.boottime_s()\n"
        "            return",
        "return",
        ("tests/raft/test_voter_storage.py::"
         "test_a_snapshot_that_cannot_be_written_is_not_tried_at_every_tick",)),
    Mutant(
        "cluster/raft/engine.py",
        "if self.last_index == 1 and self.log.boot == 1:",
        "if False:",
        ("tests/raft/test_voter_storage.py::test_a_snapshot_without_its_journal_is_refused",)),
    Mutant(
        "cluster/raft/engine.py",
        "if first > 1 and self.last_applied <= first:  # hole 14",
        "if False:",
        ("tests/raft/test_voter_storage.py::test_a_journal_without_its_snapshot_is_refused",)),
    Mutant(
        "cluster/raft/engine.py",
        "if stored is None or self.last_applied != stored.last[1]:",
        "if False:",
        ("tests/raft/test_voter_storage.py::"
         "test_a_leaders_snapshot_that_the_machine_cannot_load_ends_the_voter",)),
    Mutant(
        "cluster/raft/engine.py",
        "if index <= self.last_applied:\n"
        "            raise",
        "if False:\n"
        "            raise",
        ("tests/raft/test_holes.py::test_an_applied_entry_that_a_leader_contradicts_is_fatal",)),
    Mutant(
        "cluster/raft/engine.py",
        "return self._may_stand()",
        "return True",
        ("tests/raft/test_votes.py::test_nobody_raises_the_term_before_a_majority_would_vote",)),
    Mutant(
        "cluster/raft/engine.py",
        "except (MemoryError, OSError, RecursionError) as error:",
        "except KeyboardInterrupt as error:",
        ("tests/raft/test_holes.py::test_an_exhausted_host_steps_out_instead_of_diverging",)),
    Mutant(
        "cluster/raft/engine.py",
        "and self.log.members.latest_index <= self.last_applied\n"
        "        )",
        ")",
        ("tests/raft/test_members.py::test_a_second_change_waits_for_the_first",)),
    Mutant(
        "cluster/raft/engine.py",
        "return 0 < self.first_own_index <= self.last_applied",
        "return True",
        ("tests/raft/test_first_entry.py::"
         "test_with_a_majority_and_without_its_first_entry_it_leads_and_answers_nobody",)),
    Mutant(
        "cluster/raft/engine.py",
        "return command[:1] == COMMAND and len(command) <= MAX_COMMAND_BYTES + 1",
        "return command[:1] == COMMAND",
        ("tests/raft/test_holes.py::test_only_commands_of_ours_are_taken_from_peers",)),
    Mutant(
        "cluster/raft/engine.py",
        "self._SyncObj__setCurrentTerm(term, None)\n"
        "        self._SyncObj__setState(FOLLOWER)",
        "self._SyncObj__setState(FOLLOWER)",
        ("tests/raft/test_votes.py::test_a_leader_that_hears_of_a_higher_term_steps_down",)),
    Mutant(
        "cluster/raft/reads.py",
        "settled = [each for each in self._waiting if each[0] <= proven_s]",
        "settled = list(self._waiting)",
        ("tests/raft/test_votes.py::"
         "test_a_question_is_not_answered_by_a_heartbeat_from_before_it",)),
    Mutant(
        "cluster/raft/reads.py",
        "if not self._engine.has_applied_first_entry:\n"
        "            return",
        "if False:\n"
        "            return",
        ("tests/raft/test_first_entry.py::"
         "test_with_a_majority_and_without_its_first_entry_it_leads_and_answers_nobody",)),
    Mutant(
        "cluster/raft/reads.py",
        "found(max(index, self._engine.first_own_index))",
        "found(0)",
        ("tests/raft/test_votes.py::"
         "test_a_question_is_not_answered_by_a_heartbeat_from_before_it",)),
    Mutant(
        "cluster/raft/reads.py",
        "if not self._engine.is_leading or len(self._waiting) >= MAX_WAITING:",
        "if len(self._waiting) >= MAX_WAITING:",
        ("tests/raft/test_votes.py::"
         "test_a_question_to_a_node_that_does_not_lead_is_not_answered",)),
    Mutant(
        "cluster/raft/pin.py",
        "if version == PINNED_VERSION and not differing:",
        "if version == PINNED_VERSION:",
        ("tests/raft/test_pin.py::test_a_changed_engine_is_refused_with_what_to_do",)),
    Mutant(
        "cluster/raft/pin.py",
        "setattr(module, name, refuse_pickle)",
        "pass",
        ("tests/raft/test_pin.py::test_no_pickle_is_loaded_or_made",)),
    Mutant(
        "cluster/raft/wire.py",
        "if envelope.boot < known:",
        "if False:",
        ("tests/raft/test_stamps.py::"
         "test_an_earlier_life_of_the_sender_is_not_heard_however_late_its_number",)),
    Mutant(
        "cluster/raft/wire.py",
        "if envelope.known_boot and envelope.known_boot != self._boot:",
        "if False:",
        ("tests/raft/test_stamps.py::"
         "test_what_was_meant_for_an_earlier_life_of_the_receiver_is_not_heard",)),
    Mutant(
        "cluster/raft/wire.py",
        "if envelope.number <= self._received[peer]:",
        "if False:",
        ("tests/raft/test_votes.py::test_a_message_overtaken_or_repeated_is_dropped",)),
    Mutant(
        "cluster/raft/engine.py",
        "            self.match_index[member] = 0",
        "            pass",
        ("tests/raft/test_first_entry.py::"
         "test_what_a_node_that_was_restarted_has_is_learned_anew",)),
    Mutant(
        "cluster/raft/transport.py",
        "if is_able and (not voters or self.pre_votes.has_majority()):",
        "if is_able:",
        ("tests/raft/test_votes.py::test_nobody_raises_the_term_before_a_majority_would_vote",)),
    Mutant(
        "cluster/raft/transport.py",
        "if answer is not None and self.engine.log.is_term_durable() and not "
        "self._turns.is_hung():",
        "if answer is not None:",
        ("tests/raft/test_slow_disk.py::"
         "test_a_heartbeat_of_a_term_that_is_not_on_disk_is_not_answered",)),
    Mutant(
        "cluster/raft/transport.py",
        "if member is None or self.is_stopped:",
        "if member is None:",
        ("tests/raft/test_first_entry.py::test_one_that_was_stopped_neither_leads_nor_answers",)),
    Mutant(
        "cluster/raft/transport.py",
        "except OSError as error:\n"
        "            raise Fatal(disk_failed(self.name, error)) from error\n"
        "        if self._turns",
        "except OSError:\n"
        "            pass\n"
        "        if self._turns",
        ("tests/raft/test_voter_storage.py::"
         "test_a_disk_that_fails_ends_the_voter_before_it_promises",)),
    Mutant(
        "cluster/raft/voter.py",
        "not self.transport.is_stopped and self.engine.is_leading\n",
        "self.engine.is_leading\n",
        ("tests/raft/test_first_entry.py::test_one_that_was_stopped_neither_leads_nor_answers",)),
    Mutant(
        "cluster/raft/voter.py",
        "and self.transport.lease.left_s() > 0 and self.engine.has_applied_first_entry",
        "and self.transport.lease.left_s() > 0",
        ("tests/raft/test_first_entry.py::"
         "test_with_a_majority_and_without_its_first_entry_it_leads_and_answers_nobody",)),
    Mutant(
        "cluster/raft/attendance.py",
        "if is_there or not self._mark.exists():",
        "if True:",
        ("tests/raft/test_attendance.py::"
         "test_a_folder_in_which_nothing_is_left_is_not_a_new_nodes",)),
    Mutant(
        "cluster/raft/attendance.py",
        'if total != f"{zlib.crc32(said.encode()):08x}" or not said:',
        "if not said:",
        ("tests/raft/test_attendance.py::test_of_a_torn_mark_the_other_half_counts",)),
    Mutant(
        "cluster/raft/attendance.py",
        "self._slot, self._start = 1 - self._slot, start",
        "self._start = start",
        ("tests/raft/test_attendance.py::test_of_a_torn_mark_the_other_half_counts",)),
    Mutant(
        "cluster/raft/attendance.py",
        "if is_first:\n"
        "            self._disk.sync_names",
        "if False:\n"
        "            self._disk.sync_names",
        ("tests/raft/test_attendance.py::"
         "test_an_entry_s_mark_is_synced_soon_also_when_nothing_follows",)),
    Mutant(
        "cluster/raft/attendance.py",
        'raise MarkDamaged("neither half of it is whole")',
        "pass",
        ("tests/raft/test_attendance.py::test_a_mark_that_cannot_be_read_trusts_no_folder",)),
    Mutant(
        "cluster/comeback.py",
        "await self._replica.close()\n",
        "pass\n",
        ("tests/raft/test_comeback.py::test_it_comes_back_with_everything_agreed_meanwhile",)),
    Mutant(
        "cluster/comeback.py",
        "if why.code not in PASSING:\n"
        "            return False",
        "if False:\n"
        "            return False",
        ("tests/raft/test_comeback.py::test_what_does_not_pass_ends_the_waiting",)),
]
