"""The numbers a lease is granted by stand in the record, and the longer count while they change."""

import pytest

from cluster.config.schema import PROFILES
from cluster.core import entries, leases
from cluster.core.apply import apply
from cluster.core.codec import decode_state, encode_state
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.model import State
from cluster.nodes.lease import new_lease_book
from cluster.nodes.terms import Terms, numbers_of, of_older_record, said_numbers
from packages.core.values import Map, changed, plain
from tests.core.test_landlord import Elected

LAN, WAN = (numbers_of(PROFILES[name], name) for name in ("lan", "wan"))
TEXT = "name: shop\nprofile: wan\nnodes:\n  - {name: n1, address: 10.0.0.1}\n"


class Record:
    """Entries applied one after the other."""

    def __init__(self) -> None:
        self.state, self.index = State(), 0

    def say(self, kind, **fields):
        self.index += 1
        self.state = apply(self.state, self.index, kind(
            id=f"e{self.index}", at_ms=self.index, by="n1", because="-", **fields))
        return self.state.outcomes[f"e{self.index}"].problem

    def form(self, lease):
        return self.say(entries.ClusterFormed, name="shop", nodes=("n1", "n2"), config_text="-",
                        lease=lease)

    def join(self, node, incarnation="i1"):
        return self.say(
            entries.NodeJoined, node=node, incarnation=incarnation, version="0.2.0")

    def take(self, node, number, incarnation="i1"):
        return self.say(
            entries.LeaseTaken, node=node, incarnation=incarnation, number=number)

    def longest(self, node):
        return max(each.lease_s for each in leases.held(self.state, node))


@pytest.fixture
def record():
    made = Record()
    made.form(WAN)
    made.join("n1")
    made.join("n2")
    return made


def test_the_first_numbers_are_those_the_cluster_was_formed_with(record):
    assert leases.newest(record.state) == changed(WAN, number=1)
    assert leases.awaited(record.state) == ()
    assert leases.problems(record.state) == []


def test_after_a_change_the_longer_counts_for_each_node_until_it_has_taken_the_new(record):
    record.form(LAN)
    assert leases.newest(record.state).lease_s == LAN.lease_s
    assert record.longest("n1") == record.longest("n2") == WAN.lease_s
    assert [each.code for each in leases.problems(record.state)] == ["lease-changing"]
    assert record.take("n1", 2) is None
    assert (record.longest("n1"), record.longest("n2")) == (LAN.lease_s, WAN.lease_s)
    assert record.take("n2", 2) is None
    assert record.longest("n2") == LAN.lease_s
    assert len(record.state.leases) == 1
    assert leases.problems(record.state) == []


def test_to_longer_ones_too_and_there_nothing_has_to_be_awaited(record):
    record.form(LAN)
    record.take("n1", 2)
    record.take("n2", 2)
    record.form(WAN)
    assert record.longest("n1") == WAN.lease_s
    assert leases.awaited(record.state) == ()


def test_the_same_numbers_again_are_no_change(record):
    record.form(WAN)
    assert [each.number for each in record.state.leases] == [1]


def test_an_entry_of_a_release_without_numbers_changes_none(record):
    record.form(None)
    assert [each.number for each in record.state.leases] == [1]


def test_only_the_life_that_the_record_knows_takes_them(record):
    record.form(LAN)
    record.join("n2", "i2")
    assert record.take("n2", 2, "i1").code == "stale-order"
    assert record.longest("n2") == WAN.lease_s


def test_what_was_not_agreed_upon_is_not_taken(record):
    record.form(LAN)
    assert record.take("n2", 3).code == "stale-order"
    assert record.take("n2", 1) is None, "the first, before the change, is taken without need"
    assert record.longest("n2") == WAN.lease_s


def test_another_life_of_the_daemon_takes_nothing_by_joining(record):
    """What its earlier life told the guardian counts on."""
    record.form(LAN)
    record.join("n2", "i2")
    assert record.longest("n2") == WAN.lease_s


def test_many_changes_that_a_node_missed_are_counted_by_the_longest(record):
    for tenths in range(40, 60):
        record.form(changed(LAN, lease_s=tenths / 10))
    assert len(record.state.leases) == leases.MOST_KEPT
    assert record.longest("n1") == WAN.lease_s


def test_they_are_kept_in_a_snapshot(record):
    record.form(LAN)
    record.take("n1", 2)
    again = decode_state(encode_state(record.state))
    assert again.leases == record.state.leases
    assert again.nodes["n1"].lease_number == 2


def test_a_record_without_numbers_gets_them_with_the_beginning_of_a_coordinator():
    record = Record()
    record.form(None)
    record.say(entries.CoordinatorBegan, node="n1", term=3, lease=WAN)
    assert leases.newest(record.state) == changed(WAN, number=1)
    record.say(entries.CoordinatorBegan, node="n2", term=4, lease=LAN)
    assert leases.newest(record.state) == changed(WAN, number=1)


def test_those_of_an_older_record_are_its_files_profiles():
    assert of_older_record(State(config_text=TEXT), LAN) == WAN
    assert of_older_record(State(config_text="-"), LAN) == LAN


