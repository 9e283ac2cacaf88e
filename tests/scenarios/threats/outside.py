"""Who holds no key: strangers on each network, guests, users of a host."""

from tests.scenarios.threats.actor import Actor, Never

RAFT = "tests/raft/"
SOCKETS = RAFT + "test_sockets.py::test_"
LANDING = "tests/live/test_landing.py::test_"
RELAY = "tests/live/test_relay.py::test_"
LOCK = "tests/supply/test_lock.py::test_"
WHEELS = "tests/supply/test_wheels.py::test_"
AUDIT = "tests/supply/test_audit.py::test_"
JOIN = "tests/commands/test_join_line.py::test_"

SEEN = Never(
    "go unseen",
    "refusals are counted (`status -v`) and said: the first at once, then one line a minute",
    (SOCKETS + "strangers_are_counted_and_said_once_a_minute",
     SOCKETS + "whoever_came_in_is_not_counted_as_a_stranger",
     "tests/core/test_vigil.py::test_the_first_is_said_at_once_and_then_one_line_a_minute",
     "tests/core/test_vigil.py::test_what_no_honest_caller_does_is_shown_and_the_rest_is_not"))

CLUSTER_NETWORK = Actor(
    name="A stranger on the cluster network",
    may="Connect, see volume and times of the traffic, drop it.",
    never=(
        Never("be heard",
              "CURVE with a list of keys, asked anew for each message",
              (SOCKETS + "an_unknown_key_is_refused_and_comes_in_once_it_is_allowed",
               SOCKETS + "a_key_struck_off_the_list_is_not_heard_on_its_old_connection",
               SOCKETS + "plain_connections_and_garbage_never_get_in",
               RAFT + "test_syncobj_replica.py"
               "::test_a_member_is_only_ever_itself_and_a_stranger_nobody")),
        Never("hold up those who are heard",
              "whoever shows no key is ended within 2.5 s; keys are looked at, and nothing else is "
              "done for them",
              ("tests/live/test_bad_input_live.py::test_strangers_at_every_door_change_nothing",
               SOCKETS + "a_message_beyond_the_limit_is_not_received",
               "tests/raft/test_connections.py"
               "::test_a_stranger_gets_no_further_than_a_handshake_is_long")),
        SEEN,
    ),
    open="Cutting nodes off from each other stops guests of the smaller part; a network of its "
         "own, and a firewall, are the operator's (below).")

MIGRATION_NETWORK = Actor(
    name="A stranger on the migration network",
    may="Connect to a landing while a move lasts.",
    never=(
        Never("reach a waiting QEMU, or read a guest's memory",
              "TLS 1.3 with certificates of the cluster's own, one name each, and the move's token",
              (RELAY + "garbage_is_dropped_and_the_source_still_gets_through",
               RELAY + "another_clusters_node_is_refused",
               RELAY + "a_node_that_is_not_the_source_is_refused",
               RELAY + "a_wrong_token_is_refused",
               RELAY + "nothing_on_the_wire_can_be_read",
               "tests/live/test_encryption_live.py::test_no_byte_of_the_guest_can_be_read")),
        Never("keep the source out, however many connections it makes",
              "only the source's address is let in; from there the longest silent makes room",
              (LANDING + "only_the_sources_address_is_let_in",
               LANDING + "silent_strangers_make_room_for_the_source",
               LANDING + "strangers_that_come_again_and_again_do_not_keep_the_source_out")),
        Never("have the operator sent to certificates that are in order",
              "`carrier-crowded`, and the relay's word in the log",
              (LANDING + "a_source_that_is_kept_out_says_by_whom",)),
    ),
    open="`migration.transport: plain` carries memory in the clear, for a network with nothing "
         "else on it.")

OPERATORS_NETWORK = Actor(
    name="A stranger where operators are",
    may="Connect to the requests' port (5471).",
    never=(
        Never("have anything answered, or decoded",
              "the same list of keys; operators' keys are on it with their role",
              ("tests/commands/test_api.py::test_a_stranger_learns_that_it_is_one",
               "tests/commands/test_api.py::test_the_caller_is_who_its_key_says")),
        SEEN,
    ))

