"""The guardian's own deeds, what its record and its watchdog are worth, and the daemon's freeze."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/guardian_guests.py",
        'if self.state == "killed" or self.state == state == "thawed":',
        'if self.state in ("killed", state):',
        ("tests/live/test_guardian.py::test_a_guest_continued_by_somebody_is_frozen_again",)),
    Mutant(
        "cluster/guardian.py",
        "wake_s = AGAIN_S if",
        "wake_s = WAKE_S if",
        ("tests/live/test_guardian.py"
         "::test_a_guest_continued_without_a_daemon_does_not_run_for_a_second",)),
    Mutant(
        "packages/worker.py",
        "if it_ran or it_ran is not None",
        "if it_ran is not None",
        ("tests/core/test_worker_freeze.py"
         "::test_what_somebody_continued_is_stopped_again_and_the_guardian_hears_of_it",)),
    Mutant(
        "packages/worker.py",
        "            self.frozen = frozenset(standing - again)\n"
        "            self.around.guests_changed()",
        "            pass",
        ("tests/core/test_worker_freeze.py"
         "::test_what_somebody_continued_is_stopped_again_and_the_guardian_hears_of_it",)),
    Mutant(
        "cluster/guardian_guests.py",
        "if int(fields[19]) == self.start_ticks:",
        "if True:",
        ("tests/live/test_guardian.py::test_only_the_very_process_is_touched",)),
    Mutant(
        "cluster/guardian_guests.py",
        'if fields[0] == b"T":',
        "if False:",
        ("tests/live/test_guardian.py::test_a_guest_found_stopped_is_one_that_a_guardian_froze",)),
    Mutant(
        "cluster/guardian_host.py",
        'if not isinstance(kept, dict) or kept.get("boot_id") != self.boot_id:',
        "if not isinstance(kept, dict):",
        ("tests/live/test_guardian.py::test_a_record_of_another_boot_is_not_believed",)),
    Mutant(
        "cluster/guardian_host.py",
        "if uid != os.geteuid():",
        "if False:",
        ("tests/live/test_guardian.py::test_another_user_is_not_listened_to",)),
    Mutant(
        "cluster/guardian.py",
        "self.alarm.set(ends[wish])",
        "pass",
        ("tests/live/test_guardian.py::"
         "test_all_are_frozen_at_the_expiry_and_thawed_by_a_renewal",)),
    Mutant(
        "cluster/guardian.py",
        "if now_s >= lease.kill_at_s:",
        "if False:",
        ("tests/live/test_guardian.py::"
         "test_killed_when_the_second_deadline_passes_and_reported_until_taken_off",)),
    Mutant(
        "cluster/guardian.py",
        "while self.guests or not self.ending:",
        "while not self.ending:",
        ("tests/live/test_guardian.py::test_asked_to_end_it_stays_until_its_guests_have_ended",)),
    Mutant(
        "cluster/guardian.py",
        "if not place.locked():",
        "if place.locked() is None:",
        ("tests/live/test_guardian.py::test_a_second_guardian_on_the_folder_refuses",)),
    Mutant(
        "cluster/nodes/guardian_link.py",
        "if self._lease is not None:\n"
        "            self._send(",
        "if False:\n"
        "            self._send(",
        ("tests/live/test_guardian.py::"
         "test_the_link_repeats_lease_and_list_to_a_guardian_without_a_record",)),
    Mutant(
        "cluster/nodes/guardian_link.py",
        "if self._guests is not None:\n"
        "            self._send(",
        "if False:\n"
        "            self._send(",
        ("tests/live/test_guardian_trust.py::"
         "test_an_older_record_of_this_boot_counts_until_the_daemons_first_word",)),
    Mutant(
        "cluster/nodes/guardian_link.py",
        "proves_s=timeout_s if name != SOFTWARE else 0.0",
        "proves_s=timeout_s",
        ("tests/core/test_guardian_rules.py::test_a_timer_of_the_kernel_proves_nothing",)),
    Mutant(
        "cluster/guardian.py",
        'taken as a lease that is over", ERROR)\n'
        "        return Lease(), found_guests(folder), []",
        'taken as a lease that is over", ERROR)\n'
        "        return Lease(), [], []",
        ("tests/live/test_guardian_trust.py::"
         "test_without_a_record_the_guests_of_the_folder_are_found_and_stand",)),
    Mutant(
        "cluster/guardian_host.py",
        "self.timeout_s = 0.0\n",
        "pass\n",
        ("tests/core/test_guardian_rules.py::"
         "test_a_device_that_says_no_time_of_its_own_proves_nothing",)),
    Mutant(
        "cluster/guardian_host.py",
        'score.write("-1000")',
        'score.write("0")',
        ("tests/live/test_guardian_trust.py::"
         "test_it_asks_to_be_the_last_that_is_ended_for_want_of_memory",)),
    Mutant(
        "cluster/guardian.py",
        "if is_well(wanted(self.lease, boottime_s()), [guest.state for guest in self.all()]):",
        "if True:",
        ("tests/live/test_guardian_watchdog.py::"
         "test_it_is_not_petted_while_one_runs_without_a_lease",)),
    Mutant(
        "cluster/guardian.py",
        "if not 0 <= self.lease.expiry_s - self.recorded_s < RECORD_STEP_S:",
        "if False:",
        ("tests/live/test_guardian_trust.py::test_its_record_follows_the_lease",)),
    Mutant(
        "cluster/guardian_host.py",
        'self._write(b"V")',
        "pass",
        ("tests/live/test_guardian_watchdog.py::"
         "test_one_that_ends_calls_it_off_and_one_that_is_killed_does_not",)),
    Mutant(
        "cluster/guardian_host.py",
        "if os.path.exists(self.socket_path):\n"
        "            os.unlink(self.socket_path)",
        "if False:\n"
        "            os.unlink(self.socket_path)",
        ("tests/live/test_guardian.py::"
         "test_a_killed_guardian_is_replaced_and_goes_on_where_it_was",)),
    Mutant(
        "cluster/guardian.py",
        'if guest.bring("thawed"):',
        "if False:",
        ("tests/live/test_guardian.py::test_a_frozen_guest_that_is_let_go_goes_on",)),
    Mutant(
        "cluster/nodes/guardian_link.py",
        "if listed != self._guests:",
        "if True:",
        ("tests/live/test_guardian.py::test_a_list_that_was_said_is_not_said_again",)),
    Mutant(
        "cluster/nodes/guarding.py",
        "self._until_s, self._noted = noted.expiry_s, noted.pids",
        "self._until_s, self._noted = 0.0, noted.pids",
        ("tests/simulation/test_guardian_loss.py::"
         "test_a_daemon_that_starts_stops_nobody_whose_guardian_is_about_to_answer",)),
    Mutant(
        "cluster/nodes/guarding.py",
        "await asyncio.sleep(left_s if 0.0 < left_s < PING_S else PING_S)",
        "await asyncio.sleep(PING_S)",
        ("tests/simulation/test_guardian_loss.py::"
         "test_cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon",)),
    Mutant(
        "cluster/nodes/guarding.py",
        "if self._noted is None and not self.is_silent:",
        "if False:",
        ("tests/simulation/test_guardian_loss.py::"
         "test_what_the_daemon_stopped_once_it_stops_again",)),
    Mutant(
        "cluster/nodes/guarding.py",
        "while self.is_silent:",
        "while False:",
        ("tests/simulation/test_guardian_loss.py::"
         "test_heard_without_a_guardian_it_is_granted_nothing_and_loses_its_guest",)),
    Mutant(
        "cluster/nodes/guarding.py",
        "self._guardian.renew(expiry_s, kill_at_s)",
        "pass",
        ("tests/simulation/test_guardian_loss.py::"
         "test_a_silent_guardian_is_in_the_record_within_a_second",)),
]
