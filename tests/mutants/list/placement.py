"""Where a package may run, and what follows a failure: packages/core."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "packages/core/failover.py",
        "    if not left:\n",
        "    if False:\n",
        ("tests/core/test_apply.py::"
         "test_a_failed_guest_restarts_on_the_spot_then_goes_on_then_stops",)),
    Mutant(
        "packages/core/failover.py",
        "if started and len(lately) <= spec.service_restart:",
        "if started:",
        ("tests/core/test_apply.py::"
         "test_a_failed_guest_restarts_on_the_spot_then_goes_on_then_stops",)),
    Mutant(
        "packages/core/failover.py",
        "if not auto_run:",
        "if False:",
        ("tests/core/test_rules_hold_of_nodes.py::test_what_follows_a_failure",)),
    Mutant(
        "packages/core/failover.py",
        "if not may_stay:",
        "if False:",
        ("tests/core/test_rules_hold_of_nodes.py::test_what_follows_a_failure",)),
    Mutant(
        "packages/core/failover.py",
        "if started and len(lately) <= spec.service_restart:",
        "if len(lately) <= spec.service_restart:",
        ("tests/core/test_rules_hold_of_nodes.py::test_what_follows_a_failure",)),
    Mutant(
        "packages/core/limits.py",
        "if moving >= limits.moves_per_node:",
        "if False:",
        ("tests/core/test_maintenance.py::test_a_drain_goes_by_its_plan_within_the_limits",)),
    Mutant(
        "packages/core/limits.py",
        "if linked >= limits.moves_per_link:",
        "if False:",
        ("tests/core/test_maintenance.py::"
         "test_a_node_that_would_not_have_it_is_not_asked_again_while_the_next_has_no_room",)),
    Mutant(
        "packages/core/placement.py",
        "    if name in avoid:",
        "    if False:",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_a_node_that_may_not_have_it_is_passed_over",)),
    Mutant(
        "packages/core/placement.py",
        "if not node.heard:",
        "if False:",
        ("tests/core/test_rules_hold_of_nodes.py::test_a_node_that_is_not_well_is_passed_over",)),
    Mutant(
        "packages/core/placement.py",
        'if node.state != "running" and not (last_resort and node.state == "quarantined"):',
        "if False:",
        ("tests/core/test_maintenance.py::"
         "test_what_cannot_move_runs_on_and_is_tried_again_where_it_was_not_tried",)),
    Mutant(
        "packages/core/placement.py",
        "    if name in blocked:",
        "    if False:",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_a_node_that_may_not_have_it_is_passed_over",)),
    Mutant(
        "packages/core/placement.py",
        "if name in exclude:",
        "if False:",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_a_node_that_may_not_have_it_is_passed_over",)),
    Mutant(
        "packages/core/placement.py",
        "if reason is None and name in lacking:",
        "if False:",
        ("tests/core/test_shortages.py::"
         "test_it_is_started_on_its_next_node_at_once_and_nothing_is_counted",)),
    Mutant(
        "cluster/core/runs.py",
        'if entry.short and record.state == "starting":',
        "if entry.short:",
        ("tests/core/test_shortages.py::"
         "test_a_guest_that_ran_has_failed_whatever_its_agent_says",)),
    Mutant(
        "cluster/core/coordinator.py",
        "< TRY_AGAIN_MS or shortages.too_soon(\n        record, node, now_ms)",
        "< TRY_AGAIN_MS",
        ("tests/core/test_shortages.py::"
         "test_where_every_node_lacks_something_it_waits_and_is_not_called_failed",)),
    Mutant(
        "packages/core/means.py",
        '"guardian-unreachable", "disk-not-visible", "vswitch-missing",',
        '"guardian-unreachable",',
        ("tests/scenarios/test_late_luns.py::"
         "test_a_package_waits_for_its_lun_however_late_and_nothing_is_counted",)),
    Mutant(
        "cluster/core/coordinator.py",
        "    if choice.node is None and lacking:",
        "    if False:",
        ("tests/scenarios/test_late_luns.py::"
         "test_a_package_waits_for_its_lun_however_late_and_nothing_is_counted",)),
]
