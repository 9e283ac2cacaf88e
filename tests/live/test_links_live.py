"""Links that break in part: a guest stands still only where nobody can be asked for its lease."""

import asyncio

import pytest
import pytest_asyncio

from cluster.api.messages import ApplyPackages, HaltNode, NamedText, RemoveNode
from cluster.lab import lab
from tests.live.cuts import cut_pair, narrow
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

LONG_S = 9.0
"""Two leases with their margins."""
BIG = """\
name: big
description: "{words}"
nodes: [n1, n2, n3]
auto_run: false
vm: {{memory_mib: 16, disks: [], kernel: {{image: /boot/none}}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("links") / "lab", memory_mib=32) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    """The guest runs on a node that does not lead."""
    await lab_of_three.in_order()
    led = await lab_of_three.leader()
    if (await lab_of_three.shown())["node"] == led:
        other = next(each for each in lab_of_three.names if each != led)
        assert (await lab_of_three.moved(other))["result"] == "completed"
    yield lab_of_three


async def test_only_the_link_to_the_coordinator_breaks_and_the_guest_runs_on(cluster):
    before, led = await cluster.shown(), await cluster.leader()
    here = before["node"]
    copy, freezes = cluster.copy_on(here), cluster.freezes(here)
    await cut_pair(cluster.node(here), cluster.node(led), cut=True)
    try:
        await asyncio.sleep(LONG_S)
        assert cluster.copy_on(here) == copy and cluster.freezes(here) == freezes
    finally:
        await cut_pair(cluster.node(here), cluster.node(led), cut=False)
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])


async def test_large_packets_are_lost_and_a_large_order_costs_no_guest_its_lease(cluster):
    before = await cluster.shown()
    here = before["node"]
    copy, freezes = cluster.copy_on(here), cluster.freezes(here)
    for node in cluster.plan.nodes:
        await narrow(node, cut=True)
    try:
        order = asyncio.ensure_future(cluster.ask(ApplyPackages(
            request=token(), files=(NamedText(
                name="big.yaml", text=BIG.format(words="word " * 800)),)), node=here))
        await asyncio.sleep(LONG_S)
        assert cluster.copy_on(here) == copy and cluster.freezes(here) == freezes
    finally:
        for node in cluster.plan.nodes:
            await narrow(node, cut=False)
    await order
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])


@pytest.mark.parametrize("order", [
    lambda node: HaltNode(request=token(), node=node, detach=True),
    lambda node: RemoveNode(request=token(), node=node),
], ids=["left-alone", "removed"])
async def test_what_a_cut_node_runs_is_neither_left_alone_nor_removed_but_taken_over(
    cluster, order,
):
    here = (await cluster.shown())["node"]
    at = next(each for each in cluster.names if each != here)
    cluster.away.add(here)
    assert await lab.cut(cluster.record.dir, here, ["cluster"]) is None
    await cluster.until(lambda status: next(
        each for each in status["nodes"] if each["name"] == here)["status"] == "unknown")
    refused = await cluster.ask(order(here), node=at)
    assert [each.code for each in refused.problems] == ["node-not-heard"]
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, here)
        and one(status)["state"] == "running")
    assert one(status)["proof"]["kind"] == "lease"
    assert await lab.heal(cluster.record.dir, here) is None
    cluster.away.clear()
    await cluster.in_order()
    cluster.check_disk()
