"""What the record itself rests on: what if that fails."""

from tests.scenarios.safety.cell import CORE, FULL_DISK, RAFT, SIMULATED, Cell, Nothing, Part

RULES = CORE + "test_rules_hold.py::test_"
VOTES = RAFT + "test_votes.py::test_"
MARK = RAFT + "test_attendance.py::test_"
JOURNAL_TESTS = RAFT + "test_journal.py::test_"
SLOW = RAFT + "test_slow_disk.py::test_"

EPOCH = Part(
    name="Epoch",
    trusts="The record: one owner and one epoch for each package, raised by each new owner or "
           "life. An order and an answer that name another epoch change nothing.",
    proves="That what arrives late was meant for somebody who is gone.",
    cells={
        "dead": Cell(
            "An owner that is lost leaves the package to the next under the next epoch.",
            "status: epoch and proof", "with the takeover", "the takeover",
            (CORE + "test_apply.py::test_a_takeover_records_its_proof_and_begins_a_new_life",
             "tests/live/test_failover_live.py"
             "::test_a_killed_node_is_taken_over_by_the_proof_of_its_lease")),
        "stopped": Cell(
            "An agent that goes on with an order of before finds that the record has taken it "
            "back, and ends what it began.",
            "its log; a stray guest, if one ran", "at once", "its end",
            ("tests/scenarios/test_agents.py"
             "::test_a_start_that_the_record_took_back_on_the_way_never_runs",
             SIMULATED + "a_daemon_stopped_for_ten_seconds_is_taken_over_and_ends_its_guest",
             "tests/live/test_part_loss_live.py"
             "::test_a_daemon_stopped_for_ten_seconds_leaves_its_guest_to_the_guardian")),
        "slow": Cell(
            "A late answer of an older epoch is refused by name.", "its sender: stale-order",
            "at once", "nothing has to end",
            (RULES + "the_same_node_answers_late_for_its_guest_before_the_restart",)),
        "empty": Cell(
            "A daemon that comes back answers for the guests that it finds, by the epoch of each; "
            "one that the record does not give it is ended.",
            "events: stray guest ended", "with its joining", "its joining",
            ("tests/contracts/test_driver_contract.py"
             "::test_a_new_driver_adopts_the_guest_and_its_events",
             CORE + "test_apply.py::test_a_node_with_a_foreign_guest_may_not_join")),
        "older": Cell(
            "A run folder of before names an epoch that is over, and a process that is another "
            "one: neither is believed.",
            "its log", "at once", "the start of the daemon",
            ("tests/live/test_qemu_driver.py"
             "::test_a_process_that_took_over_the_id_is_not_ours",
             "tests/live/test_qemu_driver.py"
             "::test_a_guest_without_a_record_is_found_by_its_command_line")),
        "exhausted": Nothing("a number only"),
        "full": Cell(
            "A later epoch that cannot be written beside its guest is in the record all the same; "
            "the guest is found by its process.",
            "room-short of the run folder", "at once", "room",
            ("tests/live/test_qemu_driver.py"
             "::test_a_guest_without_a_record_is_found_by_its_command_line",)),
        "clock": Cell(
            "It is counted and not timed.", "nobody needs to", "at once", "nothing has to end",
            (SIMULATED + "wall_clocks_an_hour_off_decide_nothing",)),
    },
)

READ_INDEX = Part(
    name="Read index",
    trusts="A round of heartbeats that a majority answers after the question was asked.",
    proves="That an answer (`status`, preflight, a plan) is not older than its question.",
    cells={
        "dead": Cell(
            "Without a majority there is no answer but no-quorum.", "who asked", "its deadline",
            "a majority",
            ("tests/contracts/test_replica_contract.py"
             "::test_a_minority_decides_nothing_and_says_so",
             "tests/live/test_no_quorum_live.py::test_no_quorum_is_the_first_thing_that_is_said")),
        "stopped": Cell(
            "A leader that stood still answers only after a round that began afterwards.",
            "nobody needs to", "a round", "the round",
            (VOTES + "a_question_is_not_answered_by_a_heartbeat_from_before_it",
             SIMULATED + "a_coordinator_stopped_for_ten_seconds_costs_nobody_a_guest")),
        "slow": Cell(
            "A message that was overtaken or repeated confirms nothing.", "who asked: a deadline",
            "its deadline", "a round in time",
            (VOTES + "a_message_overtaken_or_repeated_is_dropped",)),
        "empty": Cell(
            "Answers to an earlier life of a node are dropped.", "nobody needs to", "at once",
            "the next round", (VOTES + "messages_of_an_earlier_life_are_dropped",)),
        "older": Nothing("keeps no file"),
        "exhausted": Cell(
            "A node that cannot go on leaves instead of answering.", "who asked: another node",
            "at once", "its restart",
            (RAFT + "test_holes.py::test_an_exhausted_host_steps_out_instead_of_diverging",)),
        "full": Nothing("writes no file"),
        "clock": Nothing("counts its rounds"),
    },
)

