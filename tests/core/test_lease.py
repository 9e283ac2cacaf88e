"""Leases: the rules one by one, then a model of elections that tries to break the promise."""

import heapq
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.config.schema import PROFILES
from cluster.nodes.lease import LeaseBook, LeaseHolder, new_lease_book, new_lease_holder

LEASE_S, MARGIN_S = PROFILES["lan"].lease_s, PROFILES["lan"].margin_s
DRIFT = 0.999 * MARGIN_S / (2 * LEASE_S + MARGIN_S)
"""The difference in rate that the margin covers when nothing else uses it (lease.py, 6)."""


def holder() -> LeaseHolder:
    return new_lease_holder(lease_s=10.0, token="0123456789abcdef")


def book(*, elected_at_s: float = 100.0, earlier_until_s: float = 100.0) -> LeaseBook:
    return new_lease_book(
        elected_at_s=elected_at_s, earlier_until_s=earlier_until_s, lease_s=10.0, margin_s=1.0)


def test_the_lease_runs_from_the_sending():
    asked, number = holder().ask(50.0)
    assert asked.answered(number, 8.0).expiry_s == 58.0


def test_no_answer_gives_more_than_a_lease():
    asked, number = holder().ask(50.0)
    assert asked.answered(number, 1e9).expiry_s == 60.0


@pytest.mark.parametrize("remaining_s", [0.0, -1.0, math.nan, -math.inf])
def test_an_answer_that_grants_nothing_changes_nothing(remaining_s):
    asked, number = holder().ask(50.0)
    assert asked.answered(number, remaining_s) == asked


def test_repeated_unknown_and_overtaken_answers_are_ignored():
    asked, first = holder().ask(50.0)
    asked, second = asked.ask(51.0)
    after = asked.answered(second, 5.0)
    assert after.expiry_s == 56.0
    assert after.answered(second, 9.0) == after
    assert after.answered(first, 10.0) == after
    assert after.answered(second + 1, 10.0) == after


def test_a_request_is_forgotten_after_a_lease():
    asked, first = holder().ask(50.0)
    asked, _ = asked.ask(60.0)
    assert asked.answered(first, 10.0) == asked
    assert len(asked.asked) == 1


def test_the_expiry_only_grows():
    asked, first = holder().ask(50.0)
    asked = asked.answered(first, 10.0)
    asked, second = asked.ask(51.0)
    assert asked.answered(second, 1.0).expiry_s == 60.0


def test_two_lives_of_a_daemon_number_differently():
    _, one = new_lease_holder(lease_s=1.0, token="0123456789abcdef").ask(1.0)
    _, two = new_lease_holder(lease_s=1.0, token="fedcba9876543210").ask(1.0)
    assert one != two and max(one, two) < 2**53


def test_the_coordinator_grants_from_its_last_confirmed_round():
    _, remaining_s = book().answer("n1", received_at_s=120.0, quorum_at_s=119.0)
    assert remaining_s == 9.0


@pytest.mark.parametrize("quorum_at_s", [110.0, 0.0])
def test_a_coordinator_without_a_majority_for_a_lease_grants_nothing(quorum_at_s):
    after, remaining_s = book().answer("n1", received_at_s=120.0, quorum_at_s=quorum_at_s)
    assert remaining_s is None
    assert after.dead_after_s("n1") == book().dead_after_s("n1")
    assert after.silent_since_s("n1") == 120.0


def test_granting_stops_before_death_and_death_waits_for_what_was_granted():
    granted, _ = book().answer("n1", received_at_s=120.0, quorum_at_s=120.0)
    assert not granted.may_declare_dead("n1", 1000.0), "granting goes on"
    stopped = granted.stop_granting("n1")
    assert stopped.answer("n1", received_at_s=121.0, quorum_at_s=121.0)[1] is None
    assert not stopped.may_declare_dead("n1", 130.999)
    assert stopped.may_declare_dead("n1", 131.0)


def test_a_new_coordinator_waits_for_what_its_predecessors_granted():
    stopped = book(elected_at_s=100.0, earlier_until_s=98.0).stop_granting("n1")
    assert stopped.silent_since_s("n1") == 100.0
    assert not stopped.may_declare_dead("n1", 108.999)
    assert stopped.may_declare_dead("n1", 109.0)


def test_what_it_granted_itself_counts_from_its_answer():
    granted, _ = book(earlier_until_s=98.0).answer("n1", received_at_s=120.0, quorum_at_s=120.0)
    assert granted.dead_after_s("n1") == 131.0


def test_a_node_heard_again_is_granted_again():
    back = book().stop_granting("n1").resume_granting("n1")
    back, remaining_s = back.answer("n1", received_at_s=120.0, quorum_at_s=120.0)
    assert remaining_s == 10.0
    assert not back.may_declare_dead("n1", 1000.0)


