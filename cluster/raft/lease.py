"""Who may lead, and until when: the leader's lease, the voters' loyalty to it, and the pre-vote.

The leader stamps each heartbeat with its clock; an acknowledgement brings the stamp back. Once a
majority has brought back stamps of at least t, nobody else can have been elected before
t + raft_min_s, because a voter that heard the leader refuses every candidate for that long (Raft
thesis 4.2.3, 6.4.1). The lease is a little shorter than that, for clocks that run differently.

A voter keeps its loyalty by its own raft_min_s, which is another than the leader's while a change
of the profile is under way: it says with each acknowledgement for how long. What a voter promised
is over after that, whatever the leader's own number is; a longer one than its own a leader does not
use. A voter of a release that does not say it counts with the leader's own, as it did before.

With its vote each voter says how long ago it last confirmed a heartbeat: no round of an earlier
leader that a majority confirmed began after the latest such moment of those who elected the next
one, because every such majority shares a member with them, and that member confirms nothing of an
older term after its vote.

What must never happen here: a lease computed from when an acknowledgement arrived instead of when
its heartbeat was sent; a voter that was restarted and forgot its loyalty, or what it confirmed.
"""

from collections.abc import Collection, Iterable

from cluster.clock import Clock

LEASE_SHARE = 0.9
"""Of raft_min_s: allows for clocks whose rates differ by a tenth, a thousand times the usual."""

RETRY_SHARE = 0.5
"""A pre-vote round that brought nothing is repeated after half of raft_min_s: an answer takes
milliseconds, and two candidates asking at once must draw apart."""


