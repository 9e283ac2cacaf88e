"""The leader's share of leases: granting them, and what may be concluded from silence.

The arithmetic and its proof stand in `lease.py`; the node's side is `leasing.py`. What must never
happen here: a grant to a node that is not in the record as taking part with this very incarnation;
a grant by a leader whose beginning is not yet in the record.
"""

from collections.abc import Callable, Iterable

from cluster.clock import Clock
from cluster.config.schema import Timings
from cluster.core import leases
from cluster.core.entries import CoordinatorBegan, Entry, NodeFailed
from cluster.core.floor import V0_2, floor_allows
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.model import UP, NodeRecord, may_be_lost
from cluster.ledger import Ledger
from cluster.nodes.lease import LeaseBook, new_lease_book
from cluster.nodes.links import Links
from cluster.nodes.terms import numbers_of, of_older_record
from packages.core.problem import Problem
from packages.core.values import Map, changed

NEW = 2
"""Times of suspicion for which a coordinator waits with what a lost owner may bring back whole."""

STANDS_STILL = 2
"""What of the time of suspicion the leader itself may have stood still: with a heartbeat more, the
others' silence is still shorter than that time."""

OUTAGE_SHARE = 0.5
"""Of a lease: a new leader begins to count no longer than this before its election. A node that was
without any leader for longer may need long to find the new one: it has the rest of the lease."""

LATE_S = 0.001
"""Somebody is suspected just after the moment, not at it."""