def test_the_dead_of_the_record_get_no_lease_from_a_new_coordinator():
    opened = new_lease_book(
        elected_at_s=1.0, earlier_until_s=1.0, lease_s=10.0, margin_s=1.0,
        dead=frozenset({"n1"}),
    )
    assert opened.answer("n1", received_at_s=1.0, quorum_at_s=1.0)[1] is None
    assert opened.answer("n2", received_at_s=1.0, quorum_at_s=1.0)[1] == 10.0


class Coordinator:
    """One term's leader in the model; it never learns by itself that it was deposed."""

    def __init__(self, *, name: int, term: int, book: LeaseBook) -> None:
        self.name, self.term, self.book = name, term, book
        self.quorum_at_s = 0.0
        self.has_ended = False


OpenBook = Callable[[float, list[float], frozenset[str]], LeaseBook]
"""(now, when those who voted for it last confirmed a round, itself first, and the dead), all by
the new coordinator's clock."""


class Model:
    """Nodes with clocks of their own rate, and messages late, lost and doubled, in real time.

    Elections and rounds follow Raft as far as leases rest upon it: a node confirms rounds of its
    newest term only, a coordinator needs a majority to be elected, to confirm and to commit. Who
    is restarted remembers its term, and not what it confirmed.
    """

    END_S = 60.0

    def __init__(
        self, *, nodes: int, rates: list[float], seed: int,
        open_book: OpenBook, forgets: bool = False,
    ) -> None:
        self.dice = random.Random(seed)
        self.forgets = forgets
        """Broken: who was restarted believes that it has confirmed nothing."""
        self.rates = rates
        self.offsets = [self.dice.uniform(1000, 9000) for _ in range(nodes)]
        self.now_s = 0.0
        self.terms = [0] * nodes
        self.confirmed_s = [self.clock(node) for node in range(nodes)]
        """When each last confirmed a round, by its own clock."""
        self.holders = [
            new_lease_holder(lease_s=LEASE_S, token=f"{self.dice.getrandbits(64):016x}")
            for _ in range(nodes)
        ]
        self.open_book = open_book
        self.coordinators: list[Coordinator] = []
        self.dead: dict[int, float] = {}
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.events = 0

    def clock(self, node: int) -> float:
        return self.offsets[node] + self.now_s * self.rates[node]

    def real_s(self, node: int, clock_s: float) -> float:
        return (clock_s - self.offsets[node]) / self.rates[node]

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        self.events += 1
        heapq.heappush(self.queue, (self.now_s + delay_s, self.events, act))

    def message(self, act: Callable[[], None]) -> None:
        """Usually quick; sometimes very late, lost, or twice."""
        for _ in range(self.dice.choice([0, 1, 1, 1, 1, 1, 2])):
            self.after(self.dice.choice([0.001, 0.05, 0.05, self.dice.uniform(0, 6)]), act)

    def majority(self) -> int:
        return len(self.terms) // 2 + 1

    def elect(self) -> None:
        """A random majority votes, each at its own moment; the candidate wins with the last."""
        term = max(self.terms) + 1
        voters = self.dice.sample(range(len(self.terms)), self.majority())
        name, votes = voters[0], dict[int, float]()

        def vote(voter: int) -> None:
            if self.terms[voter] < term:
                self.terms[voter] = term
                quiet_s = self.clock(voter) - self.confirmed_s[voter]
                self.after(self.dice.uniform(0, 0.3), lambda: count(voter, quiet_s))

        def count(voter: int, quiet_s: float) -> None:
            votes[voter] = self.clock(name) - quiet_s
            if len(votes) == self.majority() and self.terms[name] == term:
                dead, own_s = frozenset(map(str, self.dead)), self.confirmed_s[name]
                others_s = [at_s for voter, at_s in votes.items() if voter != name]
                book = self.open_book(self.clock(name), [own_s, *others_s], dead)
                self.coordinators.append(Coordinator(name=name, term=term, book=book))

        for voter in voters:
            self.after(self.dice.uniform(0, 0.3), lambda voter=voter: vote(voter))

    def round(self, leader: Coordinator) -> None:
        if leader.has_ended or self.terms[leader.name] > leader.term:
            return
        began_s = self.confirmed_s[leader.name] = self.clock(leader.name)
        confirmed = {leader.name}

        def reach(peer: int) -> None:
            if self.terms[peer] <= leader.term:
                self.terms[peer] = leader.term
                self.confirmed_s[peer] = self.clock(peer)
                self.message(lambda: confirm(peer))

        def confirm(peer: int) -> None:
            confirmed.add(peer)
            if len(confirmed) >= self.majority():
                leader.quorum_at_s = max(leader.quorum_at_s, began_s)

        for peer in range(len(self.terms)):
            if peer != leader.name:
                self.message(lambda peer=peer: reach(peer))

    def restart(self, node: int) -> None:
        self.confirmed_s[node] = -math.inf if self.forgets else self.clock(node)
        for leader in self.coordinators:
            leader.has_ended |= leader.name == node

    def request(self, node: int, leader: Coordinator) -> None:
        self.holders[node], number = self.holders[node].ask(self.clock(node))

        def receive() -> None:
            if leader.has_ended:
                return
            leader.book, remaining_s = leader.book.answer(
                str(node), received_at_s=self.clock(leader.name), quorum_at_s=leader.quorum_at_s,
            )
            if remaining_s is not None:
                self.message(lambda: granted(remaining_s))

        def granted(remaining_s: float) -> None:
            self.holders[node] = self.holders[node].answered(number, remaining_s)

        self.message(receive)

    def judge(self, node: int, leader: Coordinator) -> None:
        """Stop granting, and declare it dead as soon as the book allows and a majority commits."""
        leader.book = leader.book.stop_granting(str(node))

        def look() -> None:
            if node in self.dead or leader.has_ended:
                return
            if not leader.book.may_declare_dead(str(node), self.clock(leader.name)):
                self.after(0.05, look)
            elif sum(term <= leader.term for term in self.terms) >= self.majority():
                self.dead[node] = self.now_s

        look()

    def turn(self) -> None:
        """What happens next, at random; recent coordinators are the busy ones."""
        kind = self.dice.random()
        if not self.coordinators or kind < 0.02:
            self.elect()
        elif kind < 0.04:
            self.restart(self.dice.randrange(len(self.terms)))
        else:
            leader = self.dice.choice(self.coordinators[-3:])
            node = self.dice.randrange(len(self.terms))
            if kind < 0.4:
                self.round(leader)
            elif kind < 0.97:
                self.request(node, leader)
            else:
                self.judge(node, leader)
        self.after(self.dice.expovariate(1 / 0.05), self.turn)

    def run(self) -> None:
        self.turn()
        while self.queue and self.now_s < self.END_S:
            self.now_s, _, act = heapq.heappop(self.queue)
            act()

    def broken(self) -> list[str]:
        """Nodes whose own lease ends, in real time, after they were declared dead."""
        return [
            f"node {node}: declared dead at {at_s:.3f}, lease until {until_s:.3f}"
            for node, at_s in self.dead.items()
            if (until_s := self.real_s(node, self.holders[node].expiry_s)) > at_s + 1e-6
        ]


