"""Whom a coordinator has switched off, and when no more: cluster/fencing.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/fencing.py",
        "if name == self._node:",
        "if False:",
        ("tests/scenarios/test_power_fencing.py::"
         "test_an_operator_may_have_a_node_switched_off_that_is_heard",)),
    Mutant(
        "cluster/fencing.py",
        "return self._ledger.replica.is_leader() and is_wanted",
        "return is_wanted",
        ("tests/scenarios/test_power_fencing.py::test_nor_the_first_by_one_who_leads_no_longer",)),
    Mutant(
        "cluster/fencing.py",
        "is_wanted = by != BY or self._ledger.replica.term() == term and (",
        "is_wanted = by != BY or True and (",
        ("tests/scenarios/test_power_fencing.py::test_nor_by_one_who_was_elected_anew_meanwhile",)),
    Mutant(
        "cluster/fencing.py",
        "name not in self._landlord.heard() and self._is_waited_for(name))",
        "self._is_waited_for(name))",
        ("tests/scenarios/test_power_fencing.py::test_nor_once_it_is_heard_again",)),
    Mutant(
        "cluster/fencing.py",
        "name not in self._landlord.heard() and self._is_waited_for(name))",
        "name not in self._landlord.heard())",
        ("tests/scenarios/test_power_fencing.py::"
         "test_no_further_level_is_tried_once_nobody_waits_for_it_any_more",)),
    Mutant(
        "cluster/fencing.py",
        'each.owner == name and each.state != "detached" for each',
        "each.owner == name for each",
        ("tests/scenarios/test_power_fencing.py::test_a_detached_package_is_no_reason",)),
    Mutant(
        "cluster/fencing.py",
        "if name in self._under_way or now_s < self._again_s.get(name, 0.0):",
        "if name in self._under_way:",
        ("tests/scenarios/test_power_fencing.py::"
         "test_when_every_level_fails_nothing_starts_and_it_is_tried_again",)),
    Mutant(
        "cluster/fencing.py",
        "if done is None:\n"
        "            return",
        "if False:\n"
        "            return",
        ("tests/scenarios/test_power_fencing.py::"
         "test_when_every_level_fails_nothing_starts_and_it_is_tried_again",)),
]
