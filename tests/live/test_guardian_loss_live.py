"""A guardian that is killed, stopped or cannot start: nothing rests on a lease nobody enforces.

Whoever acts is seen from outside: the guests' processes, and the log on their disk.
"""

import asyncio
import os
import signal
import time

import pytest
import pytest_asyncio

from cluster.api.messages import GetEvents, MovePackage, Preflight
from cluster.lab import lab
from cluster.lab.groups import state_of
from tests.live.guest_processes import Copy
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

SAID_WITHIN_S = 1.0
"""What is promised; the tests wait longer, for machines that are not."""
LOOK_S = 0.01


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("loss") / "lab") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    yield lab_of_three


def node_of(status, name):
    return next(each for each in status["nodes"] if each["name"] == name)


def stands(copy: Copy) -> bool:
    """Now, as the kernel shows it."""
    return state_of(copy.pid) == "T"


async def lose(cluster: LiveCluster, node: str, how: str) -> None:
    if how == "stopped":
        cluster.stop(cluster.guardian(node))
    else:
        await cluster.lose_guardian(node)


@pytest.mark.parametrize("how", ["stopped", "gone"])
async def test_cut_off_without_its_guardian_the_node_stops_its_guest_itself(cluster, how):
    before = await cluster.until_running()
    here = before["node"]
    old = cluster.copy_on(here)
    await lose(cluster, here, how)
    assert await lab.cut(cluster.record.dir, here) is None
    cluster.away.add(here)
    overlap = 0
    async with asyncio.timeout(60):
        while not [each for each in cluster.copies() if each.node != here]:
            await asyncio.sleep(LOOK_S)
        while one(await cluster.status())["state"] != "running":
            overlap += not stands(old)
            await asyncio.sleep(LOOK_S)
    assert stands(old) and not overlap, "both ran"
    cluster.check_disk()
    if how == "stopped":
        cluster.go_on(cluster.guardian(here))
    else:
        await cluster.start_guardian(here)
    await cluster.in_order()
    cluster.check_disk()


@pytest.mark.parametrize("how", ["stopped", "gone"])
async def test_a_silent_guardian_is_said_and_nothing_arrives(cluster, how):
    shown = await cluster.until_running()
    there = next(each for each in cluster.names if each != shown["node"])
    began = time.monotonic()
    await lose(cluster, there, how)
    status = await cluster.until(lambda status: node_of(status, there)["guardian"] != "ok")
    assert time.monotonic() - began >= 0.6, "a guardian that its unit starts again is no news"
    [told] = [each for each in status["problems"] if each["code"] == "guardian-unreachable"]
    assert told["subject"] == f"node:{there}" and "no watchdog" in told["because"]
    report = await cluster.ask(Preflight(package="p1", node=there))
    assert "guardian-unreachable" in str(report)
    refused = await cluster.ask(MovePackage(request=token(), package="p1", node=there))
    assert refused.verdict == "refused"
    assert "guardian-unreachable" in [each.code for each in refused.problems]
    if how == "stopped":
        cluster.go_on(cluster.guardian(there))
    else:
        await cluster.start_guardian(there)
    await cluster.until(lambda status: node_of(status, there)["guardian"] == "ok")
    said = [each["what"] for each in (await cluster.done(GetEvents()))["events"]
            if each["subject"] == f"node:{there}"]
    assert "guardian unreachable" in said and "guardian ok" in said


async def test_a_guardian_that_is_started_again_costs_the_guest_nothing(cluster):
    before = await cluster.until_running()
    frozen = cluster.freezes(before["node"])
    for _ in range(3):
        await cluster.kill_guardian(before["node"])
    await cluster.until(lambda status: node_of(status, before["node"])["guardian"] == "ok")
    after = await cluster.one_copy()
    assert (after["boot_id"], after["epoch"]) == (before["boot_id"], before["epoch"])
    assert cluster.freezes(before["node"]) == frozen


async def test_without_its_guardian_a_guest_is_taken_over_and_its_node_comes_back(cluster):
    """Nothing is cut: the node is heard, and asks for no lease."""
    before = await cluster.until_running()
    await cluster.lose_guardian(before["node"])
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, before["node"])
        and one(status)["state"] == "running")
    assert node_of(status, before["node"])["state"] == "failed"
    cluster.check_disk()
    await cluster.start_guardian(before["node"])
    await cluster.in_order()


async def test_a_short_stop_of_the_guardian_leaves_the_guest_alone(cluster):
    before = await cluster.until_running()
    guardian = cluster.guardian(before["node"])
    cluster.stop(guardian)
    await asyncio.sleep(1.5)  # shorter than any lease: what is measured is that nothing happens
    cluster.go_on(guardian)
    after = await cluster.one_copy()
    assert (after["boot_id"], after["epoch"]) == (before["boot_id"], before["epoch"])


async def test_frozen_by_its_daemon_alone_it_goes_on_when_all_is_well(cluster):
    """Cut off for as long as a lease lasts with the guardian stopped, and back before the node is
    called dead or after: the guest goes on in the same place, or is ended there."""
    before = await cluster.until_running()
    here = before["node"]
    guardian = cluster.guardian(here)
    cluster.stop(guardian)
    old = cluster.copy_on(here)
    async with asyncio.timeout(60):
        while not stands(old):
            await asyncio.sleep(LOOK_S)
    os.kill(guardian, signal.SIGCONT)
    cluster.go_on(guardian)
    await cluster.one_copy()
