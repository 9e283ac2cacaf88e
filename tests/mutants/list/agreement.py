"""What may reach the engine, and what the engine may say: cluster/raft."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/raft/amnesia.py",
        "return None if note.ended_in is None or body.term <= note.ended_in else body",
        "return None if note.ended_in is None else body",
        ("tests/raft/test_amnesia.py::"
         "test_with_the_entry_it_counts_again_but_never_votes_in_a_term_it_may_have_voted_in",)),
    Mutant(
        "cluster/raft/amnesia.py",
        "return changed(body, is_reset=False, is_success=False, sent_s=None)",
        "return body",
        ("tests/raft/test_amnesia.py::test_it_follows_and_promises_nothing",)),
    Mutant(
        "cluster/raft/amnesia.py",
        "return self._muted(body) if note.ended_in is None else body",
        "return body",
        ("tests/raft/test_amnesia.py::test_it_follows_and_promises_nothing",)),
    Mutant(
        "cluster/raft/amnesia.py",
        "if self._note is None or not self.lasts or applied < self._note.index:",
        "if self._note is None or not self.lasts:",
        ("tests/raft/test_amnesia.py::test_it_follows_and_promises_nothing",)),
    Mutant(
        "cluster/raft/amnesia.py",
        "return changed(body, is_granted=False)",
        "return body",
        ("tests/raft/test_amnesia.py::test_it_follows_and_promises_nothing",)),
    Mutant(
        "cluster/raft/filters.py",
        "if body.last_index <= engine.commit_index:  # hole 17",
        "if False:",
        ("tests/raft/test_holes.py::test_a_snapshot_of_what_is_applied_already_is_not_installed",)),
    Mutant(
        "cluster/raft/filters.py",
        "if self._is_bound():  # hole 10",
        "if False:",
        ("tests/raft/test_votes.py::test_who_hears_a_leader_votes_for_nobody_else",)),
    Mutant(
        "cluster/raft/filters.py",
        "if not self.is_heard(peer):",
        "if False:",
        ("tests/raft/test_members.py::test_a_removed_node_is_told_and_then_not_heard",)),
    Mutant(
        "cluster/raft/filters.py",
        "if body.term == known_term and leader != peer.name:",
        "if False:",
        ("tests/raft/test_votes.py::test_two_leaders_in_one_term_are_not_both_believed",)),
    Mutant(
        "cluster/raft/filters.py",
        "if term != body.term or term != self._engine.term:",
        "if False:",
        ("tests/raft/test_syncobj_replica.py::"
         "test_a_member_is_only_ever_itself_and_a_stranger_nobody",)),
    Mutant(
        "cluster/raft/filters.py",
        "if not self._engine.is_acceptable(body.command):",
        "if False:",
        ("tests/raft/test_holes.py::test_only_commands_of_ours_are_taken_from_peers",)),
    Mutant(
        "cluster/raft/filters.py",
        "body = changed(body, commit_index=min(body.commit_index, engine.commit_index))",
        "body = changed(body)",
        ("tests/raft/test_holes.py::"
         "test_a_message_that_proves_nothing_about_the_log_commits_nothing",)),
    Mutant(
        "cluster/raft/filters.py",
        "if peer.name not in self._engine.other_voters:",
        "if False:",
        ("tests/raft/test_members.py::test_the_vote_of_who_has_none_is_dropped",)),
    Mutant(
        "cluster/raft/filters.py",
        "is_granted = not self._is_bound() and body.term > engine.term and theirs >= ours",
        "is_granted = body.term > engine.term and theirs >= ours",
        ("tests/raft/test_votes.py::test_a_leader_unheard_for_long_is_given_up",)),
    Mutant(
        "cluster/raft/filters.py",
        "self._votes[1][peer.name] = self._lease.confirmed_before_s(body.quiet_s)",
        "self._votes[1][peer.name] = 0.0",
        ("tests/raft/test_votes.py::test_a_leader_knows_until_when_others_may_have_led",)),
    Mutant(
        "cluster/raft/filters.py",
        "engine.must_not_conflict(previous, peer.name)",
        "pass",
        ("tests/raft/test_holes.py::test_an_applied_entry_that_a_leader_contradicts_is_fatal",)),
    Mutant(
        "cluster/raft/filters.py",
        "if body.term != term:  # hole 7: sent in a term its sender has left since",
        "if False:",
        ("tests/raft/test_filters_hold.py::"
         "test_what_a_leader_said_before_it_left_its_term_is_dropped",)),
    Mutant(
        "cluster/raft/filters.py",
        "if term != engine.term:  # hole 7: of another leadership",
        "if False:",
        ("tests/raft/test_holes.py::"
         "test_an_acknowledgement_of_an_earlier_leadership_counts_nothing",)),
    Mutant(
        "cluster/raft/filters.py",
        "if body.is_success and body.next_index > engine.last_index + 1:",
        "if False:",
        ("tests/raft/test_holes.py::test_an_acknowledgement_beyond_the_log_is_dropped",)),
    Mutant(
        "cluster/raft/filters.py",
        "if any(entry[1] != previous + 1 + at for at, entry in enumerate(entries)):",
        "if False:",
        ("tests/raft/test_holes.py::test_a_gap_between_entries_is_dropped",)),
    Mutant(
        "cluster/raft/filters.py",
        "if peer.name in self._votes[1]:  # hole 8",
        "if False:  # hole 8",
        ("tests/raft/test_votes.py::test_a_vote_delivered_twice_is_one_vote",)),
    Mutant(
        "cluster/raft/lease.py",
        "self._loyal_until_s = clock.boottime_s() + raft_min_s",
        "self._loyal_until_s = 0.0",
        ("tests/raft/test_votes.py::"
         "test_a_voter_that_restarted_is_loyal_to_whom_it_may_have_heard",)),
    Mutant(
        "cluster/raft/lease.py",
        "self.earlier_until_s = max(self._confirms_until_s, *last_confirmed_s, 0.0)",
        "self.earlier_until_s = max([*last_confirmed_s, 0.0])",
        ("tests/raft/test_votes.py::test_what_the_leader_itself_confirmed_counts_too",)),
    Mutant(
        "cluster/raft/lease.py",
        "if round_ == self.round:",
        "if True:",
        ("tests/raft/test_votes.py::test_of_two_who_would_stand_at_once_one_gives_way",)),
    Mutant(
        "cluster/raft/lease.py",
        "if quiet_s is None or not quiet_s >= 0:",
        "if quiet_s is None:",
        ("tests/raft/test_votes.py::"
         "test_a_vote_that_says_nothing_may_be_of_one_who_confirmed_just_now",)),
    Mutant(
        "cluster/raft/lease.py",
        "self._confirms_until_s = clock.boottime_s()\n"
        "        self.majority_heard_s",
        "self._confirms_until_s = 0.0\n"
        "        self.majority_heard_s",
        ("tests/raft/test_votes.py::test_and_forgets_that_it_did_by_no_restart",)),
    Mutant(
        "cluster/raft/lease.py",
        "return sorted(moments, reverse=True)[(len(moments) + 1) // 2 - 1]",
        "return max(moments)",
        ("tests/raft/test_lease_rules.py::test_one_of_four_others_is_no_majority",)),
    Mutant(
        "cluster/raft/lease.py",
        "if sent_s is not None and self.elected_at_s <= sent_s <= self._clock.boottime_s():",
        "if sent_s is not None:",
        ("tests/raft/test_lease_rules.py::"
         "test_a_round_that_this_leadership_did_not_begin_confirms_nothing",)),
    Mutant(
        "cluster/raft/lease.py",
        "return len(self._granted & self.voters) >=",
        "return len(self._granted) >=",
        ("tests/raft/test_lease_rules.py::test_who_only_listens_grants_no_pre_vote",)),
    Mutant(
        "cluster/raft/members.py",
        "return bool(after.voters) and len(before.voters ^ after.voters) <= 1",
        "return bool(after.voters)",
        ("tests/raft/test_members.py::test_a_change_of_two_votes_is_refused",)),
    Mutant(
        "cluster/raft/members.py",
        "while self._found and self._found[-1][0] >= index:",
        "while self._found and self._found[-1][0] > index:",
        ("tests/raft/test_members.py::test_a_change_that_was_cut_off_counts_no_longer",)),
    Mutant(
        "cluster/raft/members.py",
        "if voters == now.voters or reached * 2 > len(voters):",
        "if True:",
        ("tests/raft/test_members.py::test_a_living_node_is_not_removed_while_another_is_dead",)),
    Mutant(
        "cluster/raft/members.py",
        "if not peer.votes and peer.name in wanted_voters and peer.name in caught_up:",
        "if not peer.votes and peer.name in wanted_voters:",
        ("tests/raft/test_members.py::test_a_new_node_that_is_down_costs_nothing",)),
    Mutant(
        "cluster/raft/members.py",
        "if not change.members.voters:",
        "if False:",
        ("tests/raft/test_lease_rules.py::"
         "test_a_membership_in_which_nobody_votes_is_not_counted_by",)),
    Mutant(
        "cluster/raft/outgoing.py",
        "next_index = max(2, min(self._engine.commit_index + 1, next_index))",
        "pass",
        ("tests/raft/test_holes.py::test_a_conflicting_tail_is_gone_back_at_once",)),
    Mutant(
        "cluster/raft/outgoing.py",
        "    if basis is None:\n"
        "            self._drops",
        "    if False:\n"
        "            self._drops",
        ("tests/raft/test_holes.py::"
         "test_entries_that_are_here_already_are_not_cut_and_added_again",)),
    Mutant(
        "cluster/raft/outgoing.py",
        "            next_index = proven_to + 1",
        "            pass",
        ("tests/raft/test_holes.py::test_an_acknowledgement_says_no_more_than_was_compared",)),
    Mutant(
        "cluster/raft/voter.py",
        "and self.transport.lease.left_s() > 0 and self.engine.has_applied_first_entry",
        "and self.engine.has_applied_first_entry",
        ("tests/raft/test_votes.py::test_the_lease_ends_with_the_majority",)),
    Mutant(
        "cluster/raft/lease.py",
        "self._loyal_s[peer] = min(self.loyal_s, said_s if said_s >= 0 else 0.0)",
        "self._loyal_s[peer] = self.loyal_s",
        ("tests/raft/test_loyalty.py::"
         "test_a_leader_of_a_longer_profile_is_no_leader_when_its_voters_elect_another",)),
    Mutant(
        "cluster/raft/lease.py",
        "min(self.loyal_s, said_s if said_s >= 0 else 0.0)",
        "said_s if said_s >= 0 else 0.0",
        ("tests/raft/test_lease_rules.py::"
         "test_a_leader_leads_no_longer_than_the_shortest_loyalty_of_its_majority",)),
    Mutant(
        "cluster/raft/transport.py",
        "body = changed(body, loyal_s=self.lease.loyal_s)",
        "pass",
        ("tests/raft/test_loyalty.py::"
         "test_every_acknowledgement_says_how_loyal_its_sender_is",)),
    Mutant(
        "cluster/raft/transport.py",
        "introduced_index if introduced_index > latest_index else 0)",
        "introduced_index > latest_index)",
        ("tests/raft/test_members.py"
         "::test_a_later_introduction_counts_even_before_the_log_has_come",)),
    Mutant(
        "cluster/raft/transport.py",
        'named = {peer: self._introduced[1].get(peer, ""), **{',
        "named = {**{",
        ("tests/raft/test_members.py"
         "::test_a_later_introduction_counts_even_before_the_log_has_come",)),
    Mutant(
        "cluster/residence.py",
        "        self._heard_s = self._clock.boottime_s()\n        while",
        "        while",
        ("tests/core/test_residence.py::"
         "test_a_daemon_that_has_just_started_has_heard_nobody_yet",)),
    Mutant(
        "cluster/residence.py",
        "self._heard_s = max(self._heard_s, replica.heard_at_s())",
        "self._heard_s = replica.heard_at_s()",
        ("tests/core/test_residence.py::"
         "test_what_was_heard_before_its_disk_failed_counts_on",)),
    Mutant(
        "cluster/residence.py",
        "if silent_s > FORGOTTEN_S and not is_decisive(self._node, members.voters):",
        "if silent_s > FORGOTTEN_S:",
        ("tests/core/test_residence.py::"
         "test_whose_vote_decides_stays_however_long_the_others_are_silent",)),
]
