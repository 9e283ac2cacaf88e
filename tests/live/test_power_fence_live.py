"""A power fence that answers: nobody waits for a lease, whoever was cut and however it hangs."""

import time
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.api.messages import ApplyCluster, FenceNode, GetEvents
from cluster.config.load import dump
from cluster.lab import lab
from cluster.lab.groups import NodeGroup
from cluster.lab.plan import cluster_config
from packages.core.values import changed
from tests.contracts.power_worlds import fence
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

LEASE_AND_MARGIN_S = 4.1
"""Of the profile the labs run with: nobody waited for the end of a lease who was sooner. How soon
it is, where nothing else runs, tests/bench/failover measures."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("power")
    async with live_cluster(folder / "lab") as cluster:
        config = cluster_config(cluster.plan)
        nodes = tuple(
            changed(each, fences=(fence(folder, cluster.node(each.name).netns),))
            for each in config.nodes)
        await cluster.done(ApplyCluster(
            request=token(), text=dump(changed(config, nodes=nodes))))
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    for node in lab_of_three.plan.nodes:
        if not NodeGroup(node).members():  # what a host without power forgets
            assert await lab.kill(lab_of_three.record.dir, node.name) is None
    await lab_of_three.in_order()
    await lab_of_three.set_policy(lease_is_proof="false")
    yield lab_of_three


async def taken_over(cluster: LiveCluster, here: str, since: float) -> float:
    """By the proof of power; after how many seconds it began."""
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, here)
        and one(status)["state"] == "running")
    assert one(status)["proof"]["kind"] == "power"
    assert Path(one(status)["proof"]["because"].split()[0]).name == "fence_namespace"
    cluster.check_disk()
    told = (await cluster.done(GetEvents(package="p1")))["events"]
    began = [datetime.fromisoformat(each["at"]).timestamp() for each in told
             if each["what"] == "package starting"][-1]
    return began - since


async def test_a_fence_is_tried_from_every_node_and_changes_nothing(cluster):
    before = await cluster.shown()
    result = await cluster.done(FenceNode(request=token(), node="n1", test=True))
    assert sorted(each["from"] for each in result["tests"]) == ["n1", "n2", "n3"]
    assert all(each["power"] == "on" and each["problems"] == [] for each in result["tests"])
    assert (await cluster.one_copy())["epoch"] == before["epoch"]


@pytest.mark.parametrize("coordinates", [False, True], ids=["another", "the coordinator"])
async def test_a_takeover_after_a_power_cut_waits_for_no_lease(cluster, coordinates):
    leader = await cluster.leader()
    here = leader if coordinates else next(each for each in cluster.names if each != leader)
    if (await cluster.shown())["node"] != here:
        assert (await cluster.moved(here))["result"] == "completed"
    cluster.away.add(here)
    since = time.time()
    assert await lab.kill(cluster.record.dir, here) is None
    assert await taken_over(cluster, here, since) < LEASE_AND_MARGIN_S
    await cluster.one_copy()


async def test_a_node_that_hangs_as_a_whole_is_switched_off_and_never_writes_again(cluster):
    here = (await cluster.shown())["node"]
    cluster.away.add(here)
    since = time.time()
    assert await lab.hang(cluster.record.dir, here) is None
    assert await taken_over(cluster, here, since) < LEASE_AND_MARGIN_S
    assert await lab.thaw(cluster.record.dir, here) is None
    assert NodeGroup(cluster.node(here)).members() == []
    await cluster.one_copy()


async def test_a_daemon_that_is_stopped_on_purpose_costs_no_power(cluster):
    before = await cluster.shown()
    here = before["node"]
    await cluster.end_daemon(here)
    await cluster.start_daemon(here)
    await cluster.until(lambda status: all(each["status"] == "up" for each in status["nodes"]))
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])
