"""Who holds an operator's key, by role."""

from tests.scenarios.threats.actor import Actor, Never

API = "tests/commands/test_api.py::test_"
GATE = "tests/commands/test_api_gate.py::test_"
CONNECTIONS = "tests/raft/test_connections.py::test_"
READING = "tests/commands/test_reading.py::test_"
LOOKED_AT = "tests/scenarios/test_only_looked_at.py::test_"
VIGIL = "tests/core/test_vigil.py::test_"
HISTORY = "tests/core/test_history.py::test_"

ROLE = Never(
    "do what needs another role, or try to unseen",
    "one row for each request, looked at before anything is done; who tried stands in the history",
    (API + "a_role_allows_what_it_names", API + "every_request_has_its_row",
     API + "who_asks_for_what_they_may_not_is_told_of",
     VIGIL + "a_refused_role_is_in_the_history_with_who_and_from_where",
     VIGIL + "a_flood_of_them_is_one_entry_a_minute_for_each_caller"))

COST = Never(
    "hold up leases, agreement or other callers",
    "bytes, work and time are bounded for each caller, before decoding",
    (GATE + "a_flood_of_large_messages_leaves_the_loop_to_the_others",
     GATE + "a_role_is_looked_at_before_a_large_message_is_read",
     GATE + "a_large_question_is_not_carried_on_to_the_next_node",
     API + "a_slow_answer_holds_up_nobody_and_a_caller_has_its_limit",
     CONNECTIONS + "what_is_half_sent_by_one_key_is_bounded",
     CONNECTIONS + "one_key_has_so_many_connections_and_the_newest_stay",
     CONNECTIONS + "answers_that_nobody_fetches_are_bounded",
     "tests/commands/test_reading.py"
     "::test_a_thousand_packages_are_read_while_the_loop_turns",
     "tests/commands/test_reading.py::test_the_reader_has_a_budget",
     "tests/core/test_fair_answers.py::test_who_asks_much_stands_in_the_line_once",
     "tests/core/test_shared_answers.py::test_kvm_is_tried_once_for_all_who_ask",
     "tests/style/test_bounds.py::test_a_request_is_bounded"))

MONITOR = Actor(
    name="A monitor",
    may="See status, history, plans and the record; public keys.",
    never=(
        ROLE, COST,
        Never("have anything started, opened or looked up on a host",
              "to have a text checked takes the role that may apply it",
              (LOOKED_AT + "to_have_a_text_checked_takes_the_role_that_may_apply_it",
               LOOKED_AT + "a_fence_is_asked_only_once_it_is_in_the_record",
               "tests/live/test_apply_checks_live.py"
               "::test_a_text_that_is_looked_at_starts_nothing")),
        Never("learn of a host's processes, files and LUNs what status does not show",
              "what is told is told by role",
              (LOOKED_AT + "who_may_only_look_is_told_nothing_of_a_hosts_processes",
               "tests/core/test_allowed.py"
               "::test_whoever_may_only_look_is_told_nothing_of_processes_and_luns")),
    ),
    open="A client of one's own that breaks off amid ZeroMQ's heartbeats can end a daemon, by any "
         "key that is let in (the last section): its guests run on, and its unit starts it again.")

PACKAGE_ADMIN = Actor(
    name="A package-admin",
    may="Describe, start, move and halt packages, on disks that are nobody's.",
    never=(
        ROLE, COST,
        Never("run a program, or have a file read, that the cluster file does not name",
              "`programs` and `images` of the cluster file, asked when applied and before each use",
              (LOOKED_AT + "a_program_that_is_not_allowed_is_not_taken",
               "tests/core/test_allowed.py::test_every_program_of_a_package_is_asked_about",
               "tests/core/test_allowed.py::test_what_is_not_named_may_not",
               "tests/core/test_allowed.py::test_a_kernel_is_an_image")),
        Never("give away a host's own devices, or attach what is no disk of the package",
              "devices are words of a closed list; USB and PCI of a host are a full-admin's",
              (LOOKED_AT + "what_a_host_loses_is_a_full_admins_to_give",
               "tests/core/test_allowed.py::test_devices_are_a_closed_list",
               "tests/core/test_qemu_command_line.py"
               "::test_what_is_no_device_of_ours_reaches_no_argument")),
        Never("take another package's disk or address",
              "a LUN and a MAC address belong to one package, by the record",
              ("tests/core/test_claims.py::test_two_packages_never_get_one_lun",
               "tests/core/test_mac_addresses.py"
               "::test_two_applies_that_race_cannot_both_have_an_address")),
        Never("fill the record, or wedge a reader, with what they write",
              "texts are bounded, the history by its weight; files are read in a process of its "
              "own, with a budget",
              (HISTORY + "the_oldest_go_when_the_history_is_heavy",
               HISTORY + "what_is_applied_is_bounded",
               READING + "a_reader_that_takes_too_long_is_ended",
               READING + "one_description_has_a_largest_size")),
    ),
    open="What the cluster file allows runs as root: who names an interpreter with free words "
         "there has made every package-admin root.")

FULL_ADMIN = Actor(
    name="A full-admin",
    may="Everything that is asked over the network; says what runs as root on the nodes.",
    never=(
        COST,
        Never("lock everybody out, or lose a node, by one word",
              "the last full-admin stays; what cannot be taken back is asked about",
              ("tests/core/test_admission.py"
               "::test_operators_come_and_go_but_never_the_last_who_may_do_everything",)),
        Never("have two copies run",
              "the record's rules hold for everybody's orders",
              ("tests/core/test_rules_hold.py"
               "::test_the_same_node_answers_late_for_its_guest_before_the_restart",)),
    ),
    open="Is root on every node, by the cluster file. Calling a node dead that runs "
         "(`confirm-dead --now`) is believed.")

INVITED = Actor(
    name="An invited host",
    may="Join as the node it was invited as, once, until the line's end.",
    never=(
        Never("ask anything else",
              "an invitation's key opens one request",
              (API + "an_invitation_lets_in_to_one_question_only",)),
        Never("join twice, as another, or late",
              "the record's rules; the same request may be repeated",
              ("tests/core/test_admission.py"
               "::test_an_invitation_lets_in_one_and_answers_that_one_again",
               "tests/core/test_admission.py::test_who_is_not_let_in",
               "tests/live/test_joining_live.py"
               "::test_a_line_is_for_one_host_once_and_for_its_time")),
        Never("have a certificate in another's name",
              "nodes prove one name each",
              ("tests/core/test_keys.py::test_a_node_is_not_taken_for_another",)),
    ))