class Lease:
    """`voters` are the others who vote; who only listens confirms too, and counts for nothing."""

    def __init__(self, voters: Collection[str], *, clock: Clock, raft_min_s: float) -> None:
        self.voters = frozenset(voters)
        self._clock = clock
        self.loyal_s = raft_min_s
        """For how long this node votes for nobody else, once it has heard a leader."""
        self._confirmed_s: dict[str, float] = {}
        self._loyal_s: dict[str, float] = {}
        """Of others, as they said last; never longer than its own."""
        # A voter that restarts may have acknowledged a heartbeat just before.
        self._loyal_until_s = clock.boottime_s() + raft_min_s
        self.elected_at_s = 0.0
        self.earlier_until_s = 0.0
        """On the leader: no round of an earlier one that a majority confirmed began after this."""
        # So may what it confirmed, and led.
        self._confirms_until_s = clock.boottime_s()
        self.majority_heard_s = 0.0
        """On a follower: when its leader was last known to have a majority."""

    def now_s(self) -> float:
        return self._clock.boottime_s()

    def elected(self, last_confirmed_s: Iterable[float]) -> None:
        """When those who voted for this node confirmed anything last, as `confirmed_before_s`
        has it."""
        self.elected_at_s = self._clock.boottime_s()
        self.earlier_until_s = max(self._confirms_until_s, *last_confirmed_s, 0.0)
        self._confirmed_s = {}

    def stepped_down(self) -> None:
        """Up to now it may have counted itself among those who confirm its rounds."""
        self._confirms_until_s = self._clock.boottime_s()

    def quiet_s(self) -> float:
        """How long ago this node confirmed a round of anybody's last; to be said with a vote."""
        return self._clock.boottime_s() - self._confirms_until_s

    def confirmed_before_s(self, quiet_s: float | None) -> float:
        """By this node's clock, of a voter who says so now; one who says nothing may just have."""
        now_s = self._clock.boottime_s()
        if quiet_s is None or not quiet_s >= 0:  # so written that NaN is refused too
            return now_s
        return now_s - quiet_s

    def confirmed(self, peer: str, sent_s: float | None, loyal_s: float | None = None) -> None:
        """A peer acknowledged the heartbeat this leader sent then, and is loyal for so long."""
        if sent_s is not None and self.elected_at_s <= sent_s <= self._clock.boottime_s():
            self._confirmed_s[peer] = max(self._confirmed_s.get(peer, 0.0), sent_s)
            said_s = self.loyal_s if loyal_s is None else loyal_s
            self._loyal_s[peer] = min(self.loyal_s, said_s if said_s >= 0 else 0.0)

    def quorum_at_s(self) -> float:
        """When the last round that a majority has confirmed began; 0 before any."""
        if not self.voters:
            return self._clock.boottime_s()
        return self._of_majority([self._confirmed_s.get(peer, 0.0) for peer in self.voters])

    def _of_majority(self, moments: list[float]) -> float:
        """What so many of the others have reached that, with this node, they are a majority."""
        return sorted(moments, reverse=True)[(len(moments) + 1) // 2 - 1]

    def confirmed_at_s(self, peer: str) -> float:
        """When this leader sent the newest heartbeat that the peer has acknowledged; its election
        before any."""
        return self._confirmed_s.get(peer, self.elected_at_s)

    def confirmed_within(self, span_s: float) -> frozenset[str]:
        """Who has acknowledged a heartbeat that this leader sent no longer ago than this."""
        since_s = self._clock.boottime_s() - span_s
        return frozenset(peer for peer, at_s in self._confirmed_s.items() if at_s >= since_s)

    def quorum_age_s(self) -> float:
        """How old the proof of a majority is; the votes of the election are one too."""
        proven_s = max(self.quorum_at_s(), self.elected_at_s)
        return max(0.0, self._clock.boottime_s() - proven_s)

    def left_s(self) -> float:
        """What is left of the lease; not positive when there is none."""
        if not self.voters:
            return LEASE_SHARE * self.loyal_s
        ends_s = [self._confirmed_s.get(peer, 0.0) + LEASE_SHARE * self._loyal_s.get(peer, 0.0)
                  for peer in self.voters]
        return self._of_majority(ends_s) - self._clock.boottime_s()

    def heard_leader(self, quorum_age_s: float) -> None:
        now_s = self._confirms_until_s = self._clock.boottime_s()
        self._loyal_until_s = now_s + self.loyal_s
        self.majority_heard_s = max(self.majority_heard_s, now_s - max(0.0, quorum_age_s))

    def heard_at_s(self) -> float:
        """When a leader, this node included, was last known to have a majority."""
        return max(self.majority_heard_s, self.elected_at_s, self.quorum_at_s())

    def is_loyal(self) -> bool:
        """Somebody led so recently that no other candidate may be voted for."""
        return self._clock.boottime_s() < self._loyal_until_s


ANSWER_SHARE = 0.2
"""Of raft_min_s: within this a pre-vote is answered, if at all."""


class PreVotes:
    """Asks before standing: a node that was cut off, or whose clock stood still, would otherwise
    come back with a higher term and depose a leader that works.

    And so that two do not stand at once, and split the votes until the next timeout: whoever has
    granted a pre-vote gives way for a moment, and of two who ask each other one does."""

    def __init__(self, voters: Collection[str], *, clock: Clock, raft_min_s: float) -> None:
        self.voters = frozenset(voters)
        self._clock = clock
        self._retry_s = RETRY_SHARE * raft_min_s
        self._answer_s = ANSWER_SHARE * raft_min_s
        self._granted: set[str] = set()
        self._next_s = self._open_until_s = 0.0
        self.round = 0

    def has_majority(self) -> bool:
        """With this node's own vote."""
        return len(self._granted & self.voters) >= (len(self.voters) + 1) // 2

    def is_due(self) -> bool:
        return self._clock.boottime_s() >= self._next_s

    def begin_round(self, spread: float) -> int:
        """A new round's number; `spread`, from 0 to 1, keeps rival candidates apart."""
        self.forget()
        now_s = self._clock.boottime_s()
        self._next_s = now_s + self._retry_s * (1.0 + spread)
        self._open_until_s = now_s + self._answer_s
        return self.round

    def is_open(self) -> bool:
        """Answers to a round of this node's own may be under way."""
        return self._clock.boottime_s() < self._open_until_s

    def give_way(self) -> None:
        """Somebody else was granted a pre-vote: it has the time to be elected. No longer than
        that, since it may be unable to."""
        self.forget()
        self._next_s = max(self._next_s, self._clock.boottime_s() + self._retry_s)

    def forget(self) -> None:
        """Somebody leads, or the election began: grants of this round count no longer."""
        self.round += 1
        self._granted = set()
        self._open_until_s = 0.0

    def granted(self, peer: str, round_: int) -> None:
        if round_ == self.round:
            self._granted.add(peer)
