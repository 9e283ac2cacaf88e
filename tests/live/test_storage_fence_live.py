"""A package on a LUN that QEMU opens itself, at a real target: moved, and taken over by its fence.

The target (tgtd) stands off every node (san.py). QEMU's image locks say nothing there, and would
not: the hosts of a cluster share no kernel.
"""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.api.messages import HaltPackage, Preflight, RunPackage
from cluster.lab import lab
from tests.live.guest_processes import until_gone
from tests.live.live_cluster import LiveCluster, live_cluster, one, token
from tests.live.san import San

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

SUSPECT_S = 0.8
LEASE_S, MARGIN_S = 3.5, 0.6
"""Of the profile the labs run with: a takeover that waits for the lease takes as long as both."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fenced(tmp_path_factory):
    with tempfile.TemporaryDirectory(prefix="san-") as folder:
        async with live_cluster(tmp_path_factory.mktemp("fenced") / "lab") as cluster:
            san = San(cluster.record, Path(folder))
            try:
                await san.start()
                await cluster.until_running()
                await cluster.done(HaltPackage(request=token(), package="p1"))
                await cluster.until(lambda status: one(status)["state"] == "halted")
                await cluster.apply(san.package_text())
                await cluster.done(RunPackage(request=token(), package="p1"))
                await cluster.until_running()
                yield cluster, san
            finally:
                san.target.end()


@pytest_asyncio.fixture(loop_scope="module")
async def both(fenced):
    cluster, san = fenced
    await cluster.in_order()
    yield cluster, san


def name_of(shown: dict) -> str:
    return f"{shown['node']}.{shown['epoch']}"


async def settled(cluster: LiveCluster, san: San) -> dict:
    """One copy, and nobody but its owner at the target."""
    shown = await cluster.one_copy()
    async with asyncio.timeout(20):
        while san.let_in() != {name_of(shown)} or san.connected() != {name_of(shown)}:
            await asyncio.sleep(0.05)
    return shown


async def taken_over(cluster: LiveCluster, before: dict) -> dict:
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, before["node"])
        and one(status)["state"] == "running")
    after = one(status)
    assert after["boot_id"] != before["boot_id"]
    assert after["proof"]["kind"] == "storage" and after["proof"]["node"] == before["node"]
    return after


async def test_a_move_goes_through_and_leaves_its_target_alone_at_the_disk(both):
    cluster, san = both
    before = await settled(cluster, san)
    target = next(name for name in cluster.names if name != before["node"])
    checked = await cluster.done(Preflight(package="p1", node=target))
    assert checked["nodes"][0]["allowed"], checked
    move = await cluster.moved(target)
    assert move["result"] == "completed", move
    after = await settled(cluster, san)
    assert (after["node"], after["boot_id"]) == (target, before["boot_id"])
    assert (await cluster.moved(before["node"]))["result"] == "completed"


async def test_a_power_cut_is_taken_over_without_waiting_for_the_lease(both):
    cluster, san = both
    before = await settled(cluster, san)
    leader = await cluster.leader()
    if before["node"] == leader:
        other = next(name for name in cluster.names if name != leader)
        assert (await cluster.moved(other))["result"] == "completed"
        before = await settled(cluster, san)
    cluster.away.add(before["node"])
    began = time.monotonic()
    assert await lab.kill(cluster.record.dir, before["node"]) is None
    status = await cluster.until(lambda status: one(status)["epoch"] > before["epoch"])
    assert time.monotonic() - began < LEASE_S + MARGIN_S - 0.5, "as late as by its lease"
    assert one(status)["proof"]["kind"] == "storage"
    await taken_over(cluster, before)
    told = [each["what"] for each in await cluster.events()]
    assert "storage fence ordered" in told
    await settled(cluster, san)


async def test_a_host_that_hangs_whole_and_goes_on_cannot_write_beside_its_successor(both):
    """The end of its lease alone would not have stopped it: its guardian hung as well."""
    cluster, san = both
    before = await settled(cluster, san)
    here = before["node"]
    cluster.away.add(here)
    assert await lab.hang(cluster.record.dir, here) is None
    after = await taken_over(cluster, before)
    assert san.let_in() >= {name_of(after)} and name_of(before) not in san.let_in()
    old = cluster.copy_on(here)
    assert await lab.thaw(cluster.record.dir, here) is None
    cluster.away.discard(here)
    async with asyncio.timeout(30):
        while any(each.pid == old.pid for each in cluster.copies()):
            assert name_of(before) not in san.connected()
            await asyncio.sleep(0.02)
    assert one(await cluster.settled_status())["boot_id"] == after["boot_id"]
    await settled(cluster, san)
    assert (await cluster.moved(here))["result"] == "completed", "it is let in again, anew"
    assert (await settled(cluster, san))["node"] == here


async def test_a_daemon_that_is_restarted_in_order_loses_nothing(both):
    """As by an upgrade: it is away for longer than a node may be silent."""
    cluster, san = both
    before = await settled(cluster, san)
    leader = await cluster.leader()
    if before["node"] == leader:
        other = next(name for name in cluster.names if name != leader)
        assert (await cluster.moved(other))["result"] == "completed"
        before = await settled(cluster, san)
    here, entry = before["node"], (await cluster.events())[-1]["seq"]
    cluster.away.add(here)
    os.kill(cluster.daemon(here), signal.SIGTERM)
    await until_gone(cluster.daemon(here))
    await asyncio.sleep(1.5 * SUSPECT_S)
    await cluster.start_daemon(here)
    after = await settled(cluster, san)
    assert (after["node"], after["epoch"]) == (here, before["epoch"])
    assert [each["what"] for each in await cluster.events(after=entry)] == []


async def test_a_target_that_lets_in_everybody_is_found_before_anything_is_changed(both):
    cluster, san = both
    before = await settled(cluster, san)
    san.target.admin("--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL")
    try:
        target = next(name for name in cluster.names if name != before["node"])
        checked = await cluster.done(Preflight(package="p1", node=target))
        [there] = checked["nodes"]
        assert not there["allowed"]
        assert "storage-fence-unavailable" in [each["code"] for each in there["problems"]]
    finally:
        san.target.admin("--mode", "target", "--op", "unbind", "--tid", "1", "-I", "ALL")
    assert (await settled(cluster, san))["epoch"] == before["epoch"]
