"""What may follow what in a move, and what each node then has to do: cluster/core."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/core/duties.py",
        "if node == move.target and not committed:",
        "if node == move.target:",
        ("tests/core/test_apply.py::test_a_move_keeps_the_life_and_raises_the_epoch_by_one",)),
    Mutant(
        "cluster/core/duties.py",
        "if fencing is not None and fencing.node == node and fencing.problem is None:",
        "if fencing is not None and fencing.problem is None:",
        ("tests/core/test_fence_orders.py::"
         "test_the_next_node_shuts_the_silent_owner_out_and_the_package_is_free",)),
    Mutant(
        "cluster/core/duties.py",
        "if node == move.source and committed:",
        "if False:",
        ("tests/core/test_apply.py::test_a_move_keeps_the_life_and_raises_the_epoch_by_one",)),
    Mutant(
        "cluster/core/duties.py",
        'side = Claim if move.stage == "orphaned" else Receive',
        "side = Receive",
        ("tests/core/test_apply.py::"
         "test_a_guest_lost_in_the_switch_leaves_the_word_to_the_target",)),
    Mutant(
        "cluster/core/duties.py",
        "    if committed:\n"
        "        return Thaw",
        "    if False:\n"
        "        return Thaw",
        ("tests/core/test_apply.py::test_a_move_keeps_the_life_and_raises_the_epoch_by_one",)),
    Mutant(
        "cluster/core/duties.py",
        'if record.state != "running":\n'
        "        return _owned(record)",
        "if False:\n"
        "        return _owned(record)",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_a_package_halted_after_the_commit_is_halted_at_the_target",)),
    Mutant(
        "cluster/core/moves.py",
        '    if record.state != "running":\n'
        '        return refusals.not_in_state(record, "be moved")',
        "    if False:\n"
        '        return refusals.not_in_state(record, "be moved")',
        ("tests/core/test_detached.py::test_who_orders_it_about_is_told_what_takes_it_up_again",)),
    Mutant(
        "cluster/core/moves.py",
        'if node.state == "quarantined":',
        "if False:",
        ("tests/core/test_quarantine.py::"
         "test_nothing_is_moved_to_it_and_nothing_started_that_can_run_elsewhere",)),
    Mutant(
        "cluster/core/moves.py",
        'if move is not None and move.stage == "frozen":',
        "if False:",
        ("tests/core/test_apply.py::"
         "test_a_source_node_lost_in_the_switch_leaves_the_word_to_the_target",)),
    Mutant(
        "cluster/core/moves.py",
        "if record.owner is None and not record.auto_run:",
        "if False:",
        ("tests/core/test_apply.py::"
         "test_a_package_lost_in_the_switch_with_switching_off_waits_for_an_operator",)),
    Mutant(
        "cluster/core/moves.py",
        "owner=move.source, epoch=record.epoch + 1, not_runnable_on=move.target,",
        "owner=move.source, epoch=move.epoch, not_runnable_on=move.target,",
        ("tests/core/test_apply.py::"
         "test_a_target_that_never_ran_gives_the_guest_back_under_a_new_epoch",)),
    Mutant(
        "cluster/core/moves.py",
        'aborting = changed(move, stage="aborting", abort_because=because)',
        "aborting = changed(move, abort_because=because)",
        ("tests/core/test_endings.py::test_a_target_that_was_lost_is_never_committed_to",)),
    Mutant(
        "cluster/core/moves.py",
        'wanted = stopping and record.auto_run and state.running',
        'wanted = stopping and record.auto_run',
        ("tests/core/test_endings.py::"
         "test_a_cluster_halted_between_commit_and_thaw_ends_the_move",)),
    Mutant(
        "cluster/core/moves.py",
        "    if reason:\n"
        "        return refusals.move_limit_reached",
        "    if False:\n"
        "        return refusals.move_limit_reached",
        ("tests/core/test_maintenance.py::"
         "test_a_move_beyond_the_limits_is_refused_by_the_record_and_waits_in_it",)),
    Mutant(
        "cluster/core/moves.py",
        'owner=move.target, epoch=move.epoch + 1, state="running",',
        'owner=move.target, epoch=move.epoch, state="running",',
        ("tests/core/test_apply.py::test_a_move_keeps_the_life_and_raises_the_epoch_by_one",)),
    Mutant(
        "cluster/core/moves.py",
        "if not suffices(entry.proof.kind, record):",
        "if False:",
        ("tests/core/test_detached.py::"
         "test_the_end_of_a_lease_takes_nothing_from_a_node_that_guards_nothing",)),
    Mutant(
        "cluster/core/moves.py",
        'if stage == "done" and record.owner is not None and '
        "state.nodes[record.owner].state not in UP:",
        "if False:",
        ("tests/core/test_endings.py::test_a_guest_is_not_given_back_to_a_source_that_was_lost",)),
    Mutant(
        "cluster/core/moves.py",
        'wanted = stopping and record.auto_run and state.running',
        'wanted = stopping and state.running',
        ("tests/core/test_maintenance.py::"
         "test_what_a_drain_took_away_is_brought_home_one_way_or_the_other",)),
    Mutant(
        "cluster/core/moves.py",
        "if record.owner == target:",
        "if False:",
        ("tests/core/test_rules_hold.py::test_where_a_package_is_not_moved_to",)),
    Mutant(
        "cluster/core/moves.py",
        '    if node.state != "running":\n'
        "        return refusals.node_not_up(target",
        "    if False:\n"
        "        return refusals.node_not_up(target",
        ("tests/core/test_rules_hold.py::test_where_a_package_is_not_moved_to",)),
    Mutant(
        "cluster/core/moves.py",
        "if move is None or move.id != entry.move:",
        "if move is None:",
        ("tests/core/test_rules_hold.py::test_an_entry_of_another_move_changes_nothing",)),
    Mutant(
        "cluster/core/moves.py",
        "if target not in record.spec.nodes:",
        "if False:",
        ("tests/core/test_rules_hold.py::test_where_a_package_is_not_moved_to",)),
    Mutant(
        "cluster/core/moves.py",
        ", not_runnable_on=move.source,",
        ",",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_a_source_has_given_its_copy_up_with_the_commit",)),
    Mutant(
        "cluster/core/moves.py",
        '    ("committed", "move-thawed"): "done",\n',
        '    ("committed", "move-thawed"): "done",\n'
        '    ("committed", "move-aborted"): "done",\n',
        ("tests/core/test_rules_hold.py::test_after_the_commit_a_move_is_not_called_off",)),
    Mutant(
        "cluster/core/moves.py",
        '    ("orphaned", "move-aborted"): "done",\n',
        '    ("orphaned", "move-aborted"): "done",\n'
        '    ("aborting", "move-committed"): "committed",\n',
        ("tests/core/test_rules_hold.py::test_after_an_abort_was_agreed_nothing_is_committed",)),
]
