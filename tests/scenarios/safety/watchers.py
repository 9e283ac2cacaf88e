"""The lease and those who enforce it: what if the part that each trusts fails."""

from tests.scenarios.safety.cell import (
    BROKEN, CORE, DOG, FAILOVER, FULL_DISK, GUARDIAN, LIVE, LOSS, LOSS_LIVE, SIMULATED, TRUST,
    WORLD, Cell, Nothing, Part
)

LEASE = Part(
    name="Lease",
    trusts="A majority that confirms the coordinator's rounds; CLOCK_BOOTTIME on both sides, to a "
           "drift that the margin holds; the guardian's acknowledgement; numbers that are agreed.",
    proves="That a node's guests stand, one lease and a margin after the last answer to it.",
    cells={
        "dead": Cell(
            "The coordinator, or its majority: grants end with the last round that a majority "
            "confirmed; the next coordinator counts what was granted before it.",
            "status on any node: the new leader, or no-quorum before all else",
            "an election (lan: about 1.5 s), inside a lease",
            "the next coordinator; guests that froze meanwhile are thawed",
            (CORE + "test_lease.py::test_a_new_coordinator_waits_for_what_its_predecessors_granted",
             FAILOVER + "the_killed_coordinator_is_taken_over_as_well",
             FAILOVER + "a_node_without_a_majority_stands_frozen_and_goes_on_when_it_returns")),
        "stopped": Cell(
            "A coordinator that stood still holds no silence of that time against anybody.",
            "the others: another leader", "an election", "its going on: it follows",
            (SIMULATED + "a_coordinator_stopped_for_ten_seconds_costs_nobody_a_guest",
             CORE + "test_landlord.py"
                    "::test_a_leader_that_was_out_of_touch_suspects_nobody_for_that_time",
             LIVE + "a_coordinator_stopped_for_ten_seconds_costs_nobody_a_guest")),
        "slow": Cell(
            "An answer counts from the sending of its request; one that is older than a lease "
            "counts for nothing.",
            "the coordinator: the node is silent", "lan: 0.8 s suspected, 4.1 s dead",
            "an answer in time",
            (CORE + "test_lease.py::test_the_lease_runs_from_the_sending",
             CORE + "test_lease.py::test_a_request_is_forgotten_after_a_lease")),
        "empty": Cell(
            "A new life of a daemon takes no answer to an earlier one; a coordinator that starts "
            "anew waits for what any before it may have granted.",
            "nobody needs to", "at once", "its first lease",
            (CORE + "test_lease.py::test_two_lives_of_a_daemon_number_differently",
             "tests/raft/test_votes.py::test_and_forgets_that_it_did_by_no_restart",
             FAILOVER + "a_daemon_that_comes_back_within_the_lease_finds_its_guest_untouched")),
        "older": Cell(
            "No number is read from a node's own file: lease and margin are in the record and "
            "travel with each grant; after a change the longer counts.",
            "status: lease-changing", "at once", "each daemon's word that it has taken the new",
            (CORE + "test_lease_numbers.py::test_not_by_its_own_files_numbers",
             "tests/simulation/test_profile_change.py"
             "::test_a_coordinator_with_the_number_of_its_own_file_is_caught")),
        "exhausted": Cell(
            "A daemon without descriptors goes on renewing, and closes its door to local callers "
            "before there is none left; one without memory ends, or stands for good, and is then "
            "one that is dead.",
            "all nodes: descriptors-short; silent, then failed", "3 s; lan: 0.8 s, 4.1 s",
            "its unit starts it again, after 30 s if it stands (WatchdogSec)",
            (LIVE + "a_daemon_without_a_descriptor_left_renews_its_lease",
             CORE + "test_local_door.py"
                    "::test_without_descriptors_a_local_caller_is_kept_out_and_ends_nobody",
             LIVE + "a_daemon_without_memory_left_is_lost_and_no_second_copy_runs",
             CORE + "test_supervision.py"
                    "::test_a_loop_that_goes_round_says_so_and_one_that_stands_does_not")),
        "full": Cell(
            "A node that cannot write its journal acknowledges nothing and renews nothing, or "
            "leaves; its guests stand at the end of their lease.",
            "status on the healthy nodes: room-short before, who is out after", "a lease",
            "room: the daemon waits for it",
            (SIMULATED + "a_full_disk_of_the_owner_for_ten_seconds_gives_no_second_copy",
             CORE + "test_lease_ways.py::test_a_node_that_has_stepped_out_asks_nobody",
             FULL_DISK + "guests_of_a_node_with_a_full_disk_run_once",
             FULL_DISK + "full_disks_are_told_by_the_healthy_node_before_and_after")),
        "clock": Cell(
            "Wall clocks decide nothing. Rates may differ by what the margin holds. A suspended "
            "host wakes without a lease.",
            "nobody needs to", "at once", "nothing has to end",
            (SIMULATED + "wall_clocks_an_hour_off_decide_nothing",
             SIMULATED + "a_host_that_was_suspended_has_no_lease_when_it_wakes",
             CORE + "test_lease.py::test_a_lease_always_ends_before_its_node_is_counted_dead",
             CORE + "test_lease.py"
                    "::test_the_model_catches_a_margin_too_small_for_the_clocks")),
    },
)