SUPPLY = Actor(
    name="Whoever delivers what a host installs",
    may="Give out new versions, and withhold what was there.",
    never=(
        Never("have a file run on a host that is not the one that was tested",
              "a lock with one version and the hashes of its files; pip takes nothing else",
              (LOCK + "each_requirement_is_locked_at_a_version_that_fits",
               LOCK + "nothing_is_missing_that_a_locked_one_needs",
               WHEELS + "a_file_that_is_not_the_locks_is_not_taken")),
        Never("bring along what nobody asked for",
              "the lock is what the product needs and no more, under licences that were looked at; "
              "packages ask for Python, QEMU and iproute2",
              (LOCK + "nothing_is_locked_that_nobody_wants",
               LOCK + "each_licence_is_one_that_may_be_shipped",
               "tests/supply/test_debian.py"
               "::test_a_node_needs_its_python_qemu_iproute2_and_nothing_else")),
        Never("have an old hole stay unseen",
              "lock and floors are held against a list of advisories",
              (AUDIT + "the_lock_has_no_known_hole",
               AUDIT + "the_floors_are_above_the_known_holes",
               AUDIT + "an_affected_version_is_found")),
    ),
    open="What a version that was locked has in it was not read. The list of advisories is as good "
         "as its date.")

GUEST = Actor(
    name="A guest",
    may="Use its disks, its cards and its CPUs; send what it likes on its bridge.",
    never=(
        Never("start a program on the host, or become another user there",
              "QEMU under `-sandbox on`: no programs, no other user",
              ("tests/core/test_qemu_command_line.py"
               "::test_a_hypervisor_starts_nothing_and_becomes_nobody",)),
        Never("read or write files of the host when it has broken out",
              "QEMU gives root's rights away once it has opened what its guest was given "
              "(`accounts.guests` of the cluster file)",
              ("tests/live/test_qemu_driver.py::test_a_hypervisor_is_nobody_on_its_host",
               "tests/live/test_qemu_driver.py::test_without_its_account_no_guest_is_started")),
        Never("have a file or device of the host that its description was not allowed",
              "devices are a closed list; drives are seen to be drives before they are opened",
              ("tests/live/test_apply_checks_live.py::test_a_guest_gets_nothing_of_the_host",
               "tests/core/test_vetting.py"
               "::test_a_guest_gets_no_device_that_is_not_what_it_is_called")),
        Never("run on when its lease is over, whatever it does",
              "the guardian stops the process, not the guest",
              ("tests/live/test_guardian.py"
               "::test_a_guest_continued_by_somebody_is_frozen_again",)),
        Never("fill the host's memory through its serial port",
              "consoles are cut to their newest, every two seconds, by the daemon",
              ("tests/core/test_consoles.py::test_a_writer_without_end_keeps_its_newest",)),
    ),
    open="Without `accounts.guests`, and where a guest has devices of the host, QEMU stays root. "
         "The guests of a host share the account: one that has broken out can end the others.")

HOST_USER = Actor(
    name="A user of a node's host",
    may="Log in; see that vmsg runs, and with which guests.",
    never=(
        Never("read a secret, or use one",
              "secrets are 0600 in a folder of root's, looked at at each start; none is in an "
              "argument, an environment or a file about a bug",
              ("tests/core/test_keys.py::test_secrets_are_the_owners_alone",
               "tests/core/test_keys.py::test_an_exposed_secret_is_refused_with_its_remedy",
               RELAY + "the_token_is_on_no_command_line",
               JOIN + "the_line_is_read_from_standard_input",
               JOIN + "on_a_terminal_it_is_asked_for_and_not_shown",
               JOIN + "what_is_left_after_a_bug_holds_no_secret")),
        Never("speak to guardian, QEMU or daemon",
              "their sockets are root's; the guardian asks the kernel who speaks",
              ("tests/live/test_guardian.py::test_another_user_is_not_listened_to",
               "tests/live/test_guardian.py"
               "::test_garbage_ends_its_own_connection_and_nothing_else")),
        Never("have root start what they can change",
              "a program, and each folder on the way to it, is root's alone, looked at each time",
              ("tests/core/test_vetting.py::test_what_others_can_change_is_not",
               "tests/core/test_vetting.py"
               "::test_a_link_is_followed_into_what_others_can_change",
               "tests/live/test_apply_checks_live.py"
               "::test_a_program_is_looked_at_each_time_before_it_runs")),
    ))
