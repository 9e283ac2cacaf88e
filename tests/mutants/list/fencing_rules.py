"""When a silent owner is shut out, and what that frees: cluster/core/fencing.py and model.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/core/fencing.py",
        "if entry.term != state.coordinator_term:",
        "if False:",
        ("tests/core/test_fence_orders.py::test_an_order_that_rests_on_the_past_is_refused",)),
    Mutant(
        "cluster/core/fencing.py",
        "if fencing is None or fencing.id != entry.order or fencing.problem is not None:",
        "if fencing is None or fencing.problem is not None:",
        ("tests/core/test_fence_orders.py::"
         "test_a_fencer_that_falls_silent_is_replaced_and_its_late_answer_ignored",)),
    Mutant(
        "cluster/core/fencing.py",
        'return fenced_by(record.spec) and record.state == "running" and record.owner '
        "is not None",
        "return fenced_by(record.spec) and record.owner is not None",
        ("tests/core/test_fence_orders.py::test_an_owner_on_its_way_to_register_is_waited_for",)),
    Mutant(
        "cluster/core/fencing.py",
        "return fencing.node in heard and since_ms < ANSWER_MS",
        "return True",
        ("tests/core/test_fence_orders.py::"
         "test_a_fencer_that_falls_silent_is_replaced_and_its_late_answer_ignored",)),
    Mutant(
        "cluster/core/fencing.py",
        "if (record.owner, record.epoch) != (entry.victim, entry.epoch) or not "
        "may_be_fenced(record):",
        "if not may_be_fenced(record):",
        ("tests/core/test_fence_orders.py::test_an_order_that_rests_on_the_past_is_refused",)),
    Mutant(
        "cluster/core/fencing.py",
        "    if entry.problem is not None:\n"
        "        return with_package",
        "    if False:\n"
        "        return with_package",
        ("tests/core/test_fence_orders.py::"
         "test_a_fence_that_failed_frees_nothing_and_is_tried_again_later",)),
    Mutant(
        "cluster/core/fencing.py",
        "if entry.node == entry.victim or entry.node not in record.spec.nodes:",
        "if entry.node not in record.spec.nodes:",
        ("tests/core/test_rules_hold_of_nodes.py::test_whom_a_fence_is_not_ordered_of",)),
    Mutant(
        "cluster/core/fencing.py",
        "if fencing is None or fencing.id != entry.order or fencing.problem is not None:",
        "if fencing is None or fencing.id != entry.order:",
        ("tests/core/test_rules_hold_of_nodes.py::test_a_fence_that_failed_is_over",)),
    Mutant(
        "cluster/core/fencing.py",
        "if entry.node == entry.victim or entry.node not in record.spec.nodes:",
        "if entry.node == entry.victim:",
        ("tests/core/test_rules_hold_of_nodes.py::test_whom_a_fence_is_not_ordered_of",)),
    Mutant(
        "cluster/core/fencing.py",
        "if node is None or node.state not in UP:",
        "if node is None:",
        ("tests/core/test_rules_hold_of_nodes.py::test_whom_a_fence_is_not_ordered_of",)),
    Mutant(
        "cluster/core/model.py",
        'guarded = record.state != "detached" or record.guarded or kind not in ("lease",',
        'guarded = True or kind not in ("lease",',
        ("tests/core/test_endings.py::"
         "test_nothing_is_concluded_about_a_halted_node_that_holds_nothing_guarded",)),
    Mutant(
        "cluster/core/model.py",
        'return guarded and (kind != "lease" or record.spec.lease_is_proof)',
        "return guarded",
        ("tests/core/test_fence_orders.py::test_what_a_lease_does_not_free_a_fence_does",)),
    Mutant(
        "cluster/core/model.py",
        "if fencing is None or (fencing.victim, fencing.epoch) != (record.owner, "
        "record.epoch):",
        "if fencing is None:",
        ("tests/core/test_fence_orders.py::"
         "test_an_order_to_shut_out_an_earlier_owner_says_nothing_about_the_next",)),
    Mutant(
        "cluster/core/model.py",
        "if node is None or node.state in UP or node.proof is None:",
        "if True:",
        ("tests/core/test_proof.py::test_a_package_that_no_lease_frees_waits_where_it_is",)),
]