WATCHER = Part(
    name="Guardian",
    trusts="Linux (a timer on CLOCK_BOOTTIME, pidfds, a tmpfs) and that it gets to run, for which "
           "it has real-time priority and the watchdog. The daemon asks it five times a second.",
    proves="That guests stand when their lease is over: without it no lease proves anything.",
    cells={
        "dead": Cell(
            "The node is granted nothing, takes no arrivals, and its daemon freezes the guests at "
            "the last acknowledged expiry. Both dead: the watchdog, or nothing.",
            "all nodes: guardian-unreachable, with what stands behind it", "1 s",
            "a new guardian, within the lease at no cost",
            (LOSS + "a_silent_guardian_is_in_the_record_within_a_second",
             LOSS + "cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon",
             LOSS_LIVE + "cut_off_without_its_guardian_the_node_stops_its_guest_itself",
             LOSS_LIVE + "a_silent_guardian_is_said_and_nothing_arrives",
             SIMULATED + "daemon_and_guardian_stopped_at_once_are_what_the_watchdog_is_for",
             CORE + "test_guarded_nodes.py"
                    "::test_status_says_so_and_that_nothing_stands_behind_it")),
        "stopped": Cell(
            "As dead; when it goes on it finds the lease over, and freezes what still runs.",
            "all nodes: guardian-unreachable", "1 s",
            "its going on, or its unit, which replaces it after 3 s (WatchdogSec)",
            (SIMULATED
             + "a_guardian_stopped_for_ten_seconds_is_replaced_by_the_daemon_and_the_cluster",
             LOSS + "what_the_daemon_stopped_goes_on_with_the_next_acknowledged_lease",
             LOSS_LIVE + "cut_off_without_its_guardian_the_node_stops_its_guest_itself")),
        "slow": Cell(
            "A lease counts from its acknowledgement. Slower than four questions (0.8 s) it is "
            "silent; what it is slower by than a lease is as if it were dead.",
            "all nodes, from 0.8 s on: guardian-unreachable", "1 s", "its answer",
            (LOSS + "a_lease_counts_from_its_acknowledgement",
             LOSS + "a_guardian_that_is_back_in_time_lets_everything_go_on",
             LOSS_LIVE + "a_short_stop_of_the_guardian_leaves_the_guest_alone")),
        "empty": Cell(
            "Without a record it finds the guests of its folder by name and freezes them; the "
            "daemon repeats lease and list as soon as it hears it.",
            "its log; the daemon, if it is there", "0.2 s with a daemon",
            "the daemon's first word",
            (SIMULATED + "a_guardian_that_comes_back_without_its_record_is_told_everything_anew",
             TRUST + "without_a_record_the_guests_of_the_folder_are_found_and_stand",
             GUARDIAN + "the_link_repeats_lease_and_list_to_a_guardian_without_a_record")),
        "older": Cell(
            "A record of another boot is not read. One of this boot holds an earlier lease, so it "
            "freezes sooner; a guest that it does not name is guarded again with the daemon's "
            "first word, and until then by the daemon alone.",
            "its log", "0.2 s with a daemon", "the daemon's first word",
            (GUARDIAN + "a_record_of_another_boot_is_not_believed",
             TRUST + "an_older_record_of_this_boot_counts_until_the_daemons_first_word")),
        "exhausted": Cell(
            "A guest that it cannot hold is refused, so it never runs; a caller is turned away. It "
            "is the last that the kernel ends for want of memory.",
            "the start that failed: guardian-unreachable", "at once",
            "a descriptor; the limit is the highest that the host allows",
            (TRUST + "without_descriptors_a_guest_that_cannot_be_held_is_not_called_guarded",
             TRUST + "a_caller_for_whom_there_is_no_descriptor_is_turned_away",
             TRUST + "it_asks_to_be_the_last_that_is_ended_for_want_of_memory",
             CORE + "test_units.py"
                    "::test_guests_go_first_then_the_daemon_and_the_guardian_never")),
        "full": Cell(
            "A record that cannot be written is taken away, so that no older one hides a guest; "
            "guarding goes on.",
            "its log; room-short of the run folder", "at once", "room on /run",
            (TRUST + "a_record_that_cannot_be_written_is_not_left_as_it_was",)),
        "clock": Cell(
            "It reads no wall clock. After a suspend its timer fires at once.",
            "nobody needs to", "at once", "nothing has to end",
            (SIMULATED + "wall_clocks_an_hour_off_decide_nothing",
             SIMULATED + "a_host_that_was_suspended_has_no_lease_when_it_wakes")),
    },
)

