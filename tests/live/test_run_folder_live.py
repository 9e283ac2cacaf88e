"""A daemon that comes back finds its run folder empty, lost in part, or is given another one: what
it does not remember is not gone, and its guest is never started beside itself.
"""

import asyncio
import shutil
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.api.messages import GetEvents
from cluster.lab import lab, processes
from cluster.nodes.guardian_link import GuardianLink, GuardianReport
from packages.core.values import changed
from tests.live.guest_processes import until_gone
from tests.live.live_cluster import LiveCluster, live_cluster, one

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

UP_S, LOOK_S = 60.0, 0.05


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("folder") / "lab", memory_mib=32) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    await lab_of_three.set_policy()
    yield lab_of_three


def wipe(folder: Path) -> None:
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


@pytest.mark.parametrize("lost", ["p1", ""], ids=["of-the-guest", "whole"])
async def test_a_guest_outlives_the_loss_of_its_run_folder(cluster: LiveCluster, lost: str) -> None:
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    here = before["node"]
    copy = cluster.copy_on(here)
    folder = Path(cluster.node(here).run, lost)
    cluster.kill_daemon(here)
    await until_gone(cluster.daemon(here))
    wipe(folder)
    if lost:
        folder.rmdir()
    await cluster.start_daemon(here)
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])
    assert cluster.copy_on(here) == copy and (await cluster.said()).boot_id == life


@pytest.mark.parametrize("guardian", ["stays", "goes"])
async def test_another_run_folder_brings_no_second_copy(
    cluster: LiveCluster, guardian: str,
) -> None:
    """A guardian is started for that folder, beside the first or in its place. The guest stays
    what it was, unless the daemon took longer than a lease to come back."""
    before, life = await cluster.one_copy(), (await cluster.said()).boot_id
    here = before["node"]
    copy, node = cluster.copy_on(here), cluster.node(here)
    began = (await cluster.done(GetEvents()))["next"]
    cluster.kill_daemon(here)
    await until_gone(cluster.daemon(here))
    if guardian == "goes":
        await cluster.lose_guardian(here)
    other = changed(node, run=f"{node.run}-b")
    Path(other.run).mkdir()
    try:
        assert isinstance(await processes.start_guardian(other), int)
        pid = await processes.start_daemon(other)
        assert isinstance(pid, int)
        async with asyncio.timeout(UP_S):
            while not await is_settled(cluster, here):
                running = [each for each in cluster.copies() if not each.stands]
                assert len(running) < 2, running
        if guardian == "stays":  # it would freeze the guest at the end of the lease that it knows
            async with asyncio.timeout(UP_S):
                while await held_in(Path(node.run)):
                    await asyncio.sleep(LOOK_S)
            async with asyncio.timeout(UP_S):
                while [each for each in cluster.copies() if each.stands]:
                    await asyncio.sleep(LOOK_S)
            assert await held_in(Path(other.run)) == [cluster.copy_on(one(
                await cluster.settled_status())["node"]).pid]
        cluster.check_disk()
        told = (await cluster.done(GetEvents(after=began)))["events"]
        if not [each for each in told if each["what"] == "node failed"]:
            assert cluster.copy_on(here) == copy and (await cluster.said()).boot_id == life
    finally:
        assert await lab.kill(cluster.record.dir, here) is None
        shutil.rmtree(other.run, ignore_errors=True)
    await cluster.in_order()


async def held_in(folder: Path) -> list[int]:
    """Whom the guardian of this run folder holds."""
    link = GuardianLink(str(folder / "guardian.sock"), heard=lambda news: None)
    try:
        assert await link.connect(deadline_s=UP_S) is None
        report = await link.ask(deadline_s=UP_S)
        assert isinstance(report, GuardianReport), report
        return [each.pid for each in report.guarded]
    finally:
        await link.close()


async def is_settled(cluster: LiveCluster, node: str) -> bool:
    """Its daemon has been heard from again, and one guest runs."""
    status = await cluster.settled_status()
    up = next(each for each in status["nodes"] if each["name"] == node)
    copies = [each for each in cluster.copies() if not each.stands]
    return (up["status"], up["state"], one(status)["state"]) == ("up", "running", "running") and [
        each.node for each in copies] == [one(status)["node"]]
