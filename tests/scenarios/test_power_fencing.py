"""When the coordinator has a node's power switched off, and when it leaves it alone."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.schema import PROFILES, FenceConfig
from cluster.core import entries
from cluster.core.machine import StateMachine
from cluster.core.model import Proof, State
from cluster.deaths import Deaths
from cluster.fencing import PowerFencing
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.power.fake import FakePowerFence
from cluster.raft.fake import FakeNetwork
from packages.core.problem import Problem
from tests.core.test_apply import package
from tests.core.test_landlord import TestClock

LAN = PROFILES["lan"]
TEXT = """\
name: farm
nodes:
  - {name: n1, address: 10.0.0.1}
  - name: n2
    address: 10.0.0.2
    fences:
      - {agent: fence_first, options: {plug: n2}}
      - {agent: fence_second, level: 2, options: {plug: n2}}
  - {name: n3, address: 10.0.0.3}
"""


class Coordinator:
    """n1 coordinates; n2 holds a package, and has been heard just now."""

    async def begin(self) -> None:
        self.clock = TestClock()
        self.network = FakeNetwork(("n1", "n2", "n3"), clock=self.clock, election_s=0.0)
        machine = StateMachine()
        self.ledger = Ledger(
            self.network.replica("n1", machine), machine, self.clock, "n1")
        await self.ledger.replica.start()
        for name in ("n2", "n3"):
            await self.network.replica(name, StateMachine()).start()
        self.landlord = Landlord(node="n1", timings=LAN, clock=self.clock, ledger=self.ledger)
        self.deaths = Deaths(
            node="n1", ledger=self.ledger, landlord=self.landlord, clock=self.clock)
        self.door = FakePowerFence()
        config, problems = cluster_from_text(TEXT)
        assert config is not None and not problems
        self.fencing = PowerFencing(
            node="n1", config=config, ledger=self.ledger, landlord=self.landlord,
            deaths=self.deaths, clock=self.clock, door=self.door)
        await self.say(entries.ClusterFormed, name="farm", nodes=("n1", "n2", "n3"),
                       config_text=TEXT)
        for name in ("n1", "n2", "n3"):
            await self.say(entries.NodeJoined, node=name, incarnation="i1", version="0.2.0")
        assert await self.landlord.begin()
        self.clock.now_s += 10
        self.landlord.grant("n2", "i1")

    async def say(self, kind, **fields) -> None:
        assert await self.ledger.say(kind, "-", **fields) is None

    async def given(self, **spec) -> None:
        await self.say(entries.PackageApplied, spec=package(**spec))
        await self.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b1")
        await self.say(entries.GuestStarted, package="p1", epoch=1, node="n2")

    async def silent_for(self, seconds: float) -> None:
        """n2 says nothing; then one look, and whatever it began is over."""
        self.network.cut("n2")
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.landlord.notice()
            self.clock.now_s = min(until_s, self.clock.now_s + 0.1)
        self.fencing.look()
        await self.fencing.settled()

    @property
    def state(self) -> State:
        return self.ledger.state


@pytest.fixture
async def rig() -> AsyncIterator[Coordinator]:
    rig = Coordinator()
    await rig.begin()
    yield rig
    await rig.fencing.close()
    await rig.ledger.replica.close()


async def test_a_silent_node_that_holds_a_package_is_switched_off_and_called_dead(rig):
    await rig.given(lease_is_proof=False)
    await rig.silent_for(LAN.suspect_s + 0.05)
    assert rig.door.asked == ["fence_first n2"]
    proof = rig.state.packages["p1"].proof
    assert proof.kind == "power" and "fence_first (level 1)" in proof.because
    assert rig.state.packages["p1"].state == "relocate_wait"
    assert rig.landlord.grant("n2", "i1") is None, "nothing is granted to the dead"


async def test_a_node_that_was_just_heard_is_left_alone(rig):
    await rig.given()
    await rig.silent_for(LAN.suspect_s - 0.05)
    assert rig.door.asked == []


async def test_a_node_that_holds_nothing_is_left_alone(rig):
    await rig.silent_for(60)
    assert rig.door.asked == []


async def test_a_node_whose_daemon_goes_away_on_purpose_has_its_lease(rig):
    await rig.given()
    rig.landlord.be_patient("n2")
    await rig.silent_for(LAN.suspect_s + 0.05)
    assert rig.door.asked == []
    await rig.silent_for(LAN.lease_s)
    assert rig.door.asked == ["fence_first n2"]


async def test_the_next_level_is_tried_and_the_failure_is_in_the_record(rig):
    await rig.given()
    rig.door.broken.add("fence_first")
    await rig.silent_for(1)
    assert rig.door.asked == ["fence_first n2", "fence_second n2"]
    assert "fence_second (level 2)" in rig.state.nodes["n2"].proof.because
    told = [each.what for _, each in sorted(rig.state.events.items())]
    assert "fence failed, level 1" in told


class Interrupted(FakePowerFence):
    """Something happens while an agent is at work."""

    meanwhile: Callable[[], Awaitable[None]]

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        failure = await super().switch_off(fence)
        await self.meanwhile()
        return failure


async def test_no_further_level_is_tried_once_nobody_waits_for_it_any_more(rig):
    await rig.given()
    rig.door = rig.fencing.door = Interrupted()
    rig.door.broken.add("fence_first")

    async def freed() -> None:
        await rig.say(entries.NodeFailed, node="n2", incarnation="i1",
                      proof=Proof(kind="operator", because="it is off"))

    rig.door.meanwhile = freed
    await rig.silent_for(1)
    assert rig.door.asked == ["fence_first n2"]


async def test_nor_once_it_is_heard_again(rig):
    await rig.given()
    rig.door = rig.fencing.door = Interrupted()
    rig.door.broken.add("fence_first")

    async def heard() -> None:
        rig.network.heal()
        assert rig.landlord.grant("n2", "i1") is not None

    rig.door.meanwhile = heard
    await rig.silent_for(1)
    assert rig.door.asked == ["fence_first n2"]
    assert rig.state.nodes["n2"].state == "running"


async def test_nor_by_one_who_was_elected_anew_meanwhile(rig):
    """Found by the simulation: nobody has asked it yet, so it hears nobody."""
    await rig.given()
    rig.door = rig.fencing.door = Interrupted()
    rig.door.broken.add("fence_first")

    async def elected() -> None:
        rig.network.cut("n1")
        rig.network.heal()

    rig.door.meanwhile = elected
    await rig.silent_for(1)
    assert rig.ledger.replica.is_leader()
    assert rig.door.asked == ["fence_first n2"]


async def test_nor_the_first_by_one_who_leads_no_longer(rig):
    await rig.given()
    rig.fencing.look()
    rig.network.cut("n2")
    for _ in range(10):
        rig.clock.now_s += 0.1
        rig.landlord.notice()
    rig.fencing.look()
    rig.network.cut("n1")
    await rig.fencing.settled()
    assert rig.door.asked == []


async def test_when_every_level_fails_nothing_starts_and_it_is_tried_again(rig):
    await rig.given()
    rig.door.broken |= {"fence_first", "fence_second"}
    await rig.silent_for(1)
    node = rig.state.nodes["n2"]
    assert node.state == "running" and node.fence.code == "fence-failed"
    assert rig.state.packages["p1"].owner == "n2"
    await rig.silent_for(1)
    assert len(rig.door.asked) == 2, "not at once"
    rig.door.broken.clear()
    await rig.silent_for(10)
    assert rig.state.nodes["n2"].proof.kind == "power"
    assert rig.state.nodes["n2"].fence is None


async def test_a_detached_package_is_no_reason(rig):
    await rig.given()
    await rig.say(entries.NodeHalted, node="n2", detach=True)
    await rig.silent_for(60)
    assert rig.door.asked == []


async def test_an_operator_may_have_a_node_switched_off_that_is_heard(rig):
    await rig.given()
    assert await rig.fencing.by_order("n2", by="ann", because="it burns", entry="e1") is None
    assert rig.state.packages["p1"].proof.by == "ann"
    for name, code in (("n1", "fence-self"), ("n3", "fence-unknown")):
        refused = await rig.fencing.by_order(name, by="ann", because="-", entry="e2")
        assert refused.code == code


def just_elected(rig, *, followed="", quiet_s=0.0):
    """Two rounds after the election."""
    rig.network.earlier_until_s = rig.network.elected_at_s - quiet_s
    rig.clock.now_s = rig.network.elected_at_s - 1
    landlord = Landlord(node="n1", timings=LAN, clock=rig.clock, ledger=rig.ledger)
    landlord.followed = lambda: followed
    for _ in range(12):
        rig.clock.now_s += 0.1
        landlord.notice()
    return landlord


async def test_a_new_coordinator_waits_before_it_suspects_but_for_the_one_it_followed(rig):
    """Nobody asked it for anything before it was elected; the other leader was heard by those who
    elected it, and they say how long ago."""
    rig.network.cut("n2")
    assert not just_elected(rig).suspected()
    assert not just_elected(rig, quiet_s=0.7).suspected()
    assert not just_elected(rig, followed="n2", quiet_s=0.5).suspected()
    assert list(just_elected(rig, followed="n2", quiet_s=0.7).suspected()) == ["n2"]