DAEMONS_FREEZE = Part(
    name="The daemon's freeze",
    trusts="That the daemon runs, and the expiry that the guardian has acknowledged last.",
    proves="Nothing alone: it stands in for a guardian that is lost while its lease runs out.",
    cells={
        "dead": Cell(
            "The guardian freezes, as ever.",
            "all nodes: the node is silent, then failed", "lan: 0.8 s, 4.1 s",
            "its unit starts it again: within the lease at no cost",
            (FAILOVER + "a_node_whose_daemon_stays_away_is_frozen_by_its_guardian_and_taken_over",
             SIMULATED + "daemon_and_guardian_killed_at_once_come_back_in_either_order",
             LIVE + "daemon_and_guardian_killed_at_once_come_back_in_either_order")),
        "stopped": Cell(
            "The guardian freezes; going on, the daemon hears that it is dead by the record, and "
            "ends its guests.",
            "all nodes: failed, with the proof", "lan: 4.1 s", "its going on",
            (SIMULATED + "a_daemon_stopped_for_ten_seconds_is_taken_over_and_ends_its_guest",
             LIVE + "a_daemon_stopped_for_ten_seconds_leaves_its_guest_to_the_guardian")),
        "slow": Cell(
            "A loop that is late by so much has heard nothing either: as stopped. The guardian's "
            "silence is counted in questions, so it is not blamed for it.",
            "all nodes: silent", "lan: 0.8 s", "its going on",
            (SIMULATED + "a_daemon_stopped_for_ten_seconds_is_taken_over_and_ends_its_guest",
             SIMULATED + "a_coordinator_stopped_for_ten_seconds_costs_nobody_a_guest")),
        "empty": Cell(
            "The lease of its earlier life counts, for those that the guardian was told of: what "
            "that one answers, or has noted. Nothing noted is a lease that is over.",
            "guardian-unreachable, if none answers", "1 s", "its first lease",
            (LOSS + "a_daemon_that_begins_while_its_guardian_is_stopped_ends_the_lease_itself",
             LOSS + "a_daemon_that_finds_neither_guardian_nor_record_stops_its_guests",
             LOSS + "a_daemon_that_has_not_renewed_the_lease_ends_it_where_its_guardian_is_lost",
             SIMULATED + "daemon_and_guardian_killed_at_once_come_back_in_either_order",
             "tests/live/test_losses_live.py"
             "::test_daemon_and_guardian_killed_together_and_started_again_touch_nothing")),
        "older": Cell(
            "It keeps no file. What the guardian has noted is of this boot or not read, and behind "
            "by 0.5 s at most: it freezes sooner.",
            "its log", "at once", "the guardian's first answer",
            (LOSS + "a_daemon_that_begins_while_its_guardian_is_stopped_ends_the_lease_itself",
             TRUST + "what_it_has_noted_is_read_by_a_daemon_that_it_does_not_answer")),
        "exhausted": Cell(
            "SIGSTOP through a pidfd that is open needs neither; a daemon that ends for want of "
            "memory is a dead one.",
            "its log", "at once", "its unit starts it again",
            (LIVE + "a_daemon_without_a_descriptor_left_renews_its_lease",
             LIVE + "a_daemon_without_memory_left_is_lost_and_no_second_copy_runs")),
        "full": Nothing("writes no file"),
        "clock": Cell(
            "It reads CLOCK_BOOTTIME alone.", "nobody needs to", "at once", "nothing has to end",
            (SIMULATED + "wall_clocks_an_hour_off_decide_nothing",)),
    },
)

