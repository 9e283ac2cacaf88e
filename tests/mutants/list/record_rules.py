"""What the record refuses, orders and keeps: cluster/core."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/core/codec.py",
        "    if raw[:1] != VERSION:\n"
        '        raise Garbled(f"encoding',
        "    if False:\n"
        '        raise Garbled(f"encoding',
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_an_entry_of_another_encoding_is_not_guessed_at",)),
    Mutant(
        "cluster/core/floor.py",
        "if not far and not below:",
        "if not below:",
        ("tests/core/test_members_rules.py::"
         "test_only_adjacent_versions_take_part_and_none_goes_below_the_floor",)),
    Mutant(
        "cluster/core/floor.py",
        "if not far and not below:",
        "if not far:",
        ("tests/core/test_members_rules.py::"
         "test_only_adjacent_versions_take_part_and_none_goes_below_the_floor",)),
    Mutant(
        "cluster/core/floor.py",
        "if needed is None or floor_allows(state, needed):",
        "if True:",
        ("tests/core/test_members_rules.py::test_the_floor_is_the_lowest_version",)),
    Mutant(
        "cluster/core/machine.py",
        "return self.state if self.state.applied >= self._furthest.applied else self._furthest",
        "return self.state",
        ("tests/core/test_apply.py::"
         "test_what_is_shown_never_goes_back_while_a_log_is_applied_again",)),
    Mutant(
        "cluster/core/machine.py",
        "except Garbled as error:",
        "except ZeroDivisionError as error:",
        ("tests/core/test_apply.py::test_garbage_in_the_log_is_refused_and_does_not_stop_it",)),
    Mutant(
        "cluster/core/maintenance.py",
        'move.purpose == "drain"):',
        "True):",
        ("tests/core/test_maintenance.py::"
         "test_a_cancelled_drain_calls_back_what_it_moves_and_nothing_else",)),
    Mutant(
        "cluster/core/maintenance.py",
        "if record.owner != entry.node or record.epoch != entry.epoch:",
        "if record.owner != entry.node:",
        ("tests/core/test_maintenance.py::"
         "test_a_package_is_restarted_elsewhere_only_where_that_is_allowed",)),
    Mutant(
        "cluster/core/maintenance.py",
        "if record.move is not None and record.moving and record.move.target == entry.node:",
        "if False:",
        ("tests/core/test_maintenance.py::test_nothing_arrives_at_a_node_that_is_being_emptied",)),
    Mutant(
        "cluster/core/maintenance.py",
        'if node is None or node.state != "draining" or not node.allow_restart:',
        'if node is None or node.state != "draining":',
        ("tests/core/test_maintenance.py::"
         "test_a_package_is_restarted_elsewhere_only_where_that_is_allowed",)),
    Mutant(
        "cluster/core/maintenance.py",
        "    if held:\n"
        "        return refusals.node_not_empty",
        "    if False:\n"
        "        return refusals.node_not_empty",
        ("tests/core/test_rules_hold_of_nodes.py::test_a_node_is_called_empty_when_it_is",)),
    Mutant(
        "cluster/core/membership.py",
        'return node.state == "halted" or node.state == "halting" and floor_allows(state, V0_2)',
        'return node.state == "halted"',
        ("tests/core/test_let_go.py"
         "::test_a_daemon_that_starts_again_while_its_node_is_halting_attaches_nothing",),
    ),
    Mutant(
        "cluster/core/membership.py",
        "if not gives(state, entry.node, guest.package, guest.epoch):",
        "if False:",
        ("tests/core/test_apply.py::test_a_node_with_a_foreign_guest_may_not_join",)),
    Mutant(
        "cluster/core/membership.py",
        "if node.state not in UP or node.incarnation != incarnation:",
        "if node.state not in UP:",
        ("tests/core/test_truth.py::test_what_another_life_of_the_daemon_saw_counts_no_more",)),
    Mutant(
        "cluster/core/membership.py",
        'if record.owner is not None and record.state not in ("running", "detached"):',
        "if False:",
        ("tests/core/test_quarantine.py::"
         "test_a_detach_leaves_nothing_alone_that_is_not_simply_running",)),
    Mutant(
        "cluster/core/membership.py",
        "if any(record.moving for record in held):",
        "if False:",
        ("tests/core/test_quarantine.py::"
         "test_a_detach_leaves_nothing_alone_that_is_not_simply_running",)),
    Mutant(
        "cluster/core/membership.py",
        "if record.owner == node and record.epoch == epoch:",
        "if record.owner == node:",
        ("tests/core/test_endings.py::"
         "test_a_guest_given_back_is_the_sources_also_when_its_daemon_was_restarted",)),
    Mutant(
        "cluster/core/membership.py",
        "if not may_be_lost(state, node, kind) or node.incarnation != entry.incarnation:",
        "if not may_be_lost(state, node, kind):",
        ("tests/core/test_proof.py::test_a_node_that_comes_back_first_goes_on_with_it",)),
    Mutant(
        "cluster/core/membership.py",
        'after: NodeState = "halted" if node.state in ("halted", "halting") else "failed"',
        'after: NodeState = "failed"',
        ("tests/core/test_endings.py::"
         "test_a_halted_node_that_dies_does_not_keep_what_it_was_ending",)),
    Mutant(
        "cluster/core/membership.py",
        'stuck=(), incarnation="" if after == "halted" else node.incarnation,',
        "stuck=(),",
        ("tests/core/test_endings.py::"
         "test_a_halted_node_that_dies_does_not_keep_what_it_was_ending",)),
    Mutant(
        "cluster/core/membership.py",
        "if held and not (entry.force or entry.detach):",
        "if False:",
        ("tests/core/test_maintenance.py::"
         "test_each_order_that_comes_at_the_wrong_time_names_what_ends_that_time",)),
    Mutant(
        "cluster/core/membership.py",
        '    if node.state != "halted":\n'
        "        return refusals.node_not_halted",
        "    if False:\n"
        "        return refusals.node_not_halted",
        ("tests/core/test_maintenance.py::"
         "test_each_order_that_comes_at_the_wrong_time_names_what_ends_that_time",)),
    Mutant(
        "cluster/core/membership.py",
        "if entry.term <= state.coordinator_term and not says:",
        "if entry.term < state.coordinator_term:",
        ("tests/core/test_rules_hold.py::test_a_coordinator_begins_once",)),
    Mutant(
        "cluster/core/membership.py",
        'return node == move.source and epoch == move.epoch and move.stage == "committed"',
        "return False",
        ("tests/core/test_rules_hold.py::"
         "test_the_source_of_a_committed_move_may_come_back_with_its_copy",)),
    Mutant(
        "cluster/core/membership.py",
        "    if node.incarnation != entry.incarnation:",
        "    if False:",
        ("tests/core/test_rules_hold.py::"
         "test_what_was_said_of_a_nodes_earlier_life_says_nothing_of_this_one",)),
    Mutant(
        "cluster/core/membership.py",
        "        return epoch == move.epoch + 1",
        "        return True",
        ("tests/core/test_rules_hold.py::test_a_target_comes_back_with_this_moves_copy_alone",)),
    Mutant(
        "cluster/core/quarantine.py",
        "if len(lately) < FAILURES:",
        "if True:",
        ("tests/core/test_quarantine.py::test_the_third_failure_within_an_hour_quarantines_it",)),
    Mutant(
        "cluster/core/quarantine.py",
        "if abs(at_ms - each) < WINDOW_MS",
        "if True",
        ("tests/core/test_quarantine.py::test_failures_of_long_ago_do_not_count",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.owner != entry.node or record.epoch != entry.epoch:",
        "if record.epoch != entry.epoch:",
        ("tests/core/test_apply.py::test_a_late_answer_of_an_older_epoch_changes_nothing",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.owner is not None and unproven(state, record.owner):",
        "if False:",
        ("tests/core/test_proof.py::test_a_package_that_no_lease_frees_waits_where_it_is",)),
    Mutant(
        "cluster/core/runs.py",
        'if record.owner is not None or record.state not in LIFECYCLE["package-assigned"]:',
        "if False:",
        ("tests/core/test_apply.py::test_a_package_with_an_owner_is_never_given_to_another",)),
    Mutant(
        "cluster/core/runs.py",
        "seen = truth.against_start(state, record)",
        "seen = None",
        ("tests/core/test_truth.py::"
         "test_nothing_is_started_beside_a_guest_that_was_started_by_hand",)),
    Mutant(
        "cluster/core/runs.py",
        "if not record.attaching:",
        "if False:",
        ("tests/core/test_detached.py::"
         "test_it_counts_as_running_only_once_its_owner_has_it_guarded",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.owner is not None and (old.kind, old.initiator) != (new.kind, "
        "new.initiator):",
        "if False:",
        ("tests/core/test_fence_orders.py::test_the_fence_of_a_guest_that_runs_is_not_exchanged",)),
    Mutant(
        "cluster/core/runs.py",
        'if record.state not in LIFECYCLE["package-halted"]:',
        "if False:",
        ("tests/core/test_detached.py::test_who_orders_it_about_is_told_what_takes_it_up_again",)),
    Mutant(
        "cluster/core/runs.py",
        'if entry.switching and move is not None and move.stage in ("copy", "frozen"):',
        "if False:",
        ("tests/core/test_apply.py::"
         "test_a_guest_lost_in_the_switch_leaves_the_word_to_the_target",)),
    Mutant(
        "cluster/core/runs.py",
        'if node.state not in ("running", "quarantined"):',
        "if False:",
        ("tests/core/test_rules_hold.py::test_nothing_is_started_where_it_may_not_be",)),
    Mutant(
        "cluster/core/runs.py",
        "if entry.node in blocked_nodes(record):",
        "if False:",
        ("tests/core/test_rules_hold.py::test_nothing_is_started_where_switching_is_off",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.owner is not None and record.spec.vm != spec.vm:",
        "if False:",
        ("tests/core/test_rules_hold.py::test_a_running_packages_file_is_not_changed_below_it",)),
    Mutant(
        "cluster/core/runs.py",
        'if record.state not in LIFECYCLE["package-deleted"] or record.moving:',
        "if False:",
        ("tests/core/test_rules_hold.py::test_a_package_with_an_owner_is_not_deleted",)),
    Mutant(
        "cluster/core/runs.py",
        'return changed(record, state="starting", epoch=record.epoch + 1, boot_id=entry.id)',
        'return changed(record, state="starting", epoch=record.epoch + 1)',
        ("tests/core/test_rules_hold.py::"
         "test_the_same_node_answers_late_for_its_guest_before_the_restart",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.state not in LIFECYCLE[kind]:",
        "if False:",
        ("tests/core/test_rules_hold.py::"
         "test_an_answer_that_the_packages_state_does_not_wait_for_changes_nothing",)),
    Mutant(
        "cluster/core/runs.py",
        "    if not state.running:\n"
        "        return refusals.cluster_halted(state.name)\n",
        "    if False:\n"
        "        return refusals.cluster_halted(state.name)\n",
        ("tests/core/test_rules_hold.py::test_nothing_is_started_in_a_cluster_that_is_halted",)),
    Mutant(
        "cluster/core/runs.py",
        "if not entry.operator and not record.auto_run:",
        "if False:",
        ("tests/core/test_rules_hold.py::test_nothing_is_started_where_switching_is_off",)),
    Mutant(
        "cluster/core/runs.py",
        "if record.owner is not None and record.owner not in spec.nodes:",
        "if False:",
        ("tests/core/test_rules_hold.py::test_a_running_packages_file_is_not_changed_below_it",)),
    Mutant(
        "cluster/core/runs.py",
        'return changed(record, state="starting", epoch=record.epoch + 1, boot_id=entry.id)',
        'return changed(record, state="starting", epoch=record.epoch, boot_id=entry.id)',
        ("tests/core/test_rules_hold.py::"
         "test_the_same_node_answers_late_for_its_guest_before_the_restart",)),
    Mutant(
        "cluster/core/runs.py",
        'may_stay=node is not None and node.state == "running" and state.running,',
        "may_stay=True,",
        ("tests/core/test_rules_hold.py::test_a_restart_is_for_a_node_that_takes_packages",)),
    Mutant(
        "cluster/core/truth.py",
        "return refusals.seen_elsewhere(record, *found[0]) if found else None",
        "return None",
        ("tests/core/test_truth.py::"
         "test_nothing_is_started_beside_a_guest_that_was_started_by_hand",)),
    Mutant(
        "cluster/core/truth.py",
        'return [(node, each) for node, each in seen if each.kind != "nowhere"]',
        "return []",
        ("tests/core/test_truth.py::test_a_guest_seen_twice_is_not_up",)),
]
