"""What shuts an owner out, and who may say that it is gone: what if that fails."""

from tests.scenarios.safety.cell import CORE, DRIVER, FENCE, POWER, SIMULATED, Cell, Nothing, Part

FENCED = "tests/scenarios/test_fenced_agents.py::test_"
ORDERS = "tests/core/test_fence_orders.py::test_"
SWITCHED = "tests/scenarios/test_power_fencing.py::test_"
SAN_LIVE = "tests/live/test_storage_fence_live.py::test_"
POWER_LIVE = "tests/live/test_power_fence_live.py::test_"

IMAGE_LOCK = Part(
    name="Image lock",
    trusts="QEMU and the kernel of one host: a lock on an open file. It is no lock of the LUN's, "
           "so it says nothing of other hosts, and an iscsi:// disk has none at all.",
    proves="Nothing: no takeover rests on it. It keeps a second QEMU of the same host off the "
           "disk, beside the search for openers of the disk, which needs no lock.",
    cells={
        "dead": Cell(
            "The kernel lets go of it with the process.", "the failure of the guest", "at once",
            "the next start", (DRIVER + "a_killed_process_is_a_failure",)),
        "stopped": Cell(
            "A guest that stands keeps it: it is ended before the next is started.",
            "a start that is refused, in QEMU's words", "at once", "the end of the process",
            (DRIVER + "a_frozen_guest_can_be_destroyed",
             "tests/live/test_qemu_driver.py"
             "::test_a_disk_another_process_has_is_refused_in_qemus_words")),
        "slow": Nothing("kernel answers itself"),
        "empty": Nothing("lives with process"),
        "older": Cell(
            "A path that means another LUN by now would be locked as that: identity is compared "
            "with what QEMU has open.",
            "the refusal: disk-is-another", "at once", "the right path, or an apply that says so",
            ("tests/live/test_disk_identity_live.py"
             "::test_a_path_that_means_another_lun_is_refused",)),
        "exhausted": Cell(
            "QEMU ends, and nothing is left of the start.", "the package's failure", "at once",
            "the next node",
            (DRIVER + "a_start_that_fails_says_why_and_leaves_nothing",)),
        "full": Nothing("writes no file"),
        "clock": Nothing("reads no clock"),
    },
)

DISK_FENCE = Part(
    name="Disk fence",
    trusts="The storage: that it keeps what is registered, and stops what was submitted (PREEMPT "
           "AND ABORT, or the end of connections). Each owner has a key of node and epoch.",
    proves="That the old owner cannot write, wherever it is and whatever it does.",
    cells={
        "dead": Cell(
            "No answer of the storage is no proof. A node that dies before it answered fences "
            "again when it is back, and another is ordered meanwhile.",
            "status: proof waited for; fence-failed in the events", "1.5 s for each attempt",
            "an answer, or the lease where it counts",
            (FENCED + "a_fencer_that_dies_before_its_answer_does_it_again",
             FENCED + "a_fence_that_is_not_answered_by_the_storage_frees_nothing",
             FENCE + "a_target_that_is_gone_proves_nothing")),
        "stopped": Cell(
            "A node that is heard and does not fence is replaced; an owner that stood still and "
            "goes on cannot write.",
            "status: the storage is asked, by whom", "seconds", "the next node's answer",
            (ORDERS + "a_fencer_that_is_heard_and_does_nothing_is_replaced_as_well",
             SAN_LIVE
             + "a_host_that_hangs_whole_and_goes_on_cannot_write_beside_its_successor")),
        "slow": Cell(
            "A tool that hangs is ended. A fence that comes late names an owner that is gone, and "
            "never today's.",
            "fence-failed in the events", "1.5 s", "the next attempt",
            ("tests/contracts/test_fence_tools.py::test_a_tool_that_hangs_is_ended",
             FENCE + "a_fence_that_comes_late_does_not_touch_a_later_owner",
             ORDERS + "a_fencer_that_falls_silent_is_replaced_and_its_late_answer_ignored")),
        "empty": Cell(
            "A list that lets everybody in proves nothing, and what is missing is registered again "
            "with the next start or move. Until then a storage that lost its reservations "
            "protects nothing (docs/fencing.md, Limits): the lease does.",
            "preflight: storage-fence-unavailable", "at the next start", "the next start or move",
            (FENCE + "a_target_that_is_open_to_all_proves_nothing",
             CORE + "test_fencing.py"
                    "::test_a_list_with_strangers_on_it_or_open_to_all_is_no_fence")),
        "older": Cell(
            "A key of an earlier boot or owner is cleared by the next owner, and lets nobody in "
            "for whom the record does not say so.",
            "nobody needs to", "with the start", "the start",
            (FENCE + "what_an_earlier_owner_left_behind_is_cleared",
             FENCE + "a_fenced_node_that_comes_back_cannot_write_before_it_owns_again")),
        "exhausted": Cell(
            "A tool that cannot be started has done nothing: a failed fence frees nothing.",
            "fence-failed in the events", "at once", "the next attempt, or the lease",
            ("tests/contracts/test_fence_tools.py::test_a_tool_that_is_not_there",
             ORDERS + "a_fence_that_failed_frees_nothing_and_is_tried_again_later")),
        "full": Nothing("keeps no file"),
        "clock": Nothing("reads no clock"),
    },
)