# the leader's side


def test_a_book_counts_earlier_grants_by_the_longest_for_that_node():
    opened = changed(new_lease_book(
        elected_at_s=100.0, earlier_until_s=100.0, lease_s=10.0, margin_s=1.0,
    ), longest_s=Map({"n2": 30.0}))
    assert opened.dead_after_s("n1") == 111.0
    assert opened.dead_after_s("n2") == 131.0


async def test_a_new_leader_counts_what_earlier_ones_may_have_granted_by_longer_ones():
    async with Elected() as elected:
        await _form(elected, WAN)
        await _form(elected, LAN)
        after_s = await elected.called_dead_after_s()
        assert after_s == pytest.approx(WAN.lease_s + WAN.margin_s, abs=0.02)


async def test_not_by_its_own_files_numbers():
    async with Elected() as elected:
        await _form(elected, WAN)
        assert await elected.called_dead_after_s() == pytest.approx(
            WAN.lease_s + WAN.margin_s, abs=0.02)


async def test_a_node_that_has_taken_the_new_ones_is_counted_by_them():
    async with Elected() as elected:
        await _form(elected, WAN)
        await _form(elected, LAN)
        await elected.ledger.say(
            entries.LeaseTaken, "-", node="n3", incarnation="i1", number=2)
        after_s = await elected.called_dead_after_s()
        assert after_s == pytest.approx(LAN.lease_s + WAN.margin_s, abs=0.02), "the longest margin"


async def test_a_leader_counts_its_own_grants_by_what_it_granted():
    async with Elected() as elected:
        await _form(elected, WAN)
        assert await elected.landlord.begin()
        granted_s = elected.landlord.grant("n2", "i1")
        assert granted_s is not None and granted_s > LAN.lease_s
        granted_at_s = elected.clock.now_s
        await _form(elected, LAN)
        for name in ("n1", "n2", "n3"):
            await elected.ledger.say(
                entries.LeaseTaken, "-", node=name, incarnation="i1", number=2)
        while "n2" not in elected.landlord.condemn():
            elected.clock.now_s += 0.01
        assert elected.clock.now_s - granted_at_s >= WAN.lease_s + LAN.margin_s


async def _form(elected: Elected, numbers: LeaseNumbers) -> None:
    await elected.ledger.say(
        entries.ClusterFormed, "-", name="f", nodes=("n1", "n2", "n3"), config_text="-",
        lease=numbers)


async def test_a_leader_of_an_older_record_agrees_upon_its_numbers_before_it_grants():
    async with Elected() as elected:
        await elected.ledger.say(
            entries.ClusterFormed, "-", name="f", nodes=("n1", "n2", "n3"),
            config_text=TEXT + "  - {name: n2, address: 10.0.0.2}\n"
                               "  - {name: n3, address: 10.0.0.3}\n")
        assert elected.landlord.grant("n2", "i1") is None
        assert await elected.landlord.begin()
        assert leases.newest(elected.ledger.state) == changed(WAN, number=1)
        assert elected.landlord.grant("n2", "i1") == pytest.approx(WAN.lease_s)


# the node's side


class Holding(Elected):
    async def __aenter__(self) -> "Holding":
        await super().__aenter__()
        await _form(self, WAN)
        self.terms = Terms(node="n1", own=LAN, clock=self.clock, ledger=self.ledger)
        return self

    def taken(self, lease_s: float, numbers: LeaseNumbers, number: int) -> float | None:
        return self.terms.taken(lease_s, changed(numbers, number=number))

    async def change(self) -> None:
        await _form(self, LAN)


async def test_a_grant_is_good_for_no_longer_than_its_own_numbers_say():
    async with Holding() as holding:
        assert holding.taken(99.0, WAN, 1) == WAN.lease_s
        assert holding.taken(99.0, LAN, 2) == LAN.lease_s, "from a leader that is ahead"


async def test_a_grant_by_older_numbers_is_good_for_nothing():
    async with Holding() as holding:
        await holding.change()
        assert holding.taken(5.0, WAN, 1) is None
        assert holding.taken(3.0, LAN, 2) == 3.0


async def test_a_grant_that_says_no_numbers_counts_while_no_change_is_under_way():
    async with Holding() as holding:
        assert holding.terms.taken(99.0, None) == WAN.lease_s
        await holding.change()
        assert holding.terms.taken(3.0, None) is None


async def test_the_new_numbers_are_taken_when_all_by_the_old_ones_is_over():
    async with Holding() as holding:
        await holding.change()
        holding.clock.now_s += WAN.lease_s - 0.1
        await holding.terms.take()
        assert holding.ledger.state.nodes["n1"].lease_number == 0
        holding.clock.now_s += 0.2
        await holding.terms.take()
        assert holding.ledger.state.nodes["n1"].lease_number == 2


def test_numbers_travel_as_a_plain_tree():
    assert said_numbers(plain(WAN)) == WAN
    assert said_numbers(None) is None and said_numbers({"lease_s": "x"}) is None
