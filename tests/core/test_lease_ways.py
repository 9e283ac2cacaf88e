"""Where only the link to the coordinator is broken, a lease comes through a peer."""

import asyncio

from cluster.api.messages import AskLease, Reply
from cluster.config.schema import PROFILES
from cluster.core.beside import Silence
from cluster.core.links import link_problems
from cluster.nodes.lease_ways import LeaseWays
from cluster.nodes.links import Links
from cluster.nodes.mtu import MtuProbe
from cluster.nodes.terms import Terms, numbers_of
from cluster.raft.problems import timed_out
from packages.core.values import changed, plain
from tests.core.test_landlord import Elected, TestClock

LAN = numbers_of(PROFILES["lan"], "lan")


class Door:
    """Another node; `remaining_s` is what it has to give, None for no answer."""

    def __init__(self, remaining_s: float | None = 3.0) -> None:
        self.remaining_s, self.asked = remaining_s, list[AskLease]()
        self.numbers, self.number_off = LAN, 0

    async def ask(self, request, *, deadline_s):
        self.asked.append(request)
        if self.remaining_s is None:
            await asyncio.sleep(0)
            return timed_out("n1")
        return Reply(result={
            "number": request.number + self.number_off, "remaining_s": self.remaining_s,
            "numbers": plain(self.numbers)})


async def ways(elected: Elected, **doors: Door) -> LeaseWays:
    terms = Terms(node="n1", own=LAN, clock=elected.clock, ledger=elected.ledger)
    return LeaseWays(node="n1", neighbours=doors, terms=terms, clock=elected.clock)


async def test_a_coordinator_that_answers_is_asked_alone():
    async with Elected() as elected:
        leader, peer = Door(), Door()
        made = await ways(elected, n2=leader, n3=peer)
        assert await made.ask("n2", 7, "i1") == 3.0
        assert (len(leader.asked), len(peer.asked), made.through) == (1, 0, "")
        assert not leader.asked[0].relay


async def test_a_peer_passes_it_on_where_the_coordinator_does_not_answer():
    async with Elected() as elected:
        leader, peer = Door(None), Door(2.5)
        made = await ways(elected, n2=leader, n3=peer)
        assert await made.ask("n2", 7, "i1") is None, "it had no time yet"
        elected.clock.now_s += 1.0
        assert await made.ask("n2", 8, "i1") == 2.5
        assert made.through == "n3"
        assert peer.asked == [AskLease(number=8, incarnation="i1", relay=True)]
        leader.remaining_s = 3.0
        peer.remaining_s = None
        assert await made.ask("n2", 9, "i1") == 3.0
        assert made.through == ""


async def test_a_node_that_has_stepped_out_asks_nobody():
    """Its voter hears no leader then, as one that is cut off; peers must not stand in for it."""
    async with Elected() as elected:
        leader, peer, out = Door(2.5), Door(2.5), [True]
        terms = Terms(node="n1", own=LAN, clock=elected.clock, ledger=elected.ledger)
        made = LeaseWays(
            node="n1", neighbours={"n2": leader, "n3": peer}, terms=terms, clock=elected.clock,
            has_stepped_out=lambda: out[0])
        assert await made.ask("", 7, "i1") is None
        assert await made.ask("n2", 8, "i1") is None
        assert not leader.asked and not peer.asked
        out[0] = False
        assert await made.ask("", 9, "i1") == 2.5


async def test_where_no_coordinator_is_heard_a_peer_may_know_it():
    async with Elected() as elected:
        peer = Door(2.5)
        made = await ways(elected, n3=peer)
        assert await made.ask("", 7, "i1") == 2.5


async def test_a_neighbour_that_is_removed_before_it_was_asked_ends_nothing():
    """Found by the simulation: the daemon ended with its request for a lease."""
    async with Elected() as elected:
        terms = Terms(node="n1", own=LAN, clock=elected.clock, ledger=elected.ledger)
        neighbours = {"n2": Door(2.5)}
        made = LeaseWays(node="n1", neighbours=neighbours, terms=terms, clock=elected.clock)
        asking = asyncio.ensure_future(made.ask("n2", 7, "i1"))
        asyncio.get_running_loop().call_soon(neighbours.clear)
        assert await asking == 2.5


async def test_an_answer_to_another_request_grants_nothing():
    """Its lease would run from a later moment than the truth."""
    async with Elected() as elected:
        peer = Door(2.5)
        peer.number_off = -1
        made = await ways(elected, n3=peer)
        assert await made.ask("", 7, "i1") is None


async def test_what_comes_through_a_peer_is_bound_by_its_numbers_like_any_other():
    async with Elected() as elected:
        peer = Door(99.0)
        peer.numbers = changed(LAN, number=1)
        made = await ways(elected, n3=peer)
        assert await made.ask("", 7, "i1") == LAN.lease_s


def test_a_link_is_broken_while_its_node_is_heard_through_a_peer_alone():
    clock = TestClock()
    links = Links(clock)
    links.relayed("n3", "n2", ("n1", "n2", "n3"))
    assert dict(links.broken(within_s=1.0)) == {"n3": "n2"}
    links.heard_itself("n3")
    assert dict(links.broken(within_s=1.0)) == {}
    clock.now_s += 1.5
    assert dict(links.broken(within_s=1.0)) == {}, "nobody passed anything on lately"


class Way:
    """To a neighbour; packets larger than this are lost."""

    def __init__(self) -> None:
        self.most: int | None = None
        self.is_up = True

    async def ask(self, request, *, deadline_s):
        is_lost = self.most is not None and len(request.filler) > self.most
        return timed_out("n2") if is_lost or not self.is_up else Reply()


async def test_a_way_is_narrow_where_small_packets_pass_and_large_ones_do_not():
    way = Way()
    probe = MtuProbe({"n2": way})
    way.most = 1400
    await probe.look("n2")
    assert probe.narrow == (), "one loss is chance"
    await probe.look("n2")
    assert probe.narrow == ("n2",)
    way.is_up = False
    await probe.look("n2")
    assert probe.narrow == (), "nothing passes at all"
    way.is_up, way.most = True, None
    await probe.look("n2")
    assert probe.narrow == ()


def test_an_operator_is_told_of_links():
    known = Silence(term=1, heard=("n1",), through={"n3": "n2"}, narrow={"n1": ("n2", "n3")})
    assert [each.code for each in link_problems(known, "n1")] == ["link-broken", "mtu-black-hole"]
    assert link_problems(None, "n1") == []