POWER_FENCE = Part(
    name="Power fence",
    trusts="An agent, which is somebody else's program, and the controller behind it. Neither is "
           "believed for its success: after it, the agent is asked how the power stands.",
    proves="That a host is off.",
    cells={
        "dead": Cell(
            "It has proven nothing: the next level is tried, and all of them again after 10 s.",
            "fence-failed in the events; status: what is waited for", "the agent's timeout_s",
            "the next level, a controller that answers, or another proof",
            (POWER + "a_fence_that_fails_proves_nothing",
             SWITCHED + "when_every_level_fails_nothing_starts_and_it_is_tried_again")),
        "stopped": Cell(
            "An agent that hangs is ended with all it started, and has proven nothing.",
            "fence-failed in the events", "its timeout_s", "the next level",
            (POWER + "an_agent_that_hangs_is_ended_with_all_it_started",
             POWER_LIVE
             + "a_node_that_hangs_as_a_whole_is_switched_off_and_never_writes_again")),
        "slow": Cell(
            "A host that goes off slowly is looked at for two seconds more; whoever decided asks "
            "himself before each level whether he still may.",
            "fence-failed in the events", "its timeout_s", "the next level",
            (POWER + "a_host_that_goes_off_slowly_is_waited_for",
             SWITCHED + "nor_by_one_who_was_elected_anew_meanwhile")),
        "empty": Cell(
            "A new coordinator suspects nobody by what was before it; a second off is as one.",
            "nobody needs to", "lan: 0.8 s", "its own suspicion",
            (SWITCHED
             + "a_new_coordinator_waits_before_it_suspects_but_for_the_one_it_followed",
             POWER + "a_host_that_is_switched_off_is_off")),
        "older": Cell(
            "An agent that reports success with the host still on (another outlet, an old answer) "
            "or cannot say how it stands has proven nothing.",
            "fence-failed: it reported success, and then that the power is on", "2 s",
            "the next level, or another proof",
            (POWER + "an_agent_that_reports_success_while_the_host_is_on_has_proven_nothing",
             POWER + "an_agent_that_cannot_say_how_the_power_stands_has_proven_nothing",
             SIMULATED + "a_controller_that_reports_success_frees_nothing_while_the_host_is_on",
             SIMULATED + "one_that_is_believed_is_caught")),
        "exhausted": Cell(
            "An agent that cannot be started has proven nothing.",
            "program-missing or fence-failed", "at once", "the next level",
            (POWER + "an_agent_that_is_not_installed_is_said",
             POWER + "an_agent_that_makes_no_sense_is_found_by_its_check")),
        "full": Nothing("writes no file"),
        "clock": Nothing("no wall clock"),
    },
)

OPERATOR = Part(
    name="Operator's word",
    trusts="A person, so nothing that can be known is left to it: it is not taken for a node that "
           "is heard, and it is warned about.",
    proves="That a node is off, for want of anything better. The record keeps who said so.",
    cells={
        "dead": Cell(
            "A command that ends before its answer changes nothing: the same request, asked again, "
            "has the same outcome.",
            "who asked; the events name them", "at once", "the entry",
            (CORE + "test_apply.py::test_an_entry_applied_twice_is_applied_once",
             "tests/live/test_failover_live.py"
             "::test_an_operators_word_is_taken_for_a_node_that_is_silent_and_for_no_other")),
        "stopped": Nothing("a person waits"),
        "slow": Cell(
            "A word that rests on an earlier coordinator's silence is refused.",
            "who asked: stale-order", "at once", "asking again",
            (CORE + "test_rules_hold.py"
                    "::test_a_death_of_an_older_coordinators_term_is_refused",)),
        "empty": Cell(
            "A new coordinator has heard nobody yet, and takes no word until it has; a node that "
            "has just joined counts as heard.",
            "who asked: no-quorum or node-heard", "an election", "its first round of leases",
            (CORE + "test_landlord.py"
                    "::test_a_node_that_has_just_joined_counts_as_heard_by_an_operators_word",)),
        "older": Cell(
            "One about a node that is heard is refused.", "who asked: node-heard", "at once",
            "looking again",
            (CORE + "test_proof.py::test_nobody_is_called_dead_by_word_who_is_heard",)),
        "exhausted": Nothing("holds nothing open"),
        "full": Nothing("writes no file"),
        "clock": Nothing("rests on silence"),
    },
)
