"""A guest that the record does not give to its node is ended once, and told once."""

import asyncio

from cluster.core import entries
from packages.core.problem import Problem
from packages.vm.driver import Guest
from packages.worker import Worker
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig


async def test_worker_and_agent_at_one_stray_end_it_once_and_say_so_once() -> None:
    """A node that was called dead is heard again: it ends what is not its own before it joins, and
    each agent's own look comes at the same moment."""
    async with Rig("n1", "n2", "n3") as rig:
        n1, n2 = rig.nodes["n1"], rig.nodes["n2"]
        n1.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        await n1.pause()
        worker = Worker(n1.agent.around)
        worker.agents["p1"] = n1.agent
        await rig.fail("n1")
        await rig.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2")
        n2.begin()
        await rig.until(lambda: rig.record.owner == "n2" and rig.record.state == "running")
        destroy = n1.driver.destroy

        async def takes_a_while(guest: Guest, **options: float) -> Problem | None:
            await asyncio.sleep(0.05)
            return await destroy(guest, **options)

        n1.driver.destroy = takes_a_while  # type: ignore[method-assign]
        n1.begin()
        assert await worker.end_foreign() is None
        assert n1.agent.body.guest is None, "it is gone before the node joins"
        await rig.until(lambda: strays(rig) != [])
        await rig.until(lambda: n1.agent.stuck is None)
        assert strays(rig) == ["node:n1"]


def strays(rig: Rig) -> list[str]:
    events = rig.nodes["n1"].ledger.state.events.values()
    return [each.subject for each in events if each.what == "stray guest of p1 ended"]


async def test_a_start_that_its_node_lacks_the_means_for_is_not_counted() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        n1 = rig.nodes["n1"]
        n1.driver.lacks = "the host is short of something: Too many open files"
        n1.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.owner is None)
        assert rig.record.state == "relocate_wait" and rig.record.auto_run
        assert (rig.record.failures_ms, rig.record.avoid) == ((), ())
        assert [each.node for each in rig.record.shortages] == ["n1"]
