"""What one node's key, and a stranger, may not do: cluster/raft/bounds.py and what stands by it."""

from tests.mutants.mutant import Mutant

HERE = "tests/raft/test_bounds.py::"
DOORS = "tests/raft/test_sockets.py::"

MUTANTS = [
    Mutant(
        "cluster/raft/bounds.py",
        "    if max(term, highest_term, *_numbers(body, TERM_FIELDS)) > highest:",
        "    if max(highest_term, *_numbers(body, TERM_FIELDS)) > highest:",
        (HERE + "test_whatever_it_is_the_senders_own_term_is_bounded",)),
    Mutant(
        "cluster/raft/bounds.py",
        "    if max(term, highest_term, *_numbers(body, TERM_FIELDS)) > highest:",
        "    if max(term, highest_term) > highest:",
        (HERE + "test_no_message_raises_the_term_beyond_reason",)),
    Mutant(
        "cluster/raft/bounds.py",
        "    if max(highest_index, *_numbers(body, INDEX_FIELDS)) > last_index + INDEXES_AHEAD:",
        "    if highest_index > last_index + INDEXES_AHEAD:",
        (HERE + "test_an_index_that_no_log_reaches_is_dropped",)),
    Mutant(
        "cluster/raft/bounds.py",
        "needed = len(members) // 2 + 1",
        "needed = 1",
        (HERE + "test_only_others_make_a_majority",
         HERE + "test_a_node_of_another_age_follows_what_a_majority_is_in")),
    Mutant(
        "cluster/raft/bounds.py",
        "return last_term > body.term or not 0 <= newer_by <= NEWER_BY",
        "return False",
        (HERE + "test_a_snapshot_is_the_one_that_was_spoken_of",)),
    Mutant(
        "cluster/raft/bounds.py",
        "return said.members_index <= last_index + INDEXES_AHEAD",
        "return True",
        (HERE + "test_what_was_introduced_as_of_far_away_is_not_kept",)),
    Mutant(
        "cluster/raft/bounds.py",
        "return max(own, self.of_majority(members)) + int(self._left)",
        "return own + int(self._left)",
        (HERE + "test_a_node_of_another_age_follows_what_a_majority_is_in",)),
    Mutant(
        "cluster/raft/filters.py",
        "if self._leader_of != (term, peer.name):",
        "if False:",
        (HERE + "test_nobody_but_the_leader_it_follows_stops_a_node",)),
    Mutant(
        "cluster/raft/filters.py",
        "if any(entry[2] > body.term for entry in entries):",
        "if False:",
        (HERE + "test_no_entry_is_of_a_later_term_than_its_leaders",)),
    Mutant(
        "cluster/raft/filters.py",
        "return command[:1] + self.vouched(peer, command[1:])",
        "return command",
        (HERE + "test_who_forwards_is_named_in_what_it_forwards",)),
    Mutant(
        "cluster/raft/wire.py",
        "if envelope.boot > max(known, REJOINED_BOOT) + BOOTS_AHEAD:",
        "if False:",
        (HERE + "test_a_boot_beyond_reason_does_not_deafen_for_the_true_node",)),
    Mutant(
        "cluster/raft/wire.py",
        "if envelope.boot > max(known, REJOINED_BOOT) + BOOTS_AHEAD:",
        "if envelope.boot > known + BOOTS_AHEAD:",
        (HERE + "test_a_node_that_began_anew_is_heard",)),
    Mutant(
        "cluster/raft/wire.py",
        "if envelope.number > received + NUMBERS_AHEAD:",
        "if False:",
        (HERE + "test_a_number_beyond_reason_does_not_silence_its_boot",)),
    Mutant(
        "cluster/raft/wire.py",
        "entries: Annotated[list[tuple[bytes, Natural, Term]], Bound(max_length=MOST_ENTRIES)]",
        "entries: list[tuple[bytes, Natural, Term]]",
        (HERE + "test_a_message_of_too_many_entries_is_refused_unread",)),
    Mutant(
        "cluster/raft/wire.py",
        "peers: Annotated[list[tuple[Text, Text, Keys]], Bound(max_length=MOST_PEERS)]",
        "peers: list[tuple[Text, Text, Keys]]",
        (HERE + "test_an_introduction_names_no_more_than_can_be_connected",)),
    Mutant(
        "cluster/raft/wire.py",
        "Term = Annotated[int, Bound(ge=0, le=(1 << 63) - 2)]",
        "Term = Natural",
        (HERE + "test_a_cluster_that_was_raised_to_the_highest_term_elects_again",)),
    Mutant(
        "cluster/raft/outgoing.py",
        "if len(entries) > self.most_sent:",
        "if False:",
        (HERE + "test_a_leader_sends_no_more_entries_than_are_read",)),
    Mutant(
        "cluster/raft/outgoing.py",
        "self._engine.next_index[peer] = entries[-1][1] + 1  # the engine goes on from there",
        "pass",
        (HERE + "test_a_leader_sends_no_more_entries_than_are_read",)),
    Mutant(
        "cluster/raft/unpacking.py",
        "    if state_bytes > most:",
        "    if False:",
        (HERE + "test_a_bomb_is_refused_by_what_it_declares",)),
    Mutant(
        "cluster/raft/snapshot.py",
        "received = decoded(raw, most=allowance(len(raw)))",
        "received = decoded(raw)",
        (HERE + "test_a_bomb_never_reaches_the_disk",)),
    Mutant(
        "cluster/raft/snapshot.py",
        "if sum(map(len, plain)) > allowance(sum(map(len, body))):",
        "if False:",
        (HERE + "test_a_state_that_deflates_too_well_is_stored_plainly",)),
    Mutant(
        "cluster/raft/links.py",
        "return dict(list(found.items())[:MOST_PEERS])",
        "return found",
        (DOORS + "test_no_more_peers_are_connected_to_than_a_cluster_can_have",)),
    Mutant(
        "cluster/raft/links.py",
        "if is_endpoint(self._endpoints[peer]) and (keys := self.keys_of(peer))",
        "if self._endpoints[peer] and (keys := self.keys_of(peer))",
        (DOORS + "test_what_another_member_says_of_a_peer_need_not_be_true",)),
    Mutant(
        "cluster/raft/links.py",
        "            and all(map(is_key, keys))\n",
        "",
        (DOORS + "test_what_another_member_says_of_a_peer_need_not_be_true",)),
    Mutant(
        "cluster/tally.py",
        "        is_due = may_say and now_s - said_s >= SAID_EVERY_S",
        "        is_due = may_say",
        (HERE + "test_it_is_said_once_and_not_for_each",)),
    Mutant(
        "cluster/doorkeeper.py",
        "        elif self._open:\n            self._open.popleft()",
        "        elif False:\n            self._open.popleft()",
        (DOORS + "test_whoever_came_in_is_not_counted_as_a_stranger",)),
    Mutant(
        "cluster/doorkeeper.py",
        "self._open.append(self._loop.time())",
        "pass",
        (DOORS + "test_strangers_are_counted_and_said_once_a_minute",)),
    Mutant(
        "cluster/core/vouching.py",
        "return command if entry.via == peer else encode_entry(changed(entry, via=peer))",
        "return command if entry.via else encode_entry(changed(entry, via=peer))",
        ("tests/core/test_vouching.py::test_a_node_cannot_say_that_another_proposed",)),
    Mutant(
        "cluster/core/vouching.py",
        "if not floor_allows(state, V0_2):",
        "if False:",
        ("tests/core/test_vouching.py::test_while_an_older_node_takes_part_nothing_is_signed",)),
    Mutant(
        "cluster/vigil.py",
        "        if since is None:\n            return\n",
        "",
        ("tests/core/test_vigil.py::"
         "test_a_flood_of_them_is_one_entry_a_minute_for_each_caller",)),
    Mutant(
        "cluster/vigil.py",
        "if count and (reason in SEEN or reason.endswith(BEYOND))",
        "if count",
        ("tests/core/test_vigil.py::"
         "test_what_no_honest_caller_does_is_shown_and_the_rest_is_not",)),
    Mutant(
        "cluster/api/server.py",
        "            self.refused(caller, asked, self._listener.address)",
        "            pass",
        ("tests/commands/test_api.py::test_who_asks_for_what_they_may_not_is_told_of",)),
    Mutant(
        "cluster/api/server.py",
        "            self.refused(caller, head.tag, self._listener.address)",
        "            pass",
        ("tests/commands/test_api.py::test_who_asks_for_what_they_may_not_is_told_of",)),
    Mutant(
        "cluster/tally.py",
        "        if key not in self._said and len(self._said) >= MOST_KINDS:",
        "        if False:",
        ("tests/core/test_vigil.py::test_names_that_are_made_up_do_not_fill_it",)),
    Mutant(
        "cluster/raft/bounds.py",
        "self._left = max(0.0, self._left - (own - seen)) + TERMS_AHEAD * (now_s - at_s)",
        "self._left = self._left + TERMS_AHEAD * (now_s - at_s)",
        (HERE + "test_in_steps_it_is_led_no_further_than_in_one",
         "tests/raft/test_one_bad_node.py::"
         "test_two_honest_nodes_agree_once_a_bad_one_is_struck_off")),
    Mutant(
        "cluster/raft/bounds.py",
        "        if now_s - max(heard_at_s, began_s) < QUIET_S:",
        "        if True:",
        (HERE + "test_two_that_were_led_apart_find_each_other",)),
    Mutant(
        "cluster/raft/snapshot.py",
        "            if not received.is_whole:",
        "            if False:",
        (HERE + "test_a_snapshot_that_no_journal_begins_with_is_refused",)),
]
