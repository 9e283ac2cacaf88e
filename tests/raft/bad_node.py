"""What one authenticated node may say: every kind of message, with numbers of every size in it.

Drawn by seed, so that what is red can be played again.
"""

import random
from collections.abc import Callable

from cluster.raft.members import Change, Peer, all_voting, encoded_change, members_of
from cluster.raft.snapshot import Snapshot, encoded
from cluster.raft.voter import Voter
from cluster.raft.wire import (
    WIRE_VERSION, Ack, Append, AskIndex, Body, Envelope, Forward, Forwarded, HigherTerm, Install,
    Introduction, Ping, PreVote, PreVoteRequest, Pulse, PulseAck, Regressed, TellIndex, Vote,
    VoteRequest
)
from packages.core.values import to_msgpack

HIGHEST = 1 << 62
SECONDS = (0.0, 1.0, -1.0, 1000.0, 1e308, -1e308, float("nan"), float("inf"), float("-inf"))
COMMANDS = (
    b"", b"\0x", b"\1", b"\2junk", b"\3junk", b"\4junk", bytes(300),
    encoded_change(Change(members=all_voting(["ape", "bee", "cat"]))),
    encoded_change(Change(members=members_of([
        Peer(name="ape"), Peer(name="bee"), Peer(name="cat"), Peer(name="zoe", votes=False)]))),
)


class BadNode:
    """Knows its victim's numbers, and says things around them and far beyond."""

    def __init__(self, seed: int, boot: int = 1) -> None:
        self.dice = random.Random(seed)
        self._boot, self._number = boot, 0

    def said_to(self, victim: Voter) -> bytes:
        engine = victim.engine
        return self.said(engine.term, engine.last_index, boot=victim.journal.boot)

    def said(self, term: int, index: int, *, boot: int) -> bytes:
        """To one of whom this is known."""
        dice = self.dice
        self._term, self._index = term, index
        body = self._body()
        self._number += 1
        return to_msgpack(Envelope(
            version=WIRE_VERSION, boot=self._boot, body=body,
            known_boot=dice.choice((0, 0, boot, self._near(1))),
            number=self._number if dice.random() < 0.98 else self._near(self._number),
            term=min(HIGHEST, dice.choice((getattr(body, "term", None) or term,
                                           term, term + 1, self._near(term)))),
        ))

    def _near(self, number: int) -> int:
        dice = self.dice
        return min(HIGHEST, dice.choice((
            0, 1, number, number + 1, max(0, number - 1), number + dice.randrange(50), 1 << 20,
            1 << 40, 1 << 61, HIGHEST, dice.randrange(HIGHEST))))

    def _chance(self) -> bool:
        return self.dice.random() < 0.5

    def _body(self) -> Body:
        kinds: tuple[Callable[[], Body], ...] = (
            self._append, self._install, self._ack, self._asked, self._answered, self._other)
        return self.dice.choice(kinds)()

    def _t(self) -> int:
        return min(HIGHEST, self.dice.choice((
            self._term, self._term, self._term + 1, self._near(self._term))))

    def _i(self) -> int:
        return self._near(self._index)

    def _s(self) -> float:
        return self.dice.choice(SECONDS)

    def _append(self) -> Body:
        previous = self._i()
        entries = [
            (self.dice.choice(COMMANDS), min(HIGHEST, previous + 1 + at), self._t())
            for at in range(self.dice.randrange(4))]
        return Append(
            term=self._t(), commit_index=self._i(), entries=entries, sent_s=self._s(),
            previous_index=self.dice.choice((previous, previous, None)),
            previous_term=self.dice.choice((self._t(), None)), quorum_age_s=self._s(),
            is_answer_wanted=self._chance())

    def _install(self) -> Body:
        snapshot = encoded(Snapshot(
            last=(b"\0x", self._i(), self._t()), previous=(b"", self._i(), self._t()), state=b"a"))
        return Install(
            term=self._t(), commit_index=self._i(), last_index=self._i(), last_term=self._t(),
            snapshot=self.dice.choice((None, b"", b"junk", snapshot, snapshot)), sent_s=self._s(),
            quorum_age_s=self._s())

    def _ack(self) -> Body:
        return Ack(
            next_index=self._i(), is_reset=self._chance(), is_success=self._chance(),
            sent_s=self._s(), last_index=self.dice.choice((None, self._i())),
            loyal_s=self.dice.choice((None, self._s())))

    def _asked(self) -> Body:
        return self.dice.choice((
            VoteRequest(term=self._t(), last_index=self._i(), last_term=self._t()),
            PreVoteRequest(
                round=self._i(), term=self._t(), last_index=self._i(), last_term=self._t()),
            Forward(command=self.dice.choice(COMMANDS), number=self._i()),
            AskIndex(number=self._i())))

    def _answered(self) -> Body:
        return self.dice.choice((
            Vote(term=self._t(), quiet_s=self._s()), HigherTerm(), HigherTerm(),
            PreVote(round=self.dice.randrange(9), is_granted=self._chance()),
            Forwarded(number=self._i(), index=self._i(), term=self._t(),
                      error=self.dice.choice((None, 0, 1, 5, self._i()))),
            TellIndex(number=self._i(), index=self._i())))

    def _other(self) -> Body:
        return self.dice.choice((
            Ping(members_index=self._i(), has_leader=self._chance()), Regressed(index=self._i()),
            Introduction(members_index=self._i(), peers=[("zoe", "rubbish", ["k"])]),
            Pulse(term=self._t(), sent_s=self._s(), quorum_age_s=self._s()),
            PulseAck(sent_s=self._s(), loyal_s=self._s())))
