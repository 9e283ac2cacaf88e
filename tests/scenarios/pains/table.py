"""The pains, item by item: what operators of such systems suffer, what holds here, which test
shows it. docs/pains.md is drawn from it.

The numbers are those of the list this product is held against, 1 to 27. What must never happen
here: an item without a test that would fail if it came true, or a claim wider than its tests.
"""

from typing import NamedTuple

MOVES = "tests/scenarios/pains/test_pains_of_moves.py::"
FAILURES = "tests/scenarios/pains/test_pains_of_failures.py::"
MAINTENANCE = "tests/scenarios/pains/test_pains_of_maintenance.py::"
ROOM = "tests/scenarios/pains/test_pains_of_room.py::"


class Pain(NamedTuple):
    title: str
    """What happens elsewhere."""
    here: str
    """What holds here instead."""
    shown_by: tuple[str, ...]
    """file::test"""
    still_open: str = ""
    """What is not held yet."""


PAINS: dict[int, Pain] = {
    1: Pain(
        "After a move two copies run, and the disk is ruined.",
        "One copy runs, whatever breaks, is called off or drained in the middle of a move: the "
        "record says which, and the other one is ended before that one goes on.",
        (MOVES + "test_p01_a_switch_that_is_broken_off_called_off_and_drained_leaves_one_copy",
         "tests/core/test_apply.py::"
         "test_after_the_commit_nothing_gives_the_guest_back_to_the_source",
         "tests/live/test_move_faults_live.py::test_one_copy_is_left_and_the_record_is_true"),
    ),
    2: Pain(
        "It was moved to a node that lacks its configuration: nobody watches it there, and it is "
        "started a second time.",
        "A package's description lies in the record, not in files of a node; what a node lacks is "
        "said before a move, and what it is moved to is guarded and watched.",
        (MOVES + "test_p02_a_node_that_missed_a_change_watches_what_is_moved_there_by_the_change",
         MOVES + "test_p02_a_node_that_lacks_the_disk_gets_nothing_neither_guest_nor_word",
         "tests/scenarios/test_agents.py::test_a_target_that_nobody_guards_is_not_moved_to"),
    ),
    3: Pain(
        "A move fails, the stop that is to clear up fails too, and a healthy node is fenced.",
        "A node that is heard is never fenced for a guest that does not end: status says what is "
        "waited for, and an operator may have the node switched off.",
        (MOVES + "test_p03_a_move_and_a_stop_that_both_fail_fence_nobody_and_say_why",
         "tests/core/test_fence_orders.py::test_one_that_is_heard_is_left_alone"),
    ),
    4: Pain(
        "The move succeeded, its record was lost, and the good guest is killed.",
        "Whoever holds the whole memory is believed, also when the other side is lost before it "
        "could say so: the guest goes on in its life.",
        (MOVES + "test_p04_a_move_that_succeeded_is_believed_though_its_source_could_not_say_so",
         "tests/core/test_apply.py::"
         "test_a_source_node_lost_in_the_switch_leaves_the_word_to_the_target",
         "tests/live/test_killed_daemon.py::test_a_move_goes_on_after_its_daemons_were_killed"),
    ),
    5: Pain(
        "The daemon is restarted, and its guests are taken for dead and restarted.",
        "Guests are no children of the daemon: one that comes back within the lease finds them "
        "untouched.",
        (FAILURES + "test_p05_a_daemons_restart_is_not_a_guests_death",
         "tests/live/test_failover_live.py::"
         "test_a_daemon_that_comes_back_within_the_lease_finds_its_guest_untouched",
         "tests/live/test_power_fence_live.py::"
         "test_a_daemon_that_is_stopped_on_purpose_costs_no_power"),
    ),
    6: Pain(
        "A copy never converges, is aborted and tried again, for ever.",
        "It is helped (a longer freeze within the budget, a slower guest), then given up with its "
        "numbers and left alone.",
        (MOVES + "test_p06_a_copy_that_cannot_converge_is_helped_then_given_up_and_not_tried_again",
         MOVES + "test_p06_one_that_converges_when_it_is_slowed_down_is_moved",
         "tests/live/test_moves_live.py::test_a_copy_that_cannot_converge_ends_kindly"),
    ),
    7: Pain(
        "Moves need an expert's tuning, and one that takes too long is turned into stop and start.",
        "The one wish there is to state is a budget for the freeze; a move whose time is over "
        "leaves the guest running where it is.",
        (MOVES + "test_p07_a_move_that_takes_too_long_leaves_the_guest_running_where_it_is",
         "tests/live/test_moves_live.py::"
         "test_rounds_of_moves_keep_life_connection_and_record"),
    ),
    8: Pain(
        "An evacuation goes round for ever and cannot be called off.",
        "Each target is tried once; then the package stays, with the reason, until something "
        "changes, and the drain can be called off.",
        (MAINTENANCE
         + "test_p08_a_drain_that_cannot_end_tries_each_node_once_and_can_be_called_off",
         MAINTENANCE
         + "test_p08_a_move_that_fails_is_not_tried_again_while_it_waits_for_its_next_node",
         "tests/simulation/test_drain.py::test_a_cancelled_drain_leaves_the_rest_where_it_is"),
    ),
    9: Pain(
        "A refusal gives the wrong reason: no memory, with 100 GiB free.",
        "A refusal names what is in the way, with the numbers it rests on, and nothing else.",
        (ROOM + "test_p09_a_refusal_names_what_is_in_the_way_and_nothing_else",
         ROOM + "test_p09_memory_is_refused_by_its_numbers_and_only_below_them",
         "tests/core/test_preflight.py::test_each_rule_refuses_alone_and_lets_its_near_miss_pass"),
    ),
    10: Pain(
        "A failed move shows no reason, or a late symptom.",
        "What cannot be is refused at once; what fails on the way shows what failed first, and "
        "what would mend it.",
        (MOVES + "test_p10_a_move_that_cannot_be_says_why_at_once",
         MOVES + "test_p10_a_move_that_failed_shows_what_failed_first",
         "tests/live/test_moves_live.py::test_moves_that_make_no_sense_are_refused"),
    ),
    11: Pain(
        "Too many moves at once make long pauses; one node fills the queue.",
        "Moves are limited for each node and each link, and those of other nodes pass.",
        (MAINTENANCE
         + "test_p11_a_node_that_is_emptied_leaves_room_for_the_moves_of_others",
         "tests/simulation/test_drain.py::test_moves_past_the_limit_wait_for_their_turn"),
    ),
    12: Pain(
        "Maintenance stops guests that could not be moved, or chooses a host in maintenance.",
        "What cannot be moved runs on, with its reason; it is restarted elsewhere only where an "
        "operator allowed it.",
        (MAINTENANCE
         + "test_p12_no_guest_is_stopped_for_maintenance_and_none_goes_where_it_is_under_way",
         "tests/simulation/test_drain.py::"
         "test_what_cannot_move_is_restarted_elsewhere_where_that_is_allowed",
         "tests/live/test_drain_live.py::test_four_guests_leave_and_come_home_alive"),
    ),
    13: Pain(
        "Guests arrive on a node that is being emptied; the first failure ends the rest; it is "
        "said to be in maintenance with guests on it.",
        "Nothing arrives there by any way, one failure is one package's, and a node is in "
        "maintenance when nothing runs there.",
        (MAINTENANCE
         + "test_p13_nothing_arrives_on_a_node_that_is_emptied_and_one_failure_ends_nothing",
         "tests/simulation/test_drain.py::"
         "test_a_drain_of_twenty_goes_on_through_the_deaths_of_its_coordinators"),
    ),
    14: Pain(
        "Watchdogs reboot healthy nodes after trouble of the network.",
        "Guests stand still while nobody may say who runs them, and go on when somebody may: no "
        "node is reset for its network.",
        (FAILURES + "test_p14_a_switch_that_fails_for_all_costs_a_pause_and_no_reboot",
         FAILURES + "test_p14_a_node_cut_off_for_less_than_its_lease_is_not_noticed",
         "tests/live/test_failover_live.py::"
         "test_a_node_without_a_majority_stands_frozen_and_goes_on_when_it_returns",
         "tests/live/test_watchdog_live.py::test_a_node_cut_off_stands_frozen_and_is_not_reset"),
    ),
    15: Pain(
        "The storage is away for a moment: hosts are called dead, duplicates start, disks are "
        "ruined when it returns.",
        "A node's death is never concluded from its storage; a guest that its disks refuse is seen "
        "dead where it ran before it is started elsewhere.",
        (FAILURES + "test_p15_a_blip_of_the_storage_kills_no_host_and_doubles_no_guest",
         FAILURES + "test_p15_while_no_node_reaches_the_storage_nothing_is_fenced_and_the_reason"
                    "_is_shown",
         "tests/live/test_lab_parts.py::"
         "test_without_storage_a_nodes_writes_wait_and_another_nodes_go_on"),
    ),
    16: Pain(
        "The reserve for a failure is missing, or nobody keeps to it.",
        "What would not find a node is foretold, for any failure (vmsg plan fail) and at each step "
        "of a drain; memory kept for takeovers is refused to all else; a takeover passes over "
        "nodes without the memory, and waits where there is none.",
        (ROOM + "test_p16_a_takeover_finds_the_node_that_has_the_memory",
         ROOM + "test_p16_without_room_anywhere_it_waits_says_so_and_starts_when_there_is",
         ROOM + "test_p16_what_is_kept_for_takeovers_is_kept_from_all_else_and_is_there_then",
         "tests/core/test_fail_plan.py::test_memory_is_given_once_and_the_next_node_tried",
         "tests/core/test_drain_plan.py::test_who_is_left_without_a_spare_is_said_for_each_wave"),
    ),
    17: Pain(
        "Nobody can say in which order guests come back, and all boot at once.",
        "In the order of dependencies and priority, as many at once on a node as the cluster file "
        "allows, also after a takeover.",
        (FAILURES + "test_p17_what_others_need_starts_first_and_no_node_starts_all_at_once",
         "tests/core/test_start_order.py::test_after_a_power_cut_everything_comes_back_in_order"),
        "What a package depends on counts when its guest runs, not when its services answer.",
    ),
    18: Pain(
        "After a move a guest cannot be reached for a minute, or for good.",
        "The target tells the network where the guest's addresses are as it lets it run: an open "
        "connection lives on.",
        ("tests/live/test_linux_live.py::test_a_move_keeps_life_connection_and_record",
         "tests/live/test_qemu_driver.py::test_a_connection_lives_through_a_move_over_tls"),
    ),
    19: Pain(
        "All is said to be done, and a guest is still recorded as running on a dead host.",
        "What a silent or dead node holds is shown as unknown, with what is waited for; it is up "
        "only where its processors run.",
        (FAILURES + "test_p19_what_is_on_a_dead_host_is_never_shown_as_up",
         "tests/core/test_truth.py::test_a_guest_seen_nowhere_is_not_up",
         "tests/core/test_proof.py::test_status_says_what_is_waited_for_and_until_when"),
    ),
    20: Pain(
        "A node is down, and nothing is taken over, or after ten minutes; guests are unprotected "
        "and nobody says so.",
        "A takeover begins within 5 s by the lease alone (profile `lan`; `fast` 2.5 s, `wan` 17 s, "
        "its lease being 14 s), with nothing to be switched on first, and a package that nobody "
        "would take over is shown as such.",
        (FAILURES
         + "test_p20_a_dead_node_is_taken_over_in_seconds_also_when_it_coordinated",
         FAILURES + "test_p20_a_package_that_nobody_would_take_over_says_so",
         FAILURES + "test_p20_a_package_with_a_single_node_is_warned_of_when_it_is_checked",
         "tests/live/test_failover_live.py::"
         "test_a_killed_node_is_taken_over_by_the_proof_of_its_lease",
         "tests/live/test_failover_live.py::"
         "test_the_killed_coordinator_is_taken_over_as_well"),
    ),
    21: Pain(
        "A guest stands after an error of its disk, or after a move, and is reported as running.",
        "Any other state than running is a failure, noticed within seconds and acted upon.",
        (FAILURES + "test_p21_a_guest_that_stands_is_no_running_guest",
         FAILURES + "test_p21_a_guest_that_a_move_left_standing_is_let_run",
         "tests/live/test_monitors.py::test_each_state_that_is_not_running_is_a_failure_of_its_own",
         "tests/live/test_qemu_driver.py::test_a_storage_error_stops_the_guest_and_is_told"),
    ),
    22: Pain(
        "The return after maintenance is all or nothing.",
        "All that left, those that are named, or none come home; one that cannot holds up nobody.",
        (MAINTENANCE + "test_p22_those_that_can_come_home_do_and_the_others_stay_where_they_run",
         MAINTENANCE + "test_p22_some_are_brought_home_and_the_rest_is_left_alone"),
    ),
    23: Pain(
        "Balancers move guests to and fro, unexplained.",
        "Nothing is moved that nobody asked for: what was taken over stays where it is, a node "
        "that fails again and again is left out for a time, a guest that does is stopped.",
        (MAINTENANCE
         + "test_p23_what_was_taken_over_stays_there_until_somebody_wants_it_back",
         MAINTENANCE
         + "test_p23_a_guest_that_fails_everywhere_goes_round_once_and_stops_with_its_reason",
         "tests/core/test_quarantine.py::test_the_third_failure_within_an_hour_quarantines_it"),
    ),
    24: Pain(
        "An interrupted move hangs for ever, or leaves what nobody can delete.",
        "Whatever dies at whatever stage, the move ends, nothing is left on either side, and the "
        "package can be halted and deleted.",
        (MOVES + "test_p24_an_interrupted_move_ends_and_leaves_nothing_behind",
         "tests/live/test_relay.py::test_a_restarted_daemon_ends_what_an_earlier_one_began"),
    ),
    25: Pain(
        "A guest with a whole LUN and SCSI reservations cannot move.",
        "The target is let in beside the source for the move, and is left alone at the disk "
        "after it.",
        ("tests/live/test_storage_fence_live.py::"
         "test_a_move_goes_through_and_leaves_its_target_alone_at_the_disk",
         "tests/contracts/test_fence_contract.py::"
         "test_a_move_between_two_that_are_let_in_goes_through",
         "tests/scenarios/test_fenced_agents.py::"
         "test_a_move_leaves_the_target_alone_with_the_disks"),
    ),
    26: Pain(
        "Processors that do not match are found at the end of a move.",
        "Preflight compares accelerator, family, features and machine type before anything is "
        "begun, and names what is missing.",
        ("tests/core/test_preflight.py::test_each_rule_refuses_alone_and_lets_its_near_miss_pass",
         "tests/live/test_cpu_models_live.py::test_no_feature_of_a_model_is_missed"),
    ),
    27: Pain(
        "A move shows no progress and no end, or a bar that runs backwards.",
        "Percent only grows, with what is left, the rate and a forecast beside it.",
        (MOVES + "test_p27_a_move_shows_how_far_it_is_and_the_bar_never_runs_back",
         "tests/commands/test_cli_terminal.py::test_a_terminal_sees_one_line_with_all_that_moves"),
    ),
}

SHOWS_SEVERAL: dict[str, str] = {
    "tests/core/test_preflight.py::test_each_rule_refuses_alone_and_lets_its_near_miss_pass":
        "Each rule of the preflight, among them memory and processors.",
}
"""A test that stands under more than one pain -> why."""
