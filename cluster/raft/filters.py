"""What may reach the engine, and what the engine may say: its holes, closed one by one.

Each message is looked at as a typed value before PySyncObj sees it. The engine believes what it is
told: that an acknowledgement is of this term, that a vote is counted once, that a snapshot proves
what lies before it. Here it is made true. The numbers of holes are those of docs/consensus.md.

What must never happen here: an acknowledgement for more than was compared with the leader's log; a
commit index raised by a message that proved nothing about the log.
"""

from collections import Counter
from collections.abc import Callable

from cluster.raft.bounds import Terms, beyond_reason, is_other_snapshot
from cluster.raft.engine import GuardedEngine
from cluster.raft.journal import Write
from cluster.raft.lease import Lease, PreVotes
from cluster.raft.pin import Member
from cluster.raft.problems import Fatal, journal_older
from cluster.raft.wire import (
    Ack, Append, Body, Forward, Forwarded, HigherTerm, Install, Piece, PieceHeld, PreVote,
    PreVoteRequest, Regressed, Vote, VoteRequest
)
from packages.core.values import Value, changed

Post = Callable[[str, Body], None]
Deliver = Callable[[Member, Body], None]
Store = Callable[[Write, Callable[[], object]], None]

LONG_AGO_S = 1e9
"""The age of a quorum about which a message says nothing any more that has waited for the disk."""


class Basis(Value):
    """What the engine's next acknowledgement rests on: the leader's message it answers."""

    sent_s: float | None
    proven_to: int | None = None
    """The log here equals the leader's up to this index."""
    conflict_at: int | None = None
    """The leader's log has another entry here."""
    is_answer_wanted: bool = True


