"""A node with four real guests is emptied and gets them back; the coordinator dies meanwhile."""

import asyncio

import pytest

from cluster.api.messages import DrainNode, MovePackage, ResumeNode
from tests.live.guest_side import held_connection
from tests.live.live_cluster import live_cluster, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance]

NAMES = ("p1", "p2", "p3", "p4")


def on(status, node):
    return sorted(
        each["name"] for each in status["packages"]
        if each["node"] == node and each["state"] == "running" and each["move"] is None)


async def test_four_guests_leave_and_come_home_alive(tmp_path):
    async with live_cluster(tmp_path / "lab", packages=4, memory_mib=32) as cluster:
        for name in NAMES:
            await cluster.until_running(name)
        here = (await cluster.shown("p1"))["node"]
        await asyncio.gather(*(gathered(cluster, name, here) for name in NAMES))
        lives = {name: (await cluster.said(package=name)).boot_id for name in NAMES}
        async with held_connection(cluster.package("p3").guest_address) as caller:
            plan = await cluster.done(DrainNode(request=token(), node=here))
            assert sorted(each["package"] for each in plan["moves"]) == list(NAMES)
            assert len(plan["waves"]) == 2 and plan["seconds"] > 0 and not plan["stuck"]
            await cluster.until(lambda status: len(on(status, here)) <= 2)
            leader = await cluster.leader()
            cluster.kill_daemon(leader)
            await cluster.start_daemon(leader)
            await cluster.until(lambda status: state_of(status, here) == "maintenance")
            await caller.goes_on()
        home = cluster.ask(ResumeNode(request=token(), node=here, bring_back=True))
        assert sorted((await home).result["returned"]) == list(NAMES)
        for name in NAMES:
            # What it said to be durable before it left is on its disk.
            shown = await cluster.one_copy(name)
            assert shown["node"] == here
            assert (await cluster.said(package=name)).boot_id == lives[name]


async def gathered(cluster, name, node):
    """Have the package on this node; past the limits its move waits for its turn."""
    if (await cluster.shown(name))["node"] != node:
        await cluster.done(MovePackage(request=token(), package=name, node=node))
        await cluster.until(lambda status: name in on(status, node))


def state_of(status, node):
    return next(each["state"] for each in status["nodes"] if each["name"] == node)
