"""What the coordinator proposes, and when: cluster/core/coordinator.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/core/coordinator.py",
        "if node is not None and may_be_lost(state, node, kind):",
        "if node is not None:",
        ("tests/core/test_endings.py::"
         "test_nothing_is_concluded_about_a_halted_node_that_holds_nothing_guarded",)),
    Mutant(
        "cluster/core/coordinator.py",
        "record.owner is None and record.auto_run and not record.moving",
        "record.owner is None and not record.moving",
        ("tests/core/test_apply.py::test_a_guest_that_powers_itself_off_is_halted_not_failed",)),
    Mutant(
        "cluster/core/coordinator.py",
        "return node in record.avoid and abs(now_ms - last_ms) < TRY_AGAIN_MS",
        "return False",
        ("tests/core/test_apply.py::"
         "test_a_start_that_failed_everywhere_is_tried_again_but_not_at_once",)),
    Mutant(
        "cluster/core/coordinator.py",
        'elif node.state == "halting" and held <= {"detached"}:',
        'elif node.state == "halting":',
        ("tests/core/test_endings.py::"
         "test_a_halted_node_that_dies_does_not_keep_what_it_was_ending",)),
    Mutant(
        "cluster/core/coordinator.py",
        "if unmet(state, record.spec) or truth.beside(seen.get(name, [])):",
        "if unmet(state, record.spec):",
        ("tests/core/test_truth.py::"
         "test_nothing_is_started_beside_a_guest_that_was_started_by_hand",)),
    Mutant(
        "cluster/core/coordinator.py",
        "if starting[choice.node] >= known.limits.starts_per_node:",
        "if False:",
        ("tests/core/test_start_order.py::test_a_node_starts_no_more_at_once_than_it_may",)),
    Mutant(
        "cluster/core/coordinator.py",
        "record.owner is None and record.auto_run and not record.moving",
        "record.owner is None and record.auto_run",
        ("tests/core/test_apply.py::"
         "test_a_guest_lost_in_the_switch_leaves_the_word_to_the_target",)),
    Mutant(
        "cluster/core/coordinator.py",
        "if unmet(state, record.spec) or truth.beside(seen.get(name, [])):",
        "if truth.beside(seen.get(name, [])):",
        ("tests/core/test_start_order.py::test_a_package_waits_until_what_it_depends_on_runs",)),
    Mutant(
        "cluster/core/coordinator.py",
        "                    term=known.term,\n"
        "                ))\n"
        "    return found",
        "                ))\n"
        "    return found",
        ("tests/core/test_rules_hold_of_nodes.py::test_a_death_names_the_term_of_who_saw_it",)),
    Mutant(
        "cluster/core/coordinator.py",
        'if node.state == "draining" and not held and node.leave is None:',
        'if node.state == "draining" and node.leave is None:',
        ("tests/core/test_rules_hold_of_nodes.py::test_a_node_is_called_empty_when_it_is",)),
]
