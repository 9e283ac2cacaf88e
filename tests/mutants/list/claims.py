"""Lines an audit had named, whose breaking nothing noticed."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/core/membership.py",
        "if entry.term is not None and entry.term != state.coordinator_term:",
        "if False:",
        ("tests/core/test_rules_hold.py::test_a_death_of_an_older_coordinators_term_is_refused",)),
    Mutant(
        "cluster/core/outcomes.py",
        "MOST = 131_072",
        "MOST = 4",
        ("tests/core/test_rules_hold.py::"
         "test_a_retry_after_a_hundred_entries_is_still_the_same_entry",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.owner != entry.node or record.epoch != entry.epoch:",
        "if record.owner != entry.node:",
        ("tests/core/test_rules_hold.py::"
         "test_the_same_node_answers_late_for_its_guest_before_the_restart",)),
    Mutant(
        "cluster/guardian.py",
        'return wish == "thawed" or "thawed" not in states',
        "return True",
        ("tests/core/test_guardian_rules.py::"
         "test_a_host_on_which_something_runs_without_a_lease_is_not_well",)),
    Mutant(
        "cluster/guardian.py",
        'return "thawed" if now_s < lease.expiry_s else "frozen"',
        'return "thawed"',
        ("tests/core/test_guardian_rules.py::test_a_guest_stands_from_the_end_of_the_lease_on",)),
    Mutant(
        "cluster/guardian.py",
        'return new if new.expiry_s > held.expiry_s or said.get("revoke") is True else held',
        "return new",
        ("tests/core/test_guardian_rules.py::test_a_lease_only_grows_unless_it_is_given_back",)),
    Mutant(
        "cluster/guardian.py",
        "if new.kill_at_s < new.expiry_s or new.expiry_s > boottime_s() + AHEAD_S:",
        "if new.kill_at_s < new.expiry_s:",
        ("tests/core/test_guardian_rules.py::test_a_lease_that_cannot_be_meant_is_not_taken",)),
    Mutant(
        "cluster/nodes/granting.py",
        "record.incarnation != incarnation or (\n"
        "                not is_guarded):",
        "not is_guarded:",
        ("tests/core/test_landlord.py::"
         "test_a_life_that_the_record_does_not_know_is_granted_nothing",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if self._ledger.state.coordinator_term != term:\n"
        "            return None\n"
        "        if self._book is None",
        "if self._book is None",
        ("tests/core/test_landlord.py::"
         "test_a_leader_whose_beginning_is_not_in_the_record_grants_nothing",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if node in book.stopped and self._condemned.get(node) != incarnation:",
        "if node in book.stopped:",
        ("tests/core/test_landlord.py::test_a_condemned_node_is_granted_nothing",)),
    Mutant(
        "cluster/raft/filters.py",
        "commit_index=min(body.commit_index, proven_to),  # hole 1",
        "commit_index=body.commit_index,",
        ("tests/raft/test_filters_hold.py::"
         "test_no_more_is_committed_than_was_compared_with_the_leaders_log",)),
    Mutant(
        "cluster/raft/lease.py",
        "LEASE_SHARE = 0.9",
        "LEASE_SHARE = 1.5",
        ("tests/raft/test_votes.py::test_there_are_never_two_leases",)),
    Mutant(
        "packages/agent.py",
        "            if not self.around.may_run():\n"
        "                return\n"
        "            reasons",
        "            reasons",
        ("tests/scenarios/test_switch_order.py::test_nothing_is_started_without_a_lease",)),
    Mutant(
        "packages/agent.py",
        "return unguarded or await identity.verified(self.around, self.body, "
        "wanted.spec, guest)",
        "return await identity.verified(self.around, self.body, wanted.spec, guest)",
        ("tests/scenarios/test_switch_order.py::test_a_guest_that_nobody_guards_never_runs",)),
    Mutant(
        "packages/departure.py",
        'if settled == "commit" and word != "ready":',
        "if False:",
        ("tests/scenarios/test_switch_order.py::"
         "test_nothing_is_committed_to_a_target_that_fell_silent_in_the_switch",)),
    Mutant(
        "packages/departure.py",
        "        if self.switching and not await self._abort_agreed():\n"
        "            return None\n"
        "        observed",
        "        observed",
        ("tests/scenarios/test_switch_order.py::"
         "test_a_switch_that_was_ordered_is_called_off_by_the_record_first",)),
    Mutant(
        "packages/source_side.py",
        "            self.stood_at_s = self.around.clock.boottime_s()\n"
        "            self._suspend()",
        "            self.stood_at_s = self.around.clock.boottime_s()",
        ("tests/scenarios/test_switch_order.py::"
         "test_monitoring_is_off_from_the_very_event_that_stops_the_guest",)),
    Mutant("cluster/nodes/granting.py", "            self.links.passed_on_s(name),\n", "",
           ("tests/core/test_landlord.py"
            "::test_whoever_passes_on_the_request_of_another_is_heard",)),
]
