"""What a lease is worth while nobody enforces it, and what a guardian holds."""

from tests.mutants.mutant import Mutant

LOSS, TRUST = "tests/simulation/test_guardian_loss.py", "tests/live/test_guardian_trust.py"
NODES = "tests/core/test_guarded_nodes.py"
WATCH, GUARDIAN, GUESTS = (
    "cluster/nodes/guarding.py", "cluster/guardian.py", "cluster/guardian_guests.py")

MUTANTS = [
    Mutant("cluster/nodes/leasing.py",
           "return not self._holder.is_over(now_s) and now_s < self._guarding.until_s",
           "return not self._holder.is_over(now_s)",
           (f"{LOSS}::test_a_lease_counts_from_its_acknowledgement",)),
    Mutant("cluster/nodes/granting.py", "not is_guarded):", "False):",
           (f"{LOSS}::test_heard_without_a_guardian_it_is_granted_nothing_and_loses_its_guest",)),
    Mutant(WATCH, "if self._clock.boottime_s() < self.until_s:", "if True:",
           (f"{LOSS}::test_cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon",)),
    Mutant(WATCH, "SILENT_AFTER = 3", "SILENT_AFTER = 300",
           (f"{LOSS}::test_a_silent_guardian_is_in_the_record_within_a_second",)),
    Mutant(WATCH, "self._until_s, self._unanswered, self._was_heard = expiry_s, 0, True",
           "self._until_s, self._unanswered, self._was_heard = 1e12, 0, True",
           (f"{LOSS}::test_cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon",)),
    Mutant("cluster/node.py", "await self.guarding.until_heard()", "pass",
           (f"{LOSS}::test_heard_without_a_guardian_it_is_granted_nothing_and_loses_its_guest",)),
    Mutant("packages/worker.py", "return await self.around.driver.freeze(guest)", "return False",
           (f"{LOSS}::test_cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon",)),
    Mutant("packages/core/placement.py", "if not node.is_guarded:", "if False:",
           (f"{NODES}::test_a_package_is_not_started_there",)),
    Mutant("cluster/core/moves.py", "if node.guardian_silent:", "if False:",
           (f"{NODES}::test_a_move_to_it_is_refused",)),
    Mutant("packages/core/preflight_rules/placement.py",
           "if asked.placement.guarded or not asked.placement.up:", "if True:",
           ("tests/core/test_preflight.py"
            "::test_each_rule_refuses_alone_and_lets_its_near_miss_pass",)),
    Mutant("cluster/core/membership.py", "guardian_silent=entry.guardian_silent)",
           "guardian_silent=False)",
           (f"{NODES}::test_a_daemon_that_joins_says_how_it_stands",)),
    Mutant("cluster/core/membership.py",
           "return with_node(state, changed(node, guardian_silent=entry.is_silent))",
           "return with_node(state, node)",
           (f"{NODES}::test_a_package_is_not_started_there",)),
    Mutant(GUARDIAN, 'if guest.state == "frozen" and held.state == "thawed":', "if False:",
           (f"{TRUST}::test_what_the_daemon_froze_goes_on_with_a_good_lease_only",)),
    Mutant(GUARDIAN, 'connection.send({"heard": said, "expiry_s": self.lease.expiry_s})',
           'connection.send({"heard": said, "expiry_s": self.lease.kill_at_s})',
           (f"{TRUST}::test_a_lease_is_acknowledged_by_a_guardian_that_runs_and_by_no_other",)),
    Mutant(GUARDIAN, 'raise Garbage(f"{len(unheld)} guests cannot be held: {unheld[0]}")', "pass",
           (f"{TRUST}::test_without_descriptors_a_guest_that_cannot_be_held_is_not_called"
            "_guarded",)),
    Mutant(GUARDIAN, "if kept is None:\n        return Lease(), found_guests(folder), []",
           "if kept is None:\n        return Lease(), [], []",
           (f"{TRUST}::test_without_a_record_the_guests_of_the_folder_are_found_and_stand",)),
    Mutant(GUESTS, "if name is None or not any(folder in each for folder in folders for each in"
           " words):", "if name is None:",
           (f"{TRUST}::test_guests_of_another_folder_are_not_touched",)),
    Mutant("cluster/guardian_host.py", "for each in (self.path, self.path + \".new\"):",
           "for each in ():",
           (f"{TRUST}::test_a_record_that_cannot_be_written_is_not_left_as_it_was",)),
    Mutant("cluster/guardian_host.py",
           "        self.open()\n        self._write", "        self._write",
           ("tests/live/test_guardian_watchdog.py"
            "::test_one_that_is_busy_at_first_is_petted_as_soon_as_it_is_let_go",)),
    Mutant(GUARDIAN, "if self.place.is_whole():", "if True:",
           (f"{TRUST}::test_a_run_folder_that_was_cleaned_up_is_made_again",)),
    Mutant("cluster/guardian_host.py", "if self._has_lock() or self.locked():", "if True:",
           (f"{TRUST}::test_a_run_folder_that_was_cleaned_up_is_made_again",)),
    Mutant(GUARDIAN, "self.listener, self.unwritten = listener, True", "self.listener = listener",
           (f"{TRUST}::test_a_run_folder_that_was_cleaned_up_is_made_again",)),
    Mutant("cluster/nodes/granting.py",
           "name == self._node and not record.guardian_silent):", "name == self._node):",
           (f"{LOSS}::test_a_coordinator_without_its_guardian_gives_its_own_guest_up",)),
    Mutant(WATCH, "self._until_s, self._noted = noted.expiry_s, noted.pids",
           "self._until_s, self._noted = 1e12, noted.pids",
           (f"{LOSS}::test_a_daemon_that_begins_while_its_guardian_is_stopped_ends_the_lease"
            "_itself",)),
    Mutant(WATCH, "self._until_s, self._noted = noted.expiry_s, noted.pids",
           "self._until_s = noted.expiry_s",
           (f"{LOSS}::test_a_daemon_that_finds_neither_guardian_nor_record_stops_its_guests",)),
    Mutant(WATCH, "if self._clock.boottime_s() >= self._until_s:", "if False:",
           (f"{LOSS}::test_a_daemon_that_begins_after_the_noted_lease_ends_it_at_once",)),
    Mutant("cluster/node.py", "            self.guarding.recall(self.guardian.noted())\n", "",
           (f"{LOSS}::test_a_daemon_that_begins_while_its_guardian_is_stopped_ends_the_lease"
            "_itself",)),
    Mutant(WATCH, "        self._noted = None\n", "",
           (f"{LOSS}::test_cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon",)),
    Mutant("cluster/node.py",
           "            await self.worker.adopt()\n            stack.push_async_callback("
           "self._leave_guests)\n            refused = server.start()\n",
           "            refused = server.start()\n            await self.worker.adopt()\n"
           "            stack.push_async_callback(self._leave_guests)\n",
           ("tests/simulation/test_back_again.py"
            "::test_nobody_is_answered_before_it_knows_its_own_guests",)),
    Mutant(GUARDIAN, "lease, guests, _ = remembered(Record(folder).read(), folder)",
           "lease, guests = Lease(), list[Guest]()",
           (f"{TRUST}::test_what_it_has_noted_is_read_by_a_daemon_that_it_does_not_answer",)),
    Mutant("cluster/nodes/former_guardians.py",
           "if (each.pid, each.start_ticks) not in ours]", "if False]",
           ("tests/live/test_former_guardians.py"
            "::test_it_lets_go_of_what_the_own_guardian_has_also_where_it_had_it_frozen",)),
    Mutant("cluster/nodes/former_guardians.py", "not self._may_run()):", "False):",
           ("tests/live/test_former_guardians.py::test_without_a_lease_nobody_is_let_go",)),
    Mutant("cluster/nodes/former_guardians.py",
           "if await self._guardian.taken_up(deadline_s=DEADLINE_S) is not None or (", "if (",
           ("tests/live/test_former_guardians.py"
            "::test_a_guest_that_the_own_guardian_does_not_have_is_let_go_of_by_nobody",)),
    Mutant("packages/lookout.py",
           "for guest in self._given() if around.may_run() and around.driver.stands(guest)",
           "for guest in self._given() if False",
           ("tests/scenarios/test_standing_unseen.py"
            "::test_a_process_that_was_stopped_by_others_is_said_until_it_goes_on",)),
]