class Incoming:
    """`post` sends a message of our own; `deliver` gives a message to the engine; `store` writes a
    snapshot to disk in the next turn and goes on after that."""

    def __init__(
        self, engine: GuardedEngine, *, lease: Lease, pre_votes: PreVotes, post: Post,
        deliver: Deliver, store: Store, drops: Counter[str],
    ) -> None:
        self._engine, self._lease, self._pre_votes = engine, lease, pre_votes
        self._post, self._deliver, self._store, self._drops = post, deliver, store, drops
        self._votes: tuple[int, dict[str, float]] = (0, {})
        """Of the latest term: who voted -> when it had last confirmed a round."""
        self._acked: tuple[int, dict[str, int]] = (0, {})
        """As the leader of a term: how far each peer has acknowledged in it, in whatever life."""
        self._leader_of: tuple[int, str] = (0, "")
        self.terms = Terms()
        self.vouched: Callable[[str, bytes], bytes] = lambda peer, command: command
        """(peer, the machine's command that it forwards) -> the command, naming that peer."""
        self.refused: Callable[[str, str, str], None] = lambda peer, reason, words: None
        """Hears of what no honest node says."""
        self.basis: Basis | None = None
        """Of the message the engine is being given; `Outgoing` reads it."""

    def admit(self, peer: Member, term: int, body: Body) -> bool:
        """`term` is the sender's own. True when the engine has something to do."""
        engine = self._engine
        beyond = beyond_reason(
            body, term=term, last_index=engine.last_index, highest=self.terms.highest(
                engine.term, engine.members.names, now_s=self._lease.now_s(),
                heard_at_s=self._lease.heard_at_s()),
        )
        if beyond is not None:
            return self._refuse(peer, beyond, f"its {type(body).__name__} was dropped")
        match body:
            case Append() | Install() | Piece():
                return self._from_leader(peer, term, body)
            case PieceHeld():
                return self._piece_held(peer, term, body)
            case Ack():
                return self._ack(peer, term, body)
            case Vote():
                return self._vote(peer, term, body)
            case VoteRequest():
                return self._vote_request(peer, body)
            case PreVoteRequest():
                return self._pre_vote_request(peer, body)
            case PreVote():
                return self._pre_vote(peer, term, body)
            case HigherTerm():
                return self._higher_term(term)
            case Regressed():
                return self._heard_regressed(peer, term, body)
            case Forward():
                if not self.is_heard(peer):
                    return self._drop("removed")
                if not self._engine.is_acceptable(body.command):
                    return self._drop("unacceptable-command")
                return self._give(
                    peer, changed(body, command=self._vouched(peer.name, body.command)))
            case Forwarded():
                self._give(peer, body)
                return False
            case _:
                return self._drop("not-for-the-engine")

    def is_heard(self, peer: Member) -> bool:
        """Whether it may propose: a node that was removed is still told of it for a while."""
        return peer.name in self._engine.members.names

    def heed(self, peer: Member, term: int, body: Body) -> Ack | None:
        """Of a message that has to wait: that its sender is there. What may be answered at once
        promises nothing about the log."""
        engine = self._engine
        match body:
            case Append() | Install() | Piece():
                if body.term == term == engine.term and self._leader_of == (term, peer.name):
                    self._lease.heard_leader(body.quorum_age_s)
                    engine.heard_leader()
                    return heard(1, body.sent_s)
            case Ack():
                if term == engine.term and engine.is_leading and peer in engine.match_index:
                    self._lease.confirmed(peer.name, body.sent_s, body.loyal_s)
                    engine.heard_from(peer)
        return None

    def became_leader(self) -> None:
        term, votes = self._votes
        self._lease.elected(votes.values() if term == self._engine.term else ())
        self._leader_of = (self._engine.term, self._engine.name)
        self._pre_votes.forget()
        self._engine.store.sending.clear()

    def _drop(self, reason: str) -> bool:
        self._drops[reason] += 1
        return False

    def _vouched(self, peer: str, command: bytes) -> bytes:
        return command[:1] + self.vouched(peer, command[1:])

    def _refuse(self, peer: Member, reason: str, words: str) -> bool:
        """What no honest node says: said loudly."""
        self.refused(peer.name, reason, words)
        return self._drop(reason)

    def _give(self, peer: Member, body: Body, basis: Basis | None = None) -> bool:
        self.basis = basis
        try:
            self._deliver(peer, body)
        finally:
            self.basis = None
        return True

    # What a leader sends

    def _from_leader(self, peer: Member, term: int, body: Append | Install | Piece) -> bool:
        if body.term != term:  # hole 7: sent in a term its sender has left since
            return self._drop("left-term")
        if body.term < self._engine.term:
            self._drops["earlier-term"] += 1
            self._post(peer.name, HigherTerm())
            return True
        known_term, leader = self._leader_of
        if body.term == known_term and leader != peer.name:
            return self._refuse(
                peer, "two-leaders", f"it says that it leads in term {known_term}, as {leader} did")
        self._leader_of = (body.term, peer.name)
        self._lease.heard_leader(body.quorum_age_s)
        self._pre_votes.forget()
        if isinstance(body, Install):
            return self._install(peer, body)
        if isinstance(body, Piece):
            return self._piece(peer, body)
        return self._append(peer, body)

    def _append(self, peer: Member, body: Append) -> bool:
        engine, basis = self._engine, Basis(
            sent_s=body.sent_s, is_answer_wanted=body.is_answer_wanted)
        first, last = engine.log[0][1], engine.last_index
        previous, previous_term = body.previous_index, body.previous_term
        entries = body.entries
        if previous is None or previous_term is None or previous > last:
            # The engine answers with where its log ends.
            return self._give(peer, changed(body, commit_index=0, entries=[]), basis)
        if any(entry[1] != previous + 1 + at for at, entry in enumerate(entries)):
            return self._drop("gap-in-entries")
        if any(entry[2] > body.term for entry in entries):
            return self._refuse(peer, "entry-of-a-later-term", "no leader has such an entry")
        proven_to = max(first, previous + len(entries))
        if previous < first:  # below the snapshot everything is committed, hence identical
            entries = entries[first - previous:]
            previous, previous_term = first, engine.log[0][2]
        if not engine.has_entry(previous, previous_term):
            engine.must_not_conflict(previous, peer.name)
            asked = changed(
                body, commit_index=0, entries=[], previous_index=previous,
                previous_term=previous_term,
            )
            return self._give(peer, asked, changed(basis, conflict_at=previous))
        kept = changed(
            self._without_known(peer, body, previous, entries),
            commit_index=min(body.commit_index, proven_to),  # hole 1
        )
        return self._give(peer, kept, changed(basis, proven_to=proven_to))

    def _without_known(
        self, peer: Member, body: Append, previous: int, entries: list[tuple[bytes, int, int]],
    ) -> Append:
        """Hole 6: the engine cuts its log after `previous` and appends anew, also what it has.
        Only entries that are really new or really different may reach it."""
        engine = self._engine
        known = 0
        while known < len(entries) and engine.has_entry(entries[known][1], entries[known][2]):
            known += 1
        if known == len(entries):
            at, at_term = engine.last_index, engine.last_term  # nothing new: nothing is cut
        else:
            engine.must_not_conflict(entries[known][1], peer.name)
            at = previous + known
            at_term = engine.log[at - engine.log[0][1]][2]
        return changed(body, previous_index=at, previous_term=at_term, entries=entries[known:])

    def _install(self, peer: Member, body: Install) -> bool:
        engine, basis = self._engine, Basis(sent_s=body.sent_s)
        # Hole 1: a snapshot says nothing about entries that are only in the log here.
        body = changed(body, commit_index=min(body.commit_index, engine.commit_index))
        if body.snapshot is None:  # hole 22: the engine would not answer, and its leader give up
            self._give(peer, body, basis)
            self._post(peer.name, heard(1, body.sent_s))
            return True
        if engine.has_entry(body.last_index, body.last_term):
            # The log here reaches as far; what lies beyond may be acknowledged and must stay.
            engine.know_committed(body.last_index)
        if body.last_index <= engine.commit_index:  # hole 17
            self._give(peer, changed(body, snapshot=None), basis)
            self._post(peer.name, matching(engine.commit_index + 1, body.sent_s))
            return True
        store, raw = engine.store, body.snapshot
        if not store.has_received(raw):
            # Others may have spoken before it is on disk: it is looked at once more then.
            store.judge(raw, lambda index, of: is_other_snapshot(body, index, of))
            self._store(lambda: store.receive(raw), lambda: self.admit(
                peer, body.term, changed(body, quorum_age_s=LONG_AGO_S)))
            return True
        engine.has_loaded_snapshot = False
        return self._give(peer, body, basis)

    def _piece(self, peer: Member, body: Piece) -> bool:
        engine, coming = self._engine, self._engine.store.coming
        if body.last_index <= engine.commit_index:
            self._post(peer.name, matching(engine.commit_index + 1, body.sent_s))
        elif coming.is_next(peer.name, body):
            self._store(lambda: coming.write(body), lambda: self._piece_written(peer, body))
        else:
            self._post(peer.name, coming.answer(peer.name, body))
        return True

    def _piece_written(self, peer: Member, body: Piece) -> None:
        coming = self._engine.store.coming
        coming.wrote(peer.name, body)
        if coming.is_whole():
            self._store(coming.gather, lambda: self._gathered(peer, body))
        else:
            self._post(peer.name, coming.answer(peer.name, body))

    def _gathered(self, peer: Member, last: Piece) -> None:
        """As if it had come in one message: it is judged as that is."""
        self.admit(peer, last.term, Install(
            term=last.term, commit_index=0, last_index=last.last_index, last_term=last.last_term,
            snapshot=self._engine.store.coming.taken(), sent_s=last.sent_s,
            quorum_age_s=LONG_AGO_S))

    # What peers answer

    def _ack(self, peer: Member, term: int, body: Ack) -> bool:
        engine = self._engine
        if term != engine.term:  # hole 7: of another leadership
            return self._drop("ack-of-another-term")
        if not engine.is_leading or peer not in engine.match_index:
            return self._drop("ack-to-no-leader")
        if body.is_success and body.next_index > engine.last_index + 1:
            return self._drop("ack-beyond-log")
        if self._has_lost(peer, body):
            return self._drop("regressed")
        self._lease.confirmed(peer.name, body.sent_s, body.loyal_s)
        engine.store.sending.answered(peer.name, body.sent_s)
        if body.is_reset and not body.is_success:  # a reset never undoes what was acknowledged
            least = max(2, engine.match_index[peer] + 1)
            body = changed(body, next_index=max(body.next_index, least))
        before = engine.next_index[peer]
        self._give(peer, body)
        if body.is_success and not body.is_reset:
            self._stay_ahead(peer, before)
        return body.is_reset or engine.commit_index < engine.last_index

    def _piece_held(self, peer: Member, term: int, body: PieceHeld) -> bool:
        engine, store = self._engine, self._engine.store
        if term != engine.term or not engine.is_leading or peer not in engine.match_index:
            return self._drop("ack-to-no-leader")
        if store.sending.held(peer.name, body):
            piece = store.piece_due(peer.name, term=term, lease=self._lease)
            if piece is not None:
                self._post(peer.name, piece)
        return True

    def _has_lost(self, peer: Member, body: Ack) -> bool:
        """Whether it was put back, its mark with it: its log ends before what it acknowledged to
        this leader, and nobody else may cut that off in this term. Nothing of it is counted."""
        if self._acked[0] != self._engine.term:
            self._acked = self._engine.term, {}
        acked = self._acked[1].get(peer.name, 0)
        if body.is_success:
            self._acked[1][peer.name] = max(acked, body.next_index - 1)
        elif body.last_index is not None and body.last_index < acked:
            self._post(peer.name, Regressed(index=acked))
            return True
        return False

    def _heard_regressed(self, peer: Member, term: int, body: Regressed) -> bool:
        """Only the leader whose entries this life has taken can have its word for any."""
        if self._leader_of != (term, peer.name):
            return self._refuse(peer, "regressed-by-no-leader", "only a leader can know that")
        self.regressed(peer, term, body)
        return False

    def regressed(self, peer: Member, term: int, body: Regressed) -> None:
        """Raises Fatal if it is so."""
        engine = self._engine
        if term >= engine.term and engine.last_index < body.index:
            raise Fatal(journal_older(
                engine.name, f"{peer.name}, which leads, has this node's word for entries up to "
                f"{body.index}; the journal here ends at {engine.last_index}."))

    def _stay_ahead(self, peer: Member, before: int) -> None:
        """Hole 6: or all that is under way is sent again."""
        self._engine.next_index[peer] = max(before, self._engine.next_index[peer])

    def _vote(self, peer: Member, term: int, body: Vote) -> bool:
        if term != body.term or term != self._engine.term:
            return self._drop("vote-of-another-term")
        if peer.name not in self._engine.other_voters:
            return self._drop("vote-without-right")
        if self._votes[0] != term:
            self._votes = (term, {})
        if peer.name in self._votes[1]:  # hole 8: the engine counts votes, not voters
            return self._drop("second-vote")
        self._votes[1][peer.name] = self._lease.confirmed_before_s(body.quiet_s)
        return self._give(peer, body)

    def _vote_request(self, peer: Member, body: VoteRequest) -> bool:
        if self._is_bound():  # hole 10
            return self._drop("loyal-to-leader")
        return self._give(peer, body)

    def _pre_vote_request(self, peer: Member, body: PreVoteRequest) -> bool:
        engine = self._engine
        theirs, ours = (body.last_term, body.last_index), (engine.last_term, engine.last_index)
        is_granted = not self._is_bound() and body.term > engine.term and theirs >= ours
        if is_granted and theirs == ours and self._pre_votes.is_open() and engine.name < peer.name:
            is_granted = False  # it grants ours
            self._drops["rival"] += 1
        if is_granted:
            self._pre_votes.give_way()
        self._post(peer.name, PreVote(round=body.round, is_granted=is_granted))
        return False

    def _pre_vote(self, peer: Member, term: int, body: PreVote) -> bool:
        if self._engine.is_leading:
            return self._drop("pre-vote-to-leader")
        if not body.is_granted:
            return self._higher_term(term)
        self._pre_votes.granted(peer.name, body.round)
        return self._pre_votes.has_majority()

    def _higher_term(self, term: int) -> bool:
        if term <= self._engine.term:
            return False
        self._engine.follow(term)
        return True

    def _is_bound(self) -> bool:
        """To the leader this node heard, or to itself while its lease lasts."""
        if self._engine.is_leading:
            return self._lease.left_s() > 0
        return self._lease.is_loyal()


def heard(next_index: int, sent_s: float | None) -> Ack:
    return Ack(next_index=next_index, is_reset=False, is_success=False, sent_s=sent_s)


def matching(next_index: int, sent_s: float | None) -> Ack:
    return Ack(next_index=next_index, is_reset=True, is_success=True, sent_s=sent_s)
