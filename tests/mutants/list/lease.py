"""What the proof by lease rests on: the numbers, whose they are, and which way a lease takes."""

from tests.mutants.mutant import Mutant

RULES, TERMS = "cluster/core/leases.py", "cluster/nodes/terms.py"
BOOK, LANDLORD = "cluster/nodes/lease.py", "cluster/nodes/granting.py"
NUMBERS = "tests/core/test_lease_numbers.py"
WAYS, WAY_TESTS = "cluster/nodes/lease_ways.py", "tests/core/test_lease_ways.py"
PULSE, LET_GO = "cluster/raft/pulse.py", "tests/core/test_let_go.py"

MUTANTS = [
    Mutant(RULES, "return tuple(each for each in state.leases if each.number >= taken)",
           "return state.leases[-1:]",
           (f"{NUMBERS}::test_after_a_change_the_longer_counts_for_each_node_until_it_has_taken"
            "_the_new",)),
    Mutant(RULES, "if not entry.incarnation or node.incarnation != entry.incarnation:", "if False:",
           (f"{NUMBERS}::test_only_the_life_that_the_record_knows_takes_them",)),
    Mutant(RULES, "oldest = min(each.lease_number for each in state.nodes.values())",
           "oldest = max(each.lease_number for each in state.nodes.values())",
           (f"{NUMBERS}::test_after_a_change_the_longer_counts_for_each_node_until_it_has_taken"
            "_the_new",)),
    Mutant(RULES, "second, lease_s=max(first.lease_s, second.lease_s),",
           "second, lease_s=second.lease_s,",
           (f"{NUMBERS}::test_many_changes_that_a_node_missed_are_counted_by_the_longest",)),
    Mutant(TERMS, "if said.number < self._seen:", "if False:",
           (f"{NUMBERS}::test_a_grant_by_older_numbers_is_good_for_nothing",)),
    Mutant(TERMS, "return min(remaining_s, said.lease_s)", "return remaining_s",
           (f"{NUMBERS}::test_a_grant_is_good_for_no_longer_than_its_own_numbers_say",)),
    Mutant(TERMS, "is_good = len(self._ledger.state.leases) <= 1", "is_good = True",
           (f"{NUMBERS}::test_a_grant_that_says_no_numbers_counts_while_no_change_is_under_way",)),
    Mutant(TERMS, "if self._clock.boottime_s() < self._seen_at_s + self._older_s:", "if False:",
           (f"{NUMBERS}::test_the_new_numbers_are_taken_when_all_by_the_old_ones_is_over",)),
    Mutant(BOOK, "return max(self.lease_s, self.longest_s.get(node, 0.0))", "return self.lease_s",
           (f"{NUMBERS}::test_a_book_counts_earlier_grants_by_the_longest_for_that_node",)),
    Mutant(BOOK, "return max(earlier_s, self.over_at_s.get(node, -inf)) + self.margin_s",
           "return earlier_s + self.margin_s",
           (f"{NUMBERS}::test_a_leader_counts_its_own_grants_by_what_it_granted",)),
    Mutant(LANDLORD, "return leases.newest(self._ledger.state) or self._own", "return self._own",
           (f"{NUMBERS}::test_a_leader_of_an_older_record_agrees_upon_its_numbers_before_it_grants",
            )),
    Mutant(LANDLORD, "held = leases.held(self._ledger.state, node) or (self._own,)",
           "held = (self._own,)", (f"{NUMBERS}::test_not_by_its_own_files_numbers",)),
    # the way that a lease takes
    Mutant(WAYS, "if self._has_stepped_out():", "if False:",
           (f"{WAY_TESTS}::test_a_node_that_has_stepped_out_asks_nobody",)),
    Mutant(WAYS, "or answered != ask.number:", "or False:",
           (f"{WAY_TESTS}::test_an_answer_to_another_request_grants_nothing",)),
    Mutant(WAYS, "if not asked or late_s > UNANSWERED * self._terms.numbers.heartbeat_s:",
           "if not asked:",
           (f"{WAY_TESTS}::test_a_peer_passes_it_on_where_the_coordinator_does_not_answer",)),
    Mutant(PULSE, "if isinstance(allowed, Ack) and allowed.sent_s is not None and",
           "if isinstance(allowed, Ack) and",
           ("tests/raft/test_amnesia.py::"
            "test_two_of_three_are_no_majority_while_one_of_them_has_forgotten",)),
    Mutant(PULSE, "return self._engine.log.is_term_durable() and not self._is_hung()",
           "return True",
           ("tests/raft/test_pulse.py::"
            "test_whose_disk_is_stuck_neither_sends_nor_answers_one",)),
    Mutant(PULSE, "if self._stamps.refusal(member.name, envelope) is not None:", "if False:",
           ("tests/raft/test_pulse.py::test_a_pulse_is_taken_once",)),
    # whom a lease says something about
    Mutant("cluster/core/model.py",
           'guarded = record.state != "detached" or record.guarded or kind not in',
           'guarded = record.state != "detached" or kind not in',
           (f"{LET_GO}::test_until_its_owner_lets_it_go_the_end_of_the_lease_frees_it_to_be_"
            "started_elsewhere",)),
    Mutant("cluster/core/membership.py",
           "given = (record.owner, record.epoch) == (entry.node, entry.epoch)", "given = True",
           (f"{LET_GO}::test_it_is_let_go_by_its_owner_in_its_epoch_alone",)),
    Mutant("cluster/core/membership.py",
           "    return with_package(state, changed(record, guarded=False))",
           "    return state",
           (f"{LET_GO}::test_after_that_nothing_that_rests_on_a_lease_does",)),
    Mutant("cluster/core/duties.py", "return not self.guarded", "return True",
           (f"{LET_GO}::test_its_duty_is_to_say_so_and_to_guard_it_until_that_is_agreed",)),
    Mutant(
        "cluster/nodes/lease_ways.py",
        "        reply = await door.ask(ask, deadline_s=deadline_s)",
        "        door = next(each for each in self._neighbours.values() if each is door)\n"
        "        reply = await door.ask(ask, deadline_s=deadline_s)",
        ("tests/core/test_lease_ways.py"
         "::test_a_neighbour_that_is_removed_before_it_was_asked_ends_nothing",)),
]
