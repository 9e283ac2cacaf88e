"""Who may speak, and ask what: cluster/api/roles.py, cluster/sockets.py, cluster/config/keys.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/api/roles.py",
        'return None if caller.invitation and least == "invited" else '
        "_only_the_invited(caller)",
        "return None",
        ("tests/commands/test_api.py::test_a_role_allows_what_it_names",)),
    Mutant(
        "cluster/api/roles.py",
        'if caller.invitation or least == "invited":',
        'if least == "invited":',
        ("tests/commands/test_api.py::test_a_role_allows_what_it_names",)),
    Mutant(
        "cluster/api/roles.py",
        "if RANK[caller.role] >= RANK[least]:",
        "if True:",
        ("tests/commands/test_api.py::test_a_role_allows_what_it_names",)),
    Mutant(
        "cluster/config/keys.py",
        "        if exposed is not None:\n"
        "            return exposed",
        "        if False:\n"
        "            return exposed",
        ("tests/core/test_keys.py::test_an_exposed_secret_is_refused_with_its_remedy",)),
    Mutant(
        "cluster/config/keys.py",
        "if name not in keys.nodes:",
        "if False:",
        ("tests/core/test_keys.py::test_a_node_without_a_key_of_its_own_is_refused",)),
    Mutant(
        "cluster/config/keys.py",
        "    if taken:\n",
        "    if False:\n",
        ("tests/core/test_keys.py::test_keys_are_never_overwritten",)),
    Mutant(
        "cluster/config/keys.py",
        'write_new(folder / "curve.secret", f"{pair.secret}\\n", mode=0o600)',
        'write_new(folder / "curve.secret", f"{pair.secret}\\n")',
        ("tests/core/test_keys.py::test_every_node_has_its_folder",)),
    Mutant(
        "cluster/config/keys.py",
        "if name not in [node.name for node in config.nodes]:",
        "if False:",
        ("tests/core/test_keys.py::test_a_node_outside_the_cluster_file_is_refused",)),
    Mutant(
        "cluster/doorkeeper.py",
        "if key.decode() in self.peers:",
        "if True:",
        ("tests/raft/test_sockets.py::"
         "test_an_unknown_key_is_refused_and_comes_in_once_it_is_allowed",)),
    Mutant(
        "cluster/socket_options.py",
        "socket.set(zmq.MAXMSGSIZE, max_message_bytes)",
        "pass",
        ("tests/raft/test_sockets.py::test_a_message_beyond_the_limit_is_not_received",)),
    Mutant(
        "cluster/socket_options.py",
        "    socket.set(zmq.TCP_KEEPALIVE, 1)",
        "    socket.set(zmq.HEARTBEAT_IVL, 500)\n    socket.set(zmq.HEARTBEAT_TIMEOUT, 1500)",
        ("tests/raft/test_sockets.py::"
         "test_a_caller_that_goes_while_nothing_is_read_ends_nobody",)),
    Mutant(
        "cluster/api/server.py",
        "            self._listener.send(route, PONG)",
        "            pass",
        ("tests/commands/test_api.py::"
         "test_a_daemon_that_stands_still_is_told_from_one_that_is_busy",)),
    Mutant(
        "cluster/api/peer.py",
        "            if silent_s >= SILENT_S:",
        "            if silent_s < 0:",
        ("tests/commands/test_api.py::"
         "test_a_daemon_that_stands_still_is_told_from_one_that_is_busy",)),
    Mutant(
        "cluster/sockets.py",
        "        if peer is None:\n"
        '            self._tally.refuse("key-struck-off", f"at {self.endpoints[0]}, from '
        '{self.address}")\n'
        "            return",
        "        if peer is None:\n"
        '            peer = "anybody"',
        ("tests/raft/test_sockets.py::"
         "test_a_key_struck_off_the_list_is_not_heard_on_its_old_connection",)),
    Mutant(
        "cluster/sockets.py",
        "self._socket.curve_server = True",
        "pass",
        ("tests/raft/test_sockets.py::test_a_peer_is_known_by_its_key_and_answered",)),
    Mutant(
        "cluster/config/joining.py",
        "except (ValueError, *Undecodable) as error:  # not base64, not ASCII, not of the form",
        "except Undecodable as error:",
        ("tests/commands/test_join_line.py::test_what_is_no_line_is_a_problem",)),
    Mutant(
        "cli/node/join.py",
        "if not all(is_endpoint(each.address) and is_key(each.key) for each in invitation.doors):",
        "if False:",
        ("tests/commands/test_join_line.py::test_a_line_whose_doors_are_none_is_a_problem",)),
    Mutant(
        "cli/problems.py",
        'file.write(without(f"vmsg {\' \'.join(args)}\\n{told}", secrets))',
        'file.write(f"vmsg {\' \'.join(args)}\\n{told}")',
        ("tests/commands/test_join_line.py::test_what_is_left_after_a_bug_holds_no_secret",)),
    Mutant(
        "cli/problems.py",
        r'and not re.search(r"\s", each) and not PATH.fullmatch(each)},',
        r'and not re.search(r"[/\s]", each)},',
        ("tests/commands/test_join_line.py::"
         "test_every_key_is_withheld_whatever_its_signs",)),
    Mutant(
        "cli/node/join.py",
        "click.prompt(\"The line\", hide_input=True, err=True)",
        "click.prompt(\"The line\", err=True)",
        ("tests/commands/test_join_line.py::test_on_a_terminal_it_is_asked_for_and_not_shown",)),
    Mutant(
        "cluster/local_door.py",
        "if self.is_open and now.are_short:",
        "if self.is_open and not now.left:",
        ("tests/core/test_local_door.py::"
         "test_the_door_closes_below_its_least_and_opens_with_some_to_spare",)),
    Mutant(
        "cluster/sockets.py",
        "self._doors.append(LocalDoor(endpoint))",
        "pass",
        ("tests/core/test_local_door.py::"
         "test_without_descriptors_a_local_caller_is_kept_out_and_ends_nobody",)),
]