def opened(
    now_s: float, earlier_until_s: float, dead: frozenset[str], *, margin_s: float = MARGIN_S,
) -> LeaseBook:
    return new_lease_book(
        elected_at_s=now_s, earlier_until_s=earlier_until_s, lease_s=LEASE_S, margin_s=margin_s,
        dead=dead,
    )


def waiting_book(now_s: float, confirmed_s: list[float], dead: frozenset[str]) -> LeaseBook:
    return opened(now_s, max(confirmed_s), dead)


@settings(max_examples=150)
@given(
    nodes=st.sampled_from([3, 4, 5]),
    rates=st.lists(st.floats(1 - DRIFT, 1 + DRIFT), min_size=5, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_a_lease_always_ends_before_its_node_is_counted_dead(nodes, rates, seed):
    model = Model(nodes=nodes, rates=rates, seed=seed, open_book=waiting_book)
    model.run()
    assert model.broken() == []


def broken_in_any(open_book: OpenBook, *, rates: list[float], forgets: bool = False) -> bool:
    for seed in range(300):
        model = Model(nodes=3, rates=rates, seed=seed, open_book=open_book, forgets=forgets)
        model.run()
        if model.broken():
            return True
    return False


def test_the_model_catches_a_new_coordinator_that_does_not_wait():
    def hasty(now_s: float, _: list[float], dead: frozenset[str]) -> LeaseBook:
        return opened(now_s, now_s - LEASE_S, dead)

    assert broken_in_any(hasty, rates=[1.0, 1.0, 1.0])


def test_the_model_catches_one_that_does_not_ask_its_voters():
    """The old coordinator may be heard by others for long after it is not heard here."""
    def alone(now_s: float, confirmed_s: list[float], dead: frozenset[str]) -> LeaseBook:
        return opened(now_s, confirmed_s[0], dead)

    assert broken_in_any(alone, rates=[1.0, 1.0, 1.0])


def test_the_model_catches_one_that_counts_from_the_first_of_them():
    def first(now_s: float, confirmed_s: list[float], dead: frozenset[str]) -> LeaseBook:
        return opened(now_s, min(confirmed_s), dead)

    assert broken_in_any(first, rates=[1.0, 1.0, 1.0])


def test_the_model_catches_a_voter_that_forgets_what_it_confirmed():
    assert broken_in_any(waiting_book, rates=[1.0, 1.0, 1.0], forgets=True)


def test_the_model_catches_a_margin_too_small_for_the_clocks():
    def tight(now_s: float, confirmed_s: list[float], dead: frozenset[str]) -> LeaseBook:
        return opened(now_s, max(confirmed_s), dead, margin_s=0.0)

    assert broken_in_any(tight, rates=[1 + DRIFT, 1 - DRIFT, 1 + DRIFT])


def test_the_model_declares_nodes_dead_at_all():
    declared = 0
    for seed in range(20):
        model = Model(nodes=3, rates=[1.0] * 3, seed=seed, open_book=waiting_book)
        model.run()
        declared += len(model.dead)
    assert declared >= 10
