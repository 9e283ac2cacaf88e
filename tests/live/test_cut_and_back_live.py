"""A node is cut off for longer than its lease while nobody may, or can, have its guest: that
stands meanwhile and goes on, with its memory, however its operator had kept others from it.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from cluster.api.messages import HaltPackage, RunPackage, SetMaintenance, SetSwitching
from cluster.lab import guests, lab
from packages.core.values import changed
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

CUT_S = 8.0
"""Twice the lease and its margin in the profile the labs run with."""
GOES_ON_S, LOOK_S = 40.0, 0.05
HOLD_S = 2.0
Measure = Callable[[LiveCluster, str, bool], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("back") / "lab", memory_mib=32) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    await lab_of_three.set_policy()
    yield lab_of_three


async def disabled(cluster: LiveCluster, here: str, on: bool) -> None:
    await cluster.done(SetSwitching(request=token(), package="p1", enabled=not on))


async def disabled_elsewhere(cluster: LiveCluster, here: str, on: bool) -> None:
    for node in cluster.names:
        if node != here:
            await cluster.done(
                SetSwitching(request=token(), package="p1", node=node, enabled=not on))


async def maintenance(cluster: LiveCluster, here: str, on: bool) -> None:
    await cluster.done(SetMaintenance(request=token(), package="p1", on=on))


async def alone_in_its_list(cluster: LiveCluster, here: str, on: bool) -> None:
    package = changed(cluster.package(), nodes=(here,) if on else tuple(cluster.names))
    await cluster.apply(
        guests.package_text(cluster.plan, package, cluster.record.disks["p1"])
        + "service_restart: 1000\n")


MEASURES = [disabled, disabled_elsewhere, maintenance, alone_in_its_list]


@pytest.mark.parametrize("measure", MEASURES)
async def test_a_guest_that_nobody_was_given_goes_on_where_it_stood(
    cluster: LiveCluster, measure: Measure,
) -> None:
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    here = before["node"]
    copy = cluster.copy_on(here)
    await measure(cluster, here, True)
    cluster.away.add(here)
    assert await lab.cut(cluster.record.dir, here) is None
    await asyncio.sleep(CUT_S)  # what is measured is that nothing happens in it
    assert [each._replace(stands=False) for each in cluster.copies()] == [copy]
    assert cluster.copy_on(here).stands
    assert await lab.heal(cluster.record.dir, here) is None
    cluster.away.clear()
    async with asyncio.timeout(GOES_ON_S):
        while cluster.copy_on(here).stands:
            await asyncio.sleep(LOOK_S)
    await measure(cluster, here, False)
    after = await cluster.one_copy()
    assert cluster.copy_on(here) == copy and (await cluster.said()).boot_id == life
    assert (after["node"], after["boot_id"]) == (here, before["boot_id"])


async def test_a_halt_stands_when_an_earlier_hold_runs_out(cluster: LiveCluster) -> None:
    await cluster.one_copy()
    await cluster.done(
        SetSwitching(request=token(), package="p1", enabled=False, for_s=HOLD_S))
    await cluster.done(HaltPackage(request=token(), package="p1"))
    await cluster.until(lambda status: not one(status)["holds"], settled=True)
    await asyncio.sleep(HOLD_S)
    status = await cluster.settled_status()
    assert one(status)["state"] == "halted" and cluster.copies() == []
    await cluster.done(RunPackage(request=token(), package="p1"))
    await cluster.one_copy()
