"""The leader's side of leases: nothing is granted to a node that may yet be declared dead."""

import asyncio

import pytest

from cluster.config.schema import PROFILES
from cluster.core import entries
from cluster.core.machine import StateMachine
from cluster.core.model import Proof
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.raft.fake import FakeNetwork
from cluster.raft.problems import no_quorum, timed_out
from tests.core.test_apply import package

LAN = PROFILES["lan"]
LONG_S = LAN.lease_s + LAN.margin_s + 0.1


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.tokens = 0

    def boottime_s(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return int(self.now_s * 1000)

    def token(self) -> str:
        self.tokens += 1
        return f"{self.tokens:016x}"


class Elected:
    """n1 is to coordinate, and n2 and n3 have joined, long ago; n3 may be of an older version."""

    def __init__(self, older: str = "0.2.0") -> None:
        self.older = older

    async def __aenter__(self) -> "Elected":
        self.clock = TestClock()
        self.network = FakeNetwork(("n1", "n2", "n3"), clock=self.clock, election_s=0.0)
        machine = StateMachine()
        self.ledger = Ledger(self.network.replica("n1", machine), machine, self.clock, "n1")
        await self.ledger.replica.start()
        await self.network.replica("n2", StateMachine()).start()
        self.landlord = Landlord(node="n1", timings=LAN, clock=self.clock, ledger=self.ledger)
        await self.ledger.say(
            entries.ClusterFormed, "-", name="f", nodes=("n1", "n2", "n3"), config_text="-")
        for name in ("n3", "n1", "n2"):
            await self.ledger.say(
                entries.NodeJoined, "-", node=name, incarnation="i1",
                version=self.older if name == "n3" else "0.2.0")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ledger.replica.close()

    async def called_dead_after_s(self) -> float:
        """From the election, of a node that never asked."""
        elected_at_s = self.clock.now_s = self.ledger.replica.elected_at_s()
        assert await self.landlord.begin()
        while "n3" not in (dead := self.landlord.condemn()):
            self.clock.now_s += 0.01
        self.because = dead["n3"]
        return self.clock.now_s - elected_at_s


class Leader(Elected):
    """It coordinates and has granted n2 a lease, which is over."""

    async def __aenter__(self) -> "Leader":
        await super().__aenter__()
        assert await self.landlord.begin()
        assert self.grants() is not None
        self.clock.now_s += LONG_S
        assert "n2" in self.landlord.condemn()
        return self

    def grants(self) -> float | None:
        return self.landlord.grant("n2", "i1")

    def death(self, **fields: object) -> entries.NodeFailed:
        return entries.NodeFailed(**{
            "id": self.clock.token(), "at_ms": 1, "by": "n1", "because": "-", "node": "n2",
            "incarnation": "i1", "proof": Proof(kind="lease", because="-"),
            "term": self.ledger.replica.term(), **fields,
        })


async def test_a_new_leader_counts_from_when_those_before_it_were_last_confirmed() -> None:
    """So an election costs nothing: it is over long before the lease of the node that led."""
    async with Elected() as elected:
        elected.network.earlier_until_s -= 0.9
        after_s = LAN.lease_s + LAN.margin_s - 0.9
        assert await elected.called_dead_after_s() == pytest.approx(after_s, abs=0.02)
        assert elected.because.startswith(
            "silent since the election 3.2 s ago, and what was granted before it began 4.1 s ago")


async def test_after_a_longer_time_without_a_leader_nodes_have_time_to_be_heard() -> None:
    async with Elected() as elected:
        elected.network.earlier_until_s -= 100.0
        after_s = LAN.lease_s * 0.5 + LAN.margin_s
        assert await elected.called_dead_after_s() == pytest.approx(after_s, abs=0.02)


async def test_a_condemned_node_is_granted_nothing() -> None:
    async with Leader() as leader:
        assert leader.grants() is None


async def test_a_node_whose_death_was_not_proposed_is_granted_to_again() -> None:
    async with Leader() as leader:
        leader.landlord.pardon(leader.death(), no_quorum("n1"))
        assert leader.grants() is not None


async def test_a_node_whose_death_may_yet_be_applied_is_not() -> None:
    """Its guests would run under a lease while they are started elsewhere."""
    async with Leader() as leader:
        leader.landlord.pardon(leader.death(), timed_out("n1"))
        assert leader.grants() is None
        leader.landlord.pardon(leader.death(), no_quorum("n1"))
        assert leader.grants() is None, "the first is still in doubt"


async def test_nor_once_it_is_known_that_it_was_refused() -> None:
    async with Leader() as leader:
        death = leader.death(incarnation="i0")
        leader.landlord.pardon(death, timed_out("n1"))
        refused = await leader.ledger.propose(death, deadline_s=5.0)
        assert refused is not None
        leader.landlord.pardon(death, refused)
        assert leader.grants() is not None


async def test_a_node_that_is_to_run_again_has_its_time_to_ask() -> None:
    """Found by the simulation: one that had been halted for longer than a lease was called dead,
    and counted as flapping, between the order to run and its next request."""
    async with Leader() as leader:
        await leader.ledger.say(entries.NodeHalted, "-", node="n3")
        leader.landlord.condemn()
        leader.clock.now_s += LONG_S
        await leader.ledger.say(entries.NodeRun, "-", node="n3")
        assert "n3" not in leader.landlord.condemn()
        leader.clock.now_s += LONG_S
        assert "n3" in leader.landlord.condemn(), "it had its time and did not ask"


async def test_a_node_that_has_just_joined_counts_as_heard_by_an_operators_word() -> None:
    """Found by the simulation: the word was typed while the node was off, and came when it was back
    and had not asked for its first lease."""
    async with Leader() as leader:
        assert leader.landlord.arrived() - {"n1"} == set()
        await leader.ledger.say(
            entries.NodeJoined, "-", node="n3", incarnation="i2", version="0.2.0")
        assert leader.landlord.arrived() - {"n1"} == {"n3"}
        leader.clock.now_s += LAN.suspect_s + 0.1
        assert leader.landlord.arrived() - {"n1"} == set()


async def test_a_leader_that_was_out_of_touch_suspects_nobody_for_that_time() -> None:
    """Found by the simulation: cut off and back, it had a node switched off because another's
    message was the first to come through."""
    async with Leader() as leader:
        def pass_time() -> None:
            for _ in range(11):
                leader.clock.now_s += LAN.suspect_s / 10
                leader.landlord.notice()

        leader.landlord.grant("n3", "i1")
        leader.network.quorum_age_s = LAN.suspect_s
        pass_time()
        leader.network.quorum_age_s = 0.0
        assert "n3" not in leader.landlord.suspected()
        pass_time()
        assert "n3" in leader.landlord.suspected(), "it had its time to be heard"


async def test_whoever_passes_on_the_request_of_another_is_heard() -> None:
    """Found by the simulation: it was switched off 0.4 s after it had."""
    async with Leader() as leader:
        leader.landlord.grant("n3", "i1")
        for _ in range(11):
            leader.clock.now_s += LAN.suspect_s / 10
            leader.landlord.notice()
        assert "n3" in leader.landlord.suspected()
        leader.landlord.links.relayed("n2", "n3", ("n1", "n2"))
        assert "n3" not in leader.landlord.suspected()


async def test_whoever_asks_a_leader_without_a_majority_is_heard() -> None:
    """Found by the simulation: the node whose return gave the leader its majority back was switched
    off, by a fence that was under way, because what it had asked a moment before did not count."""
    async with Leader() as leader:
        leader.landlord.grant("n3", "i1")
        leader.clock.now_s += LAN.suspect_s + 0.1
        leader.network.is_sure = False
        assert leader.landlord.grant("n3", "i1") is None
        leader.network.is_sure = True
        assert "n3" in leader.landlord.heard()


async def test_a_life_that_the_record_does_not_know_is_granted_nothing() -> None:
    """It may have guests that another life's end is about to be declared for."""
    async with Elected() as elected:
        assert await elected.landlord.begin()
        assert elected.landlord.grant("n3", "i0") is None
        assert elected.landlord.grant("n3", "") is None
        assert elected.landlord.grant("n9", "i1") is None
        assert elected.landlord.grant("n3", "i1") is not None


async def test_a_leader_whose_beginning_is_not_in_the_record_grants_nothing() -> None:
    """A death declared in an older term would still be taken, while it grants anew."""
    async with Elected() as elected:
        elected.clock.now_s = elected.ledger.replica.elected_at_s() + 1.0
        assert elected.landlord.grant("n2", "i1") is None
        assert await elected.landlord.begin()
        assert elected.landlord.grant("n2", "i1") is not None


@pytest.mark.parametrize("later_s", [0.0, 10.0])
async def test_a_lease_is_known_to_be_over_only_when_all_that_was_granted_is(
    later_s: float,
) -> None:
    """That is when an operator's word about a silent node is carried out, and when it is dead;
    also where the leader has known it, and led, for long."""
    async with Elected() as leader:
        assert await leader.landlord.begin()
        assert leader.landlord.grant("n2", "i1") is not None
        leader.clock.now_s += later_s
        granted_s = leader.clock.now_s
        assert leader.landlord.grant("n2", "i1") is not None
        while "n2" not in leader.landlord.over():
            assert leader.landlord.silences().get("n2", 1.0) > 0
            assert "n2" not in leader.landlord.condemn()
            leader.clock.now_s += 0.05
        assert leader.clock.now_s - granted_s >= LAN.lease_s + LAN.margin_s
        assert "n2" in leader.landlord.condemn()


async def test_from_its_death_being_proposed_on_a_node_is_granted_nothing() -> None:
    """By whatever proof; and whoever came in since is another life."""
    async with Elected() as leader:
        assert await leader.landlord.begin()
        assert leader.landlord.grant("n2", "i1") is not None
        leader.landlord.stop(entries.NodeFailed(
            id="d", at_ms=1, by="ann", because="-", node="n2", incarnation="i1",
            proof=Proof(kind="power", because="-")))
        assert leader.landlord.grant("n2", "i1") is None
        await leader.ledger.say(
            entries.NodeJoined, "-", node="n2", incarnation="i2", version="0.2.0")
        assert leader.landlord.grant("n2", "i2") is not None


async def test_a_leader_that_is_not_sure_of_its_majority_concludes_nothing() -> None:
    async with Elected() as leader:
        assert await leader.landlord.begin()
        assert leader.landlord.grant("n2", "i1") is not None
        leader.clock.now_s += LONG_S
        leader.network.is_sure = False
        assert leader.landlord.grant("n2", "i1") is None
        assert not leader.landlord.condemn() and not leader.landlord.suspected()
        assert not leader.landlord.over() and not leader.landlord.settled()


async def test_a_leader_whose_beginning_was_not_agreed_upon_has_not_begun() -> None:
    async with Elected() as elected:
        elected.network.cut("n1")
        begun = asyncio.ensure_future(elected.landlord.begin())
        while not begun.done():
            elected.clock.now_s += 0.5
            await asyncio.sleep(0.01)
        assert not begun.result()


async def test_a_dead_node_that_is_heard_is_not_dead_by_its_lease_again() -> None:
    """It may still end what it has: what holds on to it is freed when it is silent."""
    async with Elected() as leader:
        say = leader.ledger.say
        assert await leader.landlord.begin()
        await say(entries.PackageApplied, "-", spec=package(lease_is_proof=False))
        await say(entries.PackageAssigned, "-", package="p1", node="n2", boot_id="b1")
        await say(entries.GuestStarted, "-", package="p1", epoch=1, node="n2")
        await say(entries.NodeFailed, "-", node="n2", incarnation="i1",
                  proof=Proof(kind="lease", because="-"))
        await say(entries.PackageApplied, "-", spec=package())
        for _ in range(int(2 * LONG_S / 0.5)):
            assert leader.landlord.grant("n2", "i1") is None
            leader.clock.now_s += 0.5
            assert "n2" not in leader.landlord.condemn()
        leader.clock.now_s += LONG_S
        assert "n2" in leader.landlord.condemn()


async def test_who_was_reset_had_a_watchdog_and_its_time() -> None:
    """Counted from the end of its lease, when it was petted last."""
    async with Elected() as leader:
        assert await leader.landlord.begin()
        await leader.ledger.say(
            entries.WatchdogChanged, "-", node="n2", incarnation="i1", name="iTCO_wdt",
            proves_s=10.0)
        for name in ("n2", "n3"):
            assert leader.landlord.grant(name, "i1") is not None
        granted_s = leader.clock.now_s
        for name in ("n2", "n3"):
            await leader.ledger.say(
                entries.NodeFailed, "-", node=name, incarnation="i1",
                proof=Proof(kind="lease", because="-"))
        while not (reset := leader.landlord.reset()):
            leader.clock.now_s += 0.1
        assert list(reset) == ["n2"]
        over_s = granted_s + LAN.lease_s + LAN.margin_s
        assert leader.clock.now_s == pytest.approx(over_s + 10.0, abs=0.11)
        leader.clock.now_s += 60.0
        assert list(leader.landlord.reset()) == ["n2"], "n3 has nothing that would reset it"


@pytest.mark.parametrize(("kind", "is_over"), [("lease", True), ("power", True),
                                               ("operator", False)])
async def test_a_node_proven_dead_has_no_lease_whoever_coordinates(
    kind: str, is_over: bool,
) -> None:
    async with Elected() as leader:
        assert await leader.landlord.begin()
        assert leader.landlord.grant("n2", "i1") is not None
        await leader.ledger.say(
            entries.NodeFailed, "-", node="n2", incarnation="i1",
            proof=Proof(kind=kind, because="-"))
        leader.clock.now_s += LAN.suspect_s + 0.1
        assert ("n2" in leader.landlord.over()) == is_over


async def test_its_numbers_are_said_as_soon_as_every_node_can_read_them() -> None:
    async with Elected(older="0.1.0") as elected:
        ledger, landlord = elected.ledger, elected.landlord
        assert await landlord.begin() and await landlord.begin()
        assert ledger.state.leases == () and landlord.numbers.number == 0
        await ledger.say(
            entries.NodeJoined, "-", node="n3", incarnation="i2", version="0.2.0")
        assert await landlord.begin()
        assert landlord.numbers.number == 1 and len(ledger.state.leases) == 1
        applied = ledger.state.applied
        assert await landlord.begin() and ledger.state.applied == applied, "it is said once"


async def test_a_node_heard_without_a_lease_is_not_said_to_have_been_silent_for_one() -> None:
    """Its guardian does not answer: it is heard, and asks for nothing."""
    async with Elected() as elected:
        assert await elected.landlord.begin() and elected.landlord.grant("n2", "i1") is not None
        elected.clock.now_s += LONG_S - 0.3
        elected.landlord.grant("n2", "i1", is_guarded=False)
        elected.clock.now_s += 0.4
        assert elected.landlord.condemn()["n2"] == (
            "silent for 0.4 s, and without a lease: the last it was granted ended, with its margin "
            "of 0.6 s, 0.2 s ago")
