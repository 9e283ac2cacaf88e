"""Two versions of the product in one cluster: what only the newer one knows waits for the older.

The newer one of this test knows a kind of entry, `package-deleted`, that the older does not.
"""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest

from cluster.clock import HostClock
from cluster.core import entries
from cluster.core.codec import decode_entry, encode_state
from cluster.core.floor import SINCE
from cluster.core.machine import StateMachine
from cluster.core.model import Outcome
from cluster.ledger import Ledger
from cluster.nodes.guardian_link import Guardian
from cluster.nodes.guarding import PING_S, Guarding
from cluster.raft.fake import FakeNetwork
from packages.core.versions import Version
from tests.core.test_apply import package

NEWS: Mapping[type[entries.Entry], Version] = {entries.PackageDeleted: (0, 2, 0)}


class OlderMachine(StateMachine):
    """Of a version to which the new kind is a string of bytes like any other."""

    def apply(self, index: int, command: bytes) -> Outcome:
        is_known = not isinstance(decode_entry(command), entries.PackageDeleted)
        return super().apply(index, command if is_known else b"\1news")


class Farm:
    """n1 and n2, the older of which is upgraded in the course of the test."""

    def __init__(self, since: Mapping[type[entries.Entry], Version]) -> None:
        self.clock = HostClock()
        self.network = FakeNetwork(("n1", "n2"), clock=self.clock, election_s=0.0)
        self.machines: dict[str, StateMachine] = {"n1": OlderMachine(), "n2": StateMachine()}
        self._since = since
        self.ledgers: dict[str, Ledger] = {}

    async def start(self, name: str) -> None:
        replica = self.network.replica(name, self.machines[name])
        await replica.start()
        self.ledgers[name] = Ledger(
            replica, self.machines[name], self.clock, name, since=self._since)

    async def say(self, kind: type[entries.Entry], **fields: object) -> str:
        """By the newer node; the code of the refusal."""
        found = await self.ledgers["n2"].say(kind, "-", deadline_s=10.0, **fields)
        return found.code if found else ""

    async def found(self) -> None:
        for name in ("n1", "n2"):
            await self.start(name)
        await self.say(entries.ClusterFormed, name="farm", nodes=("n1", "n2"), config_text="-")
        for name, version in (("n1", "0.1.3"), ("n2", "0.2.0")):
            await self.say(entries.NodeJoined, node=name, incarnation="i", version=version)
        assert await self.say(entries.PackageApplied, spec=package(nodes=("n1", "n2"))) == ""

    @property
    def are_same(self) -> bool:
        states = [encode_state(each.state) for each in self.machines.values()]
        return states[0] == states[1]


async def test_what_the_older_version_does_not_know_waits_for_its_upgrade() -> None:
    farm = Farm(NEWS)
    await farm.found()
    assert await farm.say(entries.PackageDeleted, package="p1") == "version-floor"
    assert farm.are_same
    farm.machines["n1"] = StateMachine()
    await farm.start("n1")
    await farm.say(entries.NodeJoined, node="n1", incarnation="j", version="0.2.0")
    assert await farm.say(entries.PackageDeleted, package="p1") == ""
    assert farm.are_same and "p1" not in farm.machines["n1"].state.packages


async def test_a_node_does_not_go_back_below_the_floor() -> None:
    farm = Farm(NEWS)
    await farm.found()
    await farm.say(entries.NodeJoined, node="n1", incarnation="j", version="0.2.0")
    assert await farm.say(
        entries.NodeJoined, node="n1", incarnation="k", version="0.1.3") == "node-version-differs"


@pytest.mark.parametrize("since", [NEWS, {}], ids=["with the floor", "without it"])
async def test_without_the_floor_two_versions_would_differ(
    since: Mapping[type[entries.Entry], Version],
) -> None:
    farm = Farm(since)
    await farm.found()
    await farm.say(entries.PackageDeleted, package="p1")
    assert farm.are_same is (since is NEWS)


class Deaf:
    """A guardian that never answers, and the guests that it has none of."""

    def ping(self) -> None:
        pass

    def renew(self, expiry_s: float, kill_at_s: float) -> None:
        pass

    async def freeze(self, pids=None) -> bool:
        return False

    def all_thawed(self) -> None:
        pass


async def test_a_silent_guardian_is_logged_once_and_said_when_all_can_read_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    farm = Farm(SINCE)
    await farm.found()
    deaf, ledger = Deaf(), farm.ledgers["n2"]
    guarding = Guarding(
        node="n2", clock=farm.clock, ledger=ledger, guardian=cast("Guardian", deaf),
        guests=lambda: deaf, told=lambda: None)
    running = asyncio.ensure_future(guarding.run())
    try:
        async with asyncio.timeout(30):
            while not guarding.is_silent:
                await asyncio.sleep(PING_S)
        applied = ledger.state.applied
        await asyncio.sleep(5 * PING_S)
        assert ledger.state.applied == applied, "nothing is proposed that an older node refuses"
        assert caplog.text.count("it does not answer the daemon") == 1
        await farm.say(entries.NodeJoined, node="n1", incarnation="j", version="0.2.0")
        assert await ledger.until(
            lambda state: state.nodes["n2"].guardian_silent, deadline_s=30.0)
    finally:
        running.cancel()