class Landlord:
    """The leader's side: one book for each leadership, and what it proves."""

    def __init__(self, *, node: str, timings: Timings, clock: Clock, ledger: Ledger) -> None:
        self._node, self._timings, self._clock, self._ledger = node, timings, clock, ledger
        self._book: LeaseBook | None = None
        self._term = 0
        self._condemned: dict[str, str] = {}
        """Nodes about to be declared dead, with the incarnation that is."""
        self._doubted: dict[str, str] = {}
        """Declarations that may yet be applied, for all anybody knows: entry id -> node."""
        self._joined: dict[str, tuple[str, float]] = {}
        """Since when this leader knows the incarnation in the record: a node that has just joined
        has had no time to ask."""
        self._out: frozenset[str] = frozenset()
        """Nodes that were granted nothing when this leader last looked, because they were halted
        or had failed: one that is to run again has had no time to ask either."""
        self._looked_s = self._awake_since_s = clock.boottime_s()
        self.followed: Callable[[], str] = str
        """The last leader that this node asked."""
        self._patience_s: dict[str, float] = {}
        self._own = numbers_of(timings, "")
        self.links = Links(clock)

    @property
    def numbers(self) -> LeaseNumbers:
        """By which leases are granted, and silence is judged. In the record before anything is
        granted: this host's own count where no cluster is formed."""
        return leases.newest(self._ledger.state) or self._own

    def counted(self, node: str) -> tuple[float, float]:
        """The longest lease that this node may hold, and the margin to it, in seconds."""
        held = leases.held(self._ledger.state, node) or (self._own,)
        return max(each.lease_s for each in held), max(each.margin_s for each in held)

    def grant(self, node: str, incarnation: str, *, is_guarded: bool = True) -> float | None:
        """What is left of the asker's lease, counted from its sending; None: nothing is granted,
        and one that is not guarded wants nothing but to be heard."""
        received_at_s = self._clock.boottime_s()
        is_granting = self._opened() is not None
        book = self._book
        record = self._ledger.state.nodes.get(node)
        if book is None or record is None or self._term != self._ledger.replica.term():
            return None
        if not is_granting or record.state not in UP or record.incarnation != incarnation or (
                not is_guarded):
            # Heard all the same, also by a leader whose majority is silent: it may lead on.
            heard = book.heard_at_s.set(node, received_at_s)
            self._book = changed(book, heard_at_s=heard)
            return None
        if node in book.stopped and self._condemned.get(node) != incarnation:
            book = book.resume_granting(node)
        self._book, remaining_s = book.answer(
            node, received_at_s=received_at_s,
            quorum_at_s=self._ledger.replica.quorum_at_s(),
        )
        return remaining_s

    def _opened(self) -> LeaseBook | None:
        """The book of this leadership, once its beginning is in the record."""
        replica = self._ledger.replica
        if not replica.is_leader():
            # The book stays: what it answered in this term counts when the lease is good again.
            return None
        term = replica.term()
        if self._ledger.state.coordinator_term != term:
            return None
        if self._book is None or self._term != term:
            self._book = self._new_book(term)
        self._book = self._with_numbers(self._book)
        return self._book

    def _with_numbers(self, book: LeaseBook) -> LeaseBook:
        """As the record has them now."""
        spans = {name: self.counted(name) for name in self._ledger.state.nodes}
        longest_s = {name: lease_s for name, (lease_s, _) in spans.items()}
        margin_s = max((margin_s for _, margin_s in spans.values()), default=self._own.margin_s)
        lease_s = self.numbers.lease_s
        if (book.lease_s, book.margin_s, dict(book.longest_s)) == (lease_s, margin_s, longest_s):
            return book
        return changed(book, lease_s=lease_s, margin_s=margin_s, longest_s=Map(longest_s))

    def _new_book(self, term: int) -> LeaseBook:
        nodes, numbers = self._ledger.state.nodes, self.numbers
        elected_at_s = self._ledger.replica.elected_at_s()
        earlier_until_s = max(
            self._ledger.replica.earlier_until_s(),
            elected_at_s - OUTAGE_SHARE * numbers.lease_s)
        # Declarations of an older term are refused from here on.
        self._term, self._condemned, self._doubted = term, {}, {}
        self._joined = {
            name: (node.incarnation, earlier_until_s) for name, node in nodes.items()}
        return new_lease_book(
            elected_at_s=elected_at_s, earlier_until_s=earlier_until_s, lease_s=numbers.lease_s,
            margin_s=numbers.margin_s,
            dead=frozenset(name for name, node in nodes.items() if node.state not in UP),
        )

    async def begin(self) -> bool:
        """Have this leadership in the record; True once it is."""
        replica, term = self._ledger.replica, self._ledger.replica.term()
        state = self._ledger.state
        lacks_numbers = not state.leases and bool(state.nodes) and floor_allows(state, V0_2)
        if state.coordinator_term == term and not lacks_numbers:
            return True
        refused = await self._ledger.say(
            CoordinatorBegan, "it was elected", deadline_s=2.0, node=self._node, term=term,
            lease=of_older_record(state, self._own) if lacks_numbers else None)
        return refused is None and replica.is_leader() and replica.term() == term

    def heard(self) -> frozenset[str]:
        """Nodes that asked within the time after which one is suspected."""
        book, now_s = self._opened(), self._clock.boottime_s()
        if book is None:
            return frozenset()
        return frozenset(
            name for name, at_s in book.heard_at_s.items()
            if now_s - at_s <= self.numbers.suspect_s
        )

    def arrived(self) -> frozenset[str]:
        """Nodes that joined so lately that they have had no time to ask: that is life, too."""
        book, now_s = self._opened(), self._clock.boottime_s()
        if book is None:
            return frozenset()
        return frozenset(
            name for name, record in self._ledger.state.nodes.items() if record.state in UP
            and now_s - self._known_since_s(name, record.incarnation) <= self.numbers.suspect_s
        )

    def be_patient(self, name: str) -> None:
        """Its daemon goes away on purpose, perhaps for an upgrade: it has its lease's time."""
        self._patience_s[name] = self._clock.boottime_s() + self.numbers.lease_s

    def settled(self) -> bool:
        """Whether silence already says something: a new leader has not been asked by anyone."""
        book = self._opened()
        if book is None:
            return False
        return self._clock.boottime_s() >= book.elected_at_s + self.numbers.suspect_s

    def is_new(self) -> bool:
        """Whether nodes that were cut off together with it may only be on their way back: they hear
        of their leader, and join again, within the time after which two would be suspected."""
        book = self._opened()
        return book is None or (
            self._clock.boottime_s() < book.elected_at_s + NEW * self.numbers.suspect_s)

    def stop(self, death: NodeFailed) -> None:
        """Grant nothing to this life of the node any more: before its death is proposed, and until
        it is known what came of that."""
        book = self._opened()
        if book is not None:
            self._book = book.stop_granting(death.node)
            self._condemned[death.node] = death.incarnation
            self._doubted[death.id] = death.node

    def withdraw(self, entries: Iterable[Entry]) -> None:
        """They were not proposed after all, so nothing can come of them."""
        for each in entries:
            self._doubted.pop(each.id, None)

    def notice(self) -> None:
        """Called again and again, leading or not: a gap is a time this node itself stood still."""
        now_s, most_s = self._clock.boottime_s(), self.numbers.suspect_s / STANDS_STILL
        if now_s - self._looked_s > most_s or self._is_out_of_touch(now_s, most_s):
            self._awake_since_s = now_s
        self._looked_s = now_s

    def _is_out_of_touch(self, now_s: float, most_s: float) -> bool:
        """A leader that no majority has answered for so long may itself be the one cut off: who
        comes through first afterwards makes nobody else suspect."""
        replica = self._ledger.replica
        return self._book is not None and self._term == replica.term() and (
            not replica.is_leader() or now_s - replica.quorum_at_s() > most_s)

    def suspected(self) -> Map[str, str]:
        """Nodes silent for longer than one that is well can be -> in words for how long."""
        self.notice()
        book, now_s = self._opened(), self._clock.boottime_s()
        if book is None:
            return Map()
        return Map({
            name: f"silent for {now_s - self._silent_from_s(book, name):.1f} s"
            for name in sorted(self._ledger.state.nodes)
            if name != self._node and now_s > self._suspect_from_s(book, name)
        })

    def _silent_from_s(self, book: LeaseBook, name: str) -> float:
        """Silence while this node itself stood still says nothing about the others. Nobody asked a
        new leader before its election, so it counts from there; but the leader it followed until
        then was heard by those who elected it."""
        followed = name == self.followed()
        return max(
            book.heard_at_s.get(name, 0.0), self._ledger.replica.heard_from_s(name),
            self.links.passed_on_s(name),
            book.earlier_until_s if followed else book.elected_at_s, self._awake_since_s)

    def _suspect_from_s(self, book: LeaseBook, name: str) -> float:
        """One that lives answers a new leader's first word within a round."""
        return max(
            self._silent_from_s(book, name) + self.numbers.suspect_s,
            book.elected_at_s + self._timings.raft_append_s, self._patience_s.get(name, 0.0))

    def look_within_s(self, most_s: float) -> float:
        """Until somebody will be suspected, if that is sooner."""
        book, now_s = self._opened(), self._clock.boottime_s()
        if book is None:
            return most_s
        left_s = [self._suspect_from_s(book, name) - now_s for name in self._ledger.state.nodes
                  if name != self._node]
        return min([most_s, *(each + LATE_S for each in left_s if each >= 0)])

    def silences(self) -> Map[str, float]:
        """Nodes that are silent and could be proven dead -> in how many seconds their lease is over
        at the latest; not positive when it is."""
        book, heard, now_s = self._opened(), self.heard(), self._clock.boottime_s()
        if book is None or not self.settled():
            return Map()
        return Map({
            name: 0.0 if _is_proven(record) else self._over_at_s(book, name) - now_s
            for name, record in self._ledger.state.nodes.items()
            if name != self._node and name not in heard
        })

    def over(self) -> frozenset[str]:
        """Silent nodes of which it is known that whatever they were granted is over."""
        return frozenset(name for name, left_s in self.silences().items() if left_s <= 0)

    def _over_at_s(self, book: LeaseBook, name: str) -> float:
        known_s = self._known_since_s(name, self._ledger.state.nodes[name].incarnation)
        return max(book.dead_after_s(name), known_s + sum(self.counted(name)))

    def condemn(self) -> Map[str, str]:
        """Nodes whose lease is proven over, with the words for it. Granting to them stops here,
        before anybody hears of it."""
        book, now_s = self._opened(), self._clock.boottime_s()
        if book is None:
            return Map()
        self._let_in_again()
        found: dict[str, str] = {}
        for name, record in sorted(self._ledger.state.nodes.items()):
            if not may_be_lost(self._ledger.state, record) or (
                    name == self._node and not record.guardian_silent):
                continue
            lease_s, margin_s = self.counted(name)
            if record.state not in UP and now_s < book.silent_since_s(name) + lease_s + margin_s:
                continue  # halted, so granted nothing, and still at work on its guests' ends
            if now_s < self._over_at_s(book, name):
                continue
            book = book.stop_granting(name)
            self._condemned[name] = record.incarnation
            found[name] = _over(book, name, now_s, lease_s, margin_s)
        self._book = book
        return Map(found)

    def reset(self) -> Map[str, str]:
        """Nodes called dead by their lease whose watchdog has certainly reset them since: petted
        for the last time while the lease was good, or while its guests stood frozen."""
        book, now_s = self._opened(), self._clock.boottime_s()
        if book is None:
            return Map()
        found: dict[str, str] = {}
        for name, record in sorted(self._ledger.state.nodes.items()):
            if record.state in UP or record.watchdog_s <= 0 or name == self._node:
                continue
            over_s = max(self._over_at_s(book, name),
                         book.silent_since_s(name) + sum(self.counted(name)))
            if now_s >= over_s + record.watchdog_s:
                found[name] = (
                    f"its lease is over, and {record.watchdog} resets a host that hangs "
                    f"{record.watchdog_s:g} s after that")
        return Map(found)

    def _let_in_again(self) -> None:
        nodes = self._ledger.state.nodes
        out = frozenset(name for name, record in nodes.items() if record.state not in UP)
        for name in self._out - out:
            self._joined.pop(name, None)
        self._out = out

    def _known_since_s(self, name: str, incarnation: str) -> float:
        known = self._joined.get(name)
        if known is None or known[0] != incarnation:
            known = self._joined[name] = (incarnation, self._clock.boottime_s())
        return known[1]

    def pardon(self, entry: Entry, refused: Problem) -> None:
        """What was refused may not be true any more: who asks again is granted to again, unless
        it may yet be declared dead by an entry whose fate nobody knows."""
        if refused.code != "timed-out":
            self.withdraw([entry])
        elif isinstance(entry, NodeFailed):
            self._doubted[entry.id] = entry.node
        state = self._ledger.state
        self._doubted = {
            each: node for each, node in self._doubted.items() if each not in state.outcomes
        }
        self._condemned = {
            name: incarnation for name, incarnation in self._condemned.items()
            if name in self._doubted.values()
            or name in state.nodes and state.nodes[name].state not in UP
        }


