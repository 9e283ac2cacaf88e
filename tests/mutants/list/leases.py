"""Until when a node may run guests: cluster/nodes/lease.py and granting.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/nodes/lease.py",
        "sent_at_s + min(remaining_s, self.lease_s))",
        "sent_at_s + remaining_s)",
        ("tests/core/test_lease.py::test_no_answer_gives_more_than_a_lease",)),
    Mutant(
        "cluster/nodes/lease.py",
        "if node in self.stopped or not remaining_s > 0:",
        "if not remaining_s > 0:",
        ("tests/core/test_lease.py::"
         "test_granting_stops_before_death_and_death_waits_for_what_was_granted",)),
    Mutant(
        "cluster/nodes/lease.py",
        "expiry_s = max(self.expiry_s, sent_at_s",
        "expiry_s = max(0.0, sent_at_s",
        ("tests/core/test_lease.py::test_the_expiry_only_grows",)),
    Mutant(
        "cluster/nodes/lease.py",
        "next_number=int(token, 16) >> 16)",
        "next_number=1)",
        ("tests/core/test_lease.py::test_two_lives_of_a_daemon_number_differently",)),
    Mutant(
        "cluster/nodes/lease.py",
        "if node in self.stopped or not remaining_s > 0:",
        "if node in self.stopped:",
        ("tests/core/test_lease.py::"
         "test_a_coordinator_without_a_majority_for_a_lease_grants_nothing",)),
    Mutant(
        "cluster/nodes/lease.py",
        "return node in self.stopped and now_s >= self.dead_after_s(node)",
        "return now_s >= self.dead_after_s(node)",
        ("tests/core/test_lease.py::"
         "test_granting_stops_before_death_and_death_waits_for_what_was_granted",)),
    Mutant(
        "cluster/nodes/lease.py",
        "if sent_at_s is None or not remaining_s > 0:",
        "if sent_at_s is None:",
        ("tests/core/test_lease.py::test_an_answer_that_grants_nothing_changes_nothing",)),
    Mutant(
        "cluster/nodes/lease.py",
        "later = Map({each: sent for each, sent in self.asked.items() if each > number})",
        "later = self.asked",
        ("tests/core/test_lease.py::test_repeated_unknown_and_overtaken_answers_are_ignored",)),
    Mutant(
        "cluster/nodes/lease.py",
        "if now_s - sent < self.lease_s}",
        "}",
        ("tests/core/test_lease.py::test_a_request_is_forgotten_after_a_lease",)),
    Mutant(
        "cluster/nodes/lease.py",
        "return now_s >= self.expiry_s",
        "return False",
        ("tests/core/test_rules_hold_of_nodes.py::test_a_lease_is_over_at_its_end",)),
]
