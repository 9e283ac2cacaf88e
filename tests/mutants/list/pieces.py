"""A snapshot in pieces: cluster/raft/pieces.py and who uses it."""

from tests.mutants.mutant import Mutant

HERE = "tests/raft/test_pieces.py::"
ANOTHERS = HERE + "test_what_came_does_not_go_on_with_another_ones_pieces"
NEXT = HERE + "test_only_who_has_taken_a_piece_gets_the_next_at_once"
CUT = HERE + "test_the_journal_waits_to_be_cut_while_somebody_is_sent_what_it_goes_on_from"

MUTANTS = [
    Mutant(
        "cluster/raft/pieces.py",
        "return self._held if self._of == (peer, extent_of(piece)) else 0",
        "return self._held",
        (ANOTHERS,)),
    Mutant(
        "cluster/raft/pieces.py",
        "return piece.offset == self._held_of(peer, piece)",
        "return piece.offset <= self._held_of(peer, piece)",
        (ANOTHERS,)),
    Mutant(
        "cluster/raft/pieces.py",
        "if piece.offset + len(piece.raw) > piece.size or not piece.raw:",
        "if not piece.raw:",
        (ANOTHERS,)),
    Mutant(
        "cluster/raft/pieces.py",
        "if towards is None or towards.extent != extent_of(said) or said.offset > said.size:",
        "if towards is None or said.offset > said.size:",
        (NEXT,)),
    Mutant(
        "cluster/raft/pieces.py",
        "if towards is None or towards.extent != extent_of(said) or said.offset > said.size:",
        "if towards is None or towards.extent != extent_of(said):",
        (NEXT,)),
    Mutant(
        "cluster/raft/pieces.py",
        "if towards.sent_at_s is not None and towards.answered_s < towards.sent_at_s + RETRY_S:",
        "if towards.sent_at_s is not None and now_s < towards.sent_at_s + RETRY_S:",
        (HERE + "test_nothing_is_sent_again_to_one_that_the_first_copy_has_not_reached",)),
    Mutant(
        "cluster/raft/pieces.py",
        "return now_s - self._busy_since_s < MOST_BUSY_S",
        "return True",
        (HERE + "test_a_peer_that_takes_for_ever_does_not_keep_journals_from_being_cut",)),
    Mutant(
        "cluster/raft/snapshot.py",
        "if self._writing is not None or self._is_cooling_down() or self.sending.is_busy():",
        "if self._writing is not None or self._is_cooling_down():",
        (CUT,)),
    Mutant(
        "cluster/raft/snapshot.py",
        "        if len(snapshot.state) > self.most_state_bytes:",
        "        if False:",
        (HERE + "test_a_state_nobody_could_read_is_not_written",)),
    Mutant(
        "cluster/raft/engine.py",
        "        self.store.sending.forget(member.name)\n",
        "",
        (HERE + "test_who_is_started_anew_gets_it_from_the_beginning",)),
    Mutant(
        "cluster/raft/filters.py",
        "        if body.last_index <= engine.commit_index:\n"
        "            self._post(peer.name, matching(engine.commit_index + 1, body.sent_s))\n"
        "        elif coming",
        "        if coming",
        (HERE + "test_who_has_it_by_now_is_not_given_it",)),
]
