"""Five nodes lose more than one thing at a time, or a network that is not the cluster's."""

import asyncio

import pytest
import pytest_asyncio

from cluster.lab import lab
from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster, one

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

LEASE_AND_MARGIN_S = 4.1
"""Of the profile the labs run with."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_five(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses") / "lab"
    async with live_cluster(folder, nodes=5, memory_mib=32) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_five: LiveCluster):
    await lab_of_five.in_order()
    await lab_of_five.set_policy()
    yield lab_of_five


async def elsewhere(cluster: LiveCluster, *lost: str) -> dict:
    return one(await cluster.until(
        lambda status: one(status)["node"] not in (None, *lost)
        and one(status)["state"] == "running", settled=True))


async def test_owner_and_coordinator_lose_power_at_once(cluster):
    leader = await cluster.leader()
    if (await cluster.shown())["node"] == leader:
        other = next(each for each in cluster.names if each != leader)
        assert (await cluster.moved(other))["result"] == "completed"
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    lost = {before["node"], await cluster.leader()}
    assert len(lost) == 2
    cluster.away |= lost
    assert await asyncio.gather(*(lab.kill(cluster.record.dir, each) for each in lost)) == [
        None, None]
    after = await elsewhere(cluster, *lost)
    assert after["proof"]["kind"] == "lease" and after["epoch"] == before["epoch"] + 1
    assert (await cluster.said()).boot_id != life
    cluster.check_disk()
    await cluster.in_order()
    assert (await cluster.one_copy())["node"] == after["node"]


async def test_daemon_and_guardian_killed_together_and_started_again_touch_nothing(cluster):
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    here = before["node"]
    copy = cluster.copy_on(here)
    async with held_connection(cluster.package().guest_address) as caller:
        cluster.kill_daemon(here)
        await cluster.kill_guardian(here)
        await cluster.start_daemon(here)
        await cluster.until(lambda status: any(
            each["name"] == here and each["status"] == "up" for each in status["nodes"]))
        await caller.goes_on()
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])
    assert cluster.copy_on(here) == copy and (await cluster.said()).boot_id == life


async def test_a_guardian_started_again_freezes_for_a_daemon_that_stays_away(cluster):
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    here = before["node"]
    cluster.kill_daemon(here)
    await cluster.kill_guardian(here)
    await cluster.until(lambda status: one(status)["node"] != here)
    assert cluster.copy_on(here).stands, "taken over before it stood"
    after = await elsewhere(cluster, here)
    assert after["epoch"] == before["epoch"] + 1
    assert (await cluster.said()).boot_id != life
    cluster.check_disk()


async def test_without_a_migration_network_a_move_fails_and_nothing_else(cluster):
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    here = before["node"]
    target = next(each for each in cluster.names if each != here)
    assert await lab.cut(cluster.record.dir, target, ["migration"]) is None
    async with held_connection(cluster.package().guest_address) as caller:
        move = await cluster.moved(target)
        assert move["result"] in ("failed", "aborted"), move
        assert move["problem"]["because"] and move["problem"]["fix"]
        await caller.goes_on()
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (here, before["boot_id"])
    assert (await cluster.said()).boot_id == life
    assert await lab.heal(cluster.record.dir, target) is None
    assert (await cluster.moved(target))["result"] == "completed"


async def test_storage_that_stalls_for_longer_than_a_lease_starts_no_second_copy(cluster):
    """Its node is well and says so: the guest's writes wait, and go on where they were (P15)."""
    before, said = await cluster.one_copy(), await cluster.said()
    here = before["node"]
    assert await lab.cut(cluster.record.dir, here, ["storage"]) is None
    await asyncio.sleep(2 * LEASE_AND_MARGIN_S)
    assert [each.node for each in cluster.copies()] == [here]
    status = await cluster.settled_status()
    assert (one(status)["node"], one(status)["epoch"]) == (here, before["epoch"])
    assert await lab.heal(cluster.record.dir, here) is None
    async with asyncio.timeout(20):
        while (await cluster.said()).counter <= said.counter:
            await asyncio.sleep(0.05)
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (here, before["boot_id"])
    assert (await cluster.said()).boot_id == said.boot_id
