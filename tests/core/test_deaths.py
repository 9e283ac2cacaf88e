"""What a coordinator says of who is silent, and what it does before it calls a node dead."""

import asyncio
from typing import Any

from cluster.config.schema import PROFILES
from cluster.coordination import Coordination
from cluster.core import entries
from cluster.core.model import Proof
from cluster.deaths import Deaths
from packages.core.limits import Limits
from tests.core.test_landlord import Elected

LAN = PROFILES["lan"]


class Deathbed(Elected):
    """n1 coordinates, and has just granted n2 a lease."""

    async def __aenter__(self) -> "Deathbed":
        await super().__aenter__()
        assert await self.landlord.begin()
        self.deaths = Deaths(
            node="n1", ledger=self.ledger, landlord=self.landlord, clock=self.clock)
        assert self.grants() is not None
        return self

    def grants(self) -> float | None:
        return self.landlord.grant("n2", "i1")

    def of_n2(self) -> entries.NodeFailed:
        return entries.NodeFailed(
            id=self.clock.token(), at_ms=1, by="ann", because="-", node="n2", incarnation="i1",
            proof=Proof(kind="operator", because="-"))


async def test_granting_ends_before_a_death_is_on_its_way() -> None:
    """A node that asks meanwhile would run its guests while they are started elsewhere."""
    async with Deathbed() as coordinator:
        declared = asyncio.ensure_future(coordinator.deaths.declare(coordinator.of_n2()))
        await asyncio.sleep(0)
        assert coordinator.ledger.state.nodes["n2"].state == "running", "nothing is agreed yet"
        assert coordinator.grants() is None
        assert await declared is None
        assert coordinator.ledger.state.nodes["n2"].state == "failed"


async def test_who_does_not_lead_declares_nothing_and_stops_granting_to_nobody() -> None:
    async with Deathbed() as coordinator:
        coordinator.network.is_sure = False
        refused = await coordinator.deaths.declare(coordinator.of_n2())
        assert refused is not None and refused.code == "no-quorum"
        coordinator.network.is_sure = True
        assert coordinator.grants() is not None


async def test_a_coordinator_that_nobody_could_ask_yet_knows_nobody_silent() -> None:
    """An operator's word about a node that lives would be carried out."""
    async with Deathbed() as coordinator:
        assert coordinator.deaths.silence() is None
        coordinator.clock.now_s += LAN.suspect_s
        known = coordinator.deaths.silence()
        assert known is not None and "n2" in known.heard


async def test_who_has_just_joined_is_heard() -> None:
    async with Deathbed() as coordinator:
        coordinator.clock.now_s += LAN.suspect_s + 1.0
        assert await coordinator.ledger.say(
            entries.NodeJoined, "-", node="n3", incarnation="i2", version="0.2.0") is None
        known = coordinator.deaths.silence()
        assert known is not None and "n3" in known.heard and "n2" not in known.heard


async def test_who_leads_no_longer_proposes_nothing_more() -> None:
    """The first of two deaths is agreed upon, and then the majority is silent."""
    async with Deathbed() as coordinator:
        unasked: Any = None
        at_work = Coordination(
            ledger=coordinator.ledger, landlord=coordinator.landlord, clock=coordinator.clock,
            survey=unasked, limits=Limits, fence=lambda: None)

        def look() -> None:
            coordinator.network.is_sure = not dead()

        def dead() -> list[str]:
            nodes = coordinator.ledger.state.nodes
            return [name for name in sorted(nodes) if nodes[name].state == "failed"]

        coordinator.ledger.watch(look)
        coordinator.clock.now_s += LAN.lease_s + LAN.margin_s + 0.1
        assert await coordinator.landlord.begin() and not dead()
        task = asyncio.ensure_future(at_work.run())
        await coordinator.ledger.until(lambda state: bool(dead()), deadline_s=None)
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        assert dead() == ["n2"]