WATCHDOG = Part(
    name="Watchdog",
    trusts="A device of the host's hardware that counts while the host stands, and a guardian that "
           "alone pets it, and only while all is well.",
    proves="That a host that hangs was reset, its time after the end of its lease.",
    cells={
        "dead": Cell(
            "There is none, or it cannot be opened, or somebody else has it: nothing rests on it, "
            "and it is tried again at each petting.",
            "status -v: no watchdog; guardian-unreachable says that nothing stands behind",
            "1.5 s", "the device being let go",
            (DOG + "without_a_watchdog_it_says_so_and_goes_on",
             DOG + "one_that_is_busy_at_first_is_petted_as_soon_as_it_is_let_go",
             CORE + "test_guarded_nodes.py"
                    "::test_status_says_so_and_that_nothing_stands_behind_it")),
        "stopped": Cell(
            "Nobody pets: the host is reset. The kernel's own timer (softdog) stands still with "
            "its kernel, and so proves nothing.",
            "all nodes: failed, proof watchdog", "a lease and its time", "the host's boot",
            (WORLD + "a_host_that_hangs_is_reset_before_its_package_starts_elsewhere",
             SIMULATED + "daemon_and_guardian_stopped_at_once_are_what_the_watchdog_is_for",
             BROKEN + "a_broken_build_is_caught",
             "tests/live/test_watchdog_live.py::"
             "test_a_long_hang_ends_with_the_watchdog_and_only_then_it_is_taken_over")),
        "slow": Cell(
            "What counts is the time that the device says it took, not the one it was asked for; "
            "one that says none proves nothing. *Not shown on a real device: the hosts of the "
            "tests have none.*",
            "status -v: watchdog_s", "1.5 s", "nothing has to end",
            (CORE + "test_proof.py::test_a_watchdog_frees_what_a_lease_does_not",)),
        "empty": Cell(
            "A guardian that is killed leaves it counting; the next one pets it, or the host is "
            "reset. A daemon that joins anew has said nothing of one yet.",
            "the guardian's log", "its time", "the next guardian",
            (DOG + "one_that_ends_calls_it_off_and_one_that_is_killed_does_not",
             DOG + "one_that_is_busy_at_first_is_petted_as_soon_as_it_is_let_go",
             CORE + "test_proof.py"
                    "::test_a_node_that_joins_anew_has_said_nothing_of_a_watchdog_yet")),
        "older": Nothing("keeps no file"),
        "exhausted": Cell(
            "A petting that fails is said, the host is reset in its time, and guests are guarded "
            "until then.",
            "the guardian's log", "1 s", "the reset",
            (DOG + "one_that_takes_no_more_is_said_and_stops_nothing",)),
        "full": Nothing("has no disk"),
        "clock": Nothing("counts by itself"),
    },
)
