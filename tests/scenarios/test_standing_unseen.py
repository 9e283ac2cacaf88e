"""A guest whose process somebody has stopped under a good lease is not shown as running."""

import asyncio

from cluster.core.view import Surroundings, status
from cluster.nodes.guardian_link import Watchdog
from packages.core.problem import Problem
from packages.lookout import Lookout
from packages.worker import Worker
from tests.core.test_apply import package
from tests.scenarios.agents_rig import AgentNode, Rig


class QuietGuardian:
    """Has taken up whatever it is asked about."""

    async def watchdog(self) -> Watchdog:
        return Watchdog()

    async def taken_up(self, *, deadline_s: float = 2.0) -> Problem | None:
        return None


async def no_hypervisor() -> tuple[str, tuple[str, ...]]:
    return "", ()


def lookout(node: AgentNode) -> "asyncio.Task[None]":
    worker = Worker(node.agent.around)
    worker.agents["p1"], worker.is_working = node.agent, True
    return asyncio.ensure_future(Lookout(
        worker=worker, strangers=node, guardian=QuietGuardian(),  # type: ignore[arg-type]
        hypervisor=no_hypervisor).run())


def shown(rig: Rig) -> tuple[str, list[str]]:
    around = Surroundings(now_ms=0, leader="n1", quorum=True, term=1, addresses={})
    told = status(rig.nodes["n1"].ledger.state, around)
    return (next(each["state"] for each in told["packages"] if each["name"] == "p1"),
            [each["code"] for each in told["problems"]])


async def test_a_process_that_was_stopped_by_others_is_said_until_it_goes_on() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        n1 = rig.nodes["n1"]
        n1.begin()
        looking = lookout(n1)
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        guest = n1.agent.body.guest
        assert guest is not None
        await n1.driver.freeze(guest)
        await rig.until(lambda: shown(rig) == ("stuck", ["agent-stuck"]))
        await n1.driver.unfreeze(guest)
        await rig.until(lambda: shown(rig) == ("running", []))
        looking.cancel()
