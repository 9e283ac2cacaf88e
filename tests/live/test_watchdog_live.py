"""A host that hangs whole and goes on later is dead by its watchdog, not by its lease."""

import asyncio

import pytest
import pytest_asyncio

from cluster.lab import lab
from cluster.lab.groups import NodeGroup
from tests.live.live_cluster import LiveCluster, live_cluster, one

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

WATCHDOG_S = 5.0
"""A hang that ends once its node is suspected (0.8 s) is short beside it, on a busy machine too."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watchdog") / "lab"
    async with live_cluster(folder, watchdog_s=WATCHDOG_S) as cluster:
        await cluster.set_policy(lease_is_proof="false")
        await cluster.until(lambda status: all(
            each["watchdog_s"] == WATCHDOG_S for each in status["nodes"]))
        yield cluster


def node_of(status, name):
    return next(each for each in status["nodes"] if each["name"] == name)


async def test_a_short_hang_goes_on_where_it_stood(cluster: LiveCluster):
    before = await cluster.shown()
    here = before["node"]
    cluster.away.add(here)
    assert await lab.hang(cluster.record.dir, here) is None
    await cluster.until(lambda status: node_of(status, here)["status"] == "unknown")
    assert await lab.thaw(cluster.record.dir, here) is None
    cluster.away.clear()
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])


async def test_a_long_hang_ends_with_the_watchdog_and_only_then_it_is_taken_over(cluster):
    here = (await cluster.shown())["node"]
    cluster.away.add(here)
    assert await lab.hang(cluster.record.dir, here) is None
    status = await cluster.until(lambda status: node_of(status, here)["state"] == "failed")
    assert node_of(status, here)["proof"]["kind"] == "lease"
    assert one(status)["node"] == here, "the end of its lease does not free the package"
    assert node_of(status, here)["awaited"]["for"][0] == "watchdog"
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, here)
        and one(status)["state"] == "running")
    assert one(status)["proof"]["kind"] == "watchdog"
    assert NodeGroup(cluster.node(here)).members() == [], "the watchdog has ended them all"
    assert await lab.thaw(cluster.record.dir, here) is None
    cluster.check_disk()
    await cluster.in_order()


async def test_a_node_cut_off_stands_frozen_and_is_not_reset(cluster):
    """Its guardian is well and has frozen its guest: a network trouble costs a pause."""
    before = await cluster.shown()
    here = before["node"]
    cluster.stop_daemons(*(each for each in cluster.names if each != here))
    async with asyncio.timeout(20):
        while not cluster.copy_on(here).stands:
            await asyncio.sleep(0.01)
    await asyncio.sleep(WATCHDOG_S + 1)
    assert cluster.copy_on(here).stands
    cluster.continue_daemons(*(each for each in cluster.names if each != here))
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])