def _is_proven(record: NodeRecord) -> bool:
    """Whether its lease is over by the record, whoever coordinates; a word alone may say that of
    one whose lease is good."""
    return record.state == "failed" and record.proof is not None and (
        record.proof.kind != "operator")


def _over(book: LeaseBook, name: str, now_s: float, lease_s: float, margin_s: float) -> str:
    """In words, that nothing granted to a node counts any more; one that asked for none, or was
    granted a shorter one, may have been heard a moment ago."""
    words = _silence(book, name, now_s)
    if name in book.heard_at_s and now_s - book.heard_at_s[name] < lease_s + margin_s:
        return (f"{words}, and without a lease: the last it was granted ended, with its margin of "
                f"{book.margin_s:g} s, {now_s - book.dead_after_s(name):.1f} s ago")
    return f"{words}; its lease of {lease_s:g} s and the margin of {margin_s:g} s are over"


def _silence(book: LeaseBook, name: str, now_s: float) -> str:
    """In words, how long nothing was granted to a node that is proven dead."""
    if name in book.heard_at_s:
        return f"silent for {now_s - book.heard_at_s[name]:.1f} s"
    return (
        f"silent since the election {now_s - book.elected_at_s:.1f} s ago, and what was granted "
        f"before it began {now_s - book.earlier_until_s:.1f} s ago at the latest"
    )
