"""A daemon that is stopped, or that its host has nothing left for; both watchers gone at once.

Whoever acts is seen from outside: the guests' processes, and the log on their disk.
"""

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.api.messages import Preflight
from cluster.lab.groups import state_of
from tests.live.live_cluster import LiveCluster, live_cluster, one, until_gone

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

LOOK_S = 0.01
STOPPED_S = 10.0
LACKING_S = 6.0
"""Longer than a lease with its margin (4.1 s in profile `lan`): what is to be renewed has been."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("parts") / "lab") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    yield lab_of_three


async def test_a_daemon_stopped_for_ten_seconds_leaves_its_guest_to_the_guardian(cluster):
    """Its guardian lives: the guest stands before the successor runs, and is ended afterwards."""
    before = await cluster.until_running()
    here, frozen = before["node"], cluster.freezes(before["node"])
    old = cluster.copy_on(here)
    began = asyncio.get_running_loop().time()
    cluster.stop_daemons(here)
    overlap = 0
    async with asyncio.timeout(60):
        while not [each for each in cluster.copies() if each.node != here]:
            await asyncio.sleep(LOOK_S)
        while one(await cluster.status())["state"] != "running":
            overlap += state_of(old.pid) != "T"
            await asyncio.sleep(LOOK_S)
    assert not overlap and cluster.freezes(here) > frozen
    await asyncio.sleep(max(0.0, began + STOPPED_S - asyncio.get_running_loop().time()))
    assert state_of(old.pid) == "T", "nobody is there to end it, and it stands"
    cluster.continue_daemons(here)
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) != (here, before["epoch"])


async def test_a_coordinator_stopped_for_ten_seconds_costs_nobody_a_guest(cluster):
    leader = await cluster.leader()
    if (await cluster.until_running())["node"] == leader:
        other = next(each for each in cluster.names if each != leader)
        assert (await cluster.moved(other))["result"] == "completed"
    before = await cluster.one_copy()
    leader = await cluster.leader()
    assert leader != before["node"]
    copy, frozen = cluster.copy_on(before["node"]), cluster.freezes(before["node"])
    cluster.stop_daemons(leader)
    await asyncio.sleep(STOPPED_S)
    cluster.continue_daemons(leader)
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (before["node"], before["epoch"])
    assert cluster.copy_on(after["node"]) == copy and cluster.freezes(after["node"]) == frozen


@contextmanager
def limited(pid: int, what: int, to: int) -> Iterator[None]:
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (to, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it may have ended meanwhile
            resource.prlimit(pid, what, before)


async def test_a_daemon_without_a_descriptor_left_renews_its_lease(cluster):
    """Nothing new can be opened: no program started, no connection taken. What is open serves, who
    calls on the host itself finds nobody, and the other nodes say why."""
    before = await cluster.until_running()
    here = before["node"]
    pid, frozen = cluster.daemon(here), cluster.freezes(here)
    with limited(pid, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{pid}/fd"))):
        await asyncio.sleep(LACKING_S)
        with socket.socket(socket.AF_UNIX) as caller, pytest.raises(FileNotFoundError):
            caller.connect(f"{cluster.node(here).run}/api.sock")
        other = next(each for each in cluster.names if each != here)
        said = [(each["code"], each["subject"])
                for each in (await cluster.status(node=other))["problems"]]
        assert ("descriptors-short", f"node:{here}") in said
        assert state_of(pid) not in "ZX", "it has ended"
        shown = await cluster.shown()
        assert (shown["node"], shown["epoch"], shown["state"]) == (
            here, before["epoch"], "running")
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"], after["epoch"]) == (
        here, before["boot_id"], before["epoch"])
    assert cluster.freezes(here) == frozen


async def test_a_daemon_without_memory_left_is_lost_and_no_second_copy_runs(cluster):
    """It may end, or stand for good in a thread that cannot be started; then its unit ends it
    (tests/core/test_supervision.py), which here the test does."""
    before = await cluster.until_running()
    here = before["node"]
    pid = cluster.daemon(here)
    size_bytes = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    there = next(each for each in cluster.names if each != here)
    cluster.away.add(here)  # it may answer nobody any more
    with limited(pid, resource.RLIMIT_AS, size_bytes):
        end = asyncio.get_running_loop().time() + LACKING_S
        while asyncio.get_running_loop().time() < end:
            await cluster.ask(Preflight(package="p1", node=there), node=there)
            running = [each for each in cluster.copies() if state_of(each.pid) != "T"]
            assert len({each.node for each in running}) <= 1
        with suppress(ProcessLookupError):  # it has ended by itself
            cluster.kill_daemon(here)
    await until_gone(pid)
    await cluster.in_order()
    await cluster.one_copy()


@pytest.mark.parametrize("first", ["daemon", "guardian"])
async def test_daemon_and_guardian_killed_at_once_come_back_in_either_order(cluster, first):
    """The guest is untouched where both are back within its lease, whichever is first."""
    before = await cluster.until_running()
    here = before["node"]
    copy = cluster.copy_on(here)
    await cluster.lose_guardian(here)
    cluster.kill_daemon(here)
    if first == "daemon":
        await cluster.start_daemon(here)
        await cluster.start_guardian(here)
    else:
        await cluster.start_guardian(here)
        await cluster.start_daemon(here)
    after = await cluster.one_copy()
    if after["node"] == here and after["epoch"] == before["epoch"]:
        assert cluster.copy_on(here) == copy
    else:
        assert after["epoch"] > before["epoch"], "a starved machine was slower than the lease"
    await cluster.in_order()
    cluster.check_disk()