JOURNAL = Part(
    name="Journal",
    trusts="Its own disk to keep what it says is durable, and the mark of how far it has promised, "
           "beside the node's keys.",
    proves="That what was agreed stays agreed, whoever restarts.",
    cells={
        "dead": Cell(
            "A node without its journal is one that has forgotten: it follows, and votes when it "
            "has all it may have promised.",
            "status and its log: journal-missing, journal-damaged", "at its start",
            "vmsg node rejoin, as is said",
            (RAFT + "test_amnesia.py::test_it_follows_and_promises_nothing",
             "tests/live/test_rejoin_live.py"
             "::test_a_damaged_journal_is_set_aside_and_the_node_counts_again",
             "tests/live/test_rejoin_live.py"
             "::test_a_wiped_folder_is_not_taken_for_a_new_node")),
        "stopped": Cell(
            "A leader whose disk hangs makes way for another.", "status: another leader",
            "an election", "the disk's answer",
            (SLOW + "a_leader_whose_disk_hangs_makes_way_for_another",)),
        "slow": Cell(
            "Nothing is acknowledged before it is on disk; heartbeats go on meanwhile.",
            "who proposed: later", "the disk's time", "the disk's answer",
            (SLOW + "an_entry_is_acknowledged_when_it_is_on_disk_and_its_leader_heard_at_once",
             SLOW + "a_leader_whose_disk_is_slow_keeps_its_lease_and_commits_nothing_alone")),
        "empty": Cell(
            "What was synced is there again; what was not was never promised.",
            "nobody needs to", "at its start", "its start",
            (JOURNAL_TESTS + "what_was_not_flushed_was_never_promised",
             RAFT + "test_kill.py::test_no_acknowledged_command_is_lost_when_nodes_are_killed",
             VOTES + "a_voter_that_restarted_is_loyal_to_whom_it_may_have_heard")),
        "older": Cell(
            "One that is behind its mark is taken for a lost one. Not known: a copy younger than "
            "1 s before a loss of power, and a host put back as a whole.",
            "its start is refused, with the way back", "at its start",
            "vmsg node rejoin, as is said",
            (MARK + "a_copy_of_one_write_ago_is_known",
             RAFT + "test_search_restore.py"
                    "::test_a_node_that_takes_an_earlier_folder_for_the_newest_is_found_out",
             "tests/live/test_rollback_live.py"
             "::test_what_was_decided_after_the_backup_stands")),
        "exhausted": Cell(
            "A node that cannot apply leaves, and never applies something else.",
            "status: silent; its log", "at once", "its restart",
            (RAFT + "test_holes.py::test_an_exhausted_host_steps_out_instead_of_diverging",)),
        "full": Cell(
            "It promises nothing more and is left out; others go on, and it comes back with room.",
            "status on the healthy nodes: room-short", "before and at once", "room",
            (JOURNAL_TESTS + "a_full_disk_loses_nothing_that_was_flushed",
             FULL_DISK + "a_full_disk_is_waited_out",
             FULL_DISK + "full_disks_are_told_by_the_healthy_node_before_and_after")),
        "clock": Cell(
            "Order is by term and index. Durations are agreed, and no wall clock ends a vote.",
            "nobody needs to", "at once", "nothing has to end",
            (SIMULATED + "wall_clocks_an_hour_off_decide_nothing",)),
    },
)
