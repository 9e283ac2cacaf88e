"""A cluster is upgraded node by node: from another commit's code to today's, with a guest that runs
and moves between the two both ways; and to the next version, a copy of this one that says so.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.api.messages import HaltPackage, Preflight, RunPackage, SetMaintenance, SetSwitching
from cluster.lab import lab
from cluster.lab import record as records
from cluster.node import VERSION
from packages.core.versions import version_of
from tests.live.evidence import standing
from tests.live.guest_processes import until_gone
from tests.live.guest_side import held_connection
from tests.live.hosts import ROOT, hosts
from tests.live.live_cluster import LiveCluster, one, token
from tests.live.other_version import LANDED, HistoryIsMissing, checked_out
from tests.live.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.acceptance]

NAMES = ("n1", "n2", "n3")


def following_version() -> str:
    major, minor, _ = version_of(VERSION)
    return f"{major}.{minor + 1}.0"


def copied(folder: Path, version: str) -> Path:
    """The product as a release of that version."""
    for room in ("cluster", "packages"):
        shutil.copytree(
            ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    node = folder / "cluster" / "node.py"
    text = node.read_text()
    assert text.count(f'VERSION = "{VERSION}"') == 1
    node.write_text(text.replace(f'VERSION = "{VERSION}"', f'VERSION = "{version}"'))
    return folder


def versions(status: Any) -> dict[str, str]:
    return {
        each["name"]: each["version"] for each in status["nodes"] if each["status"] == "up"}


async def test_two_adjacent_versions_work_together_and_there_is_no_way_back(
    tmp_path: Path,
) -> None:
    following = following_version()
    new = copied(tmp_path / "new", following)
    async with hosts(tmp_path, *NAMES) as farm:
        await farm.found()
        farm.start(*NAMES)
        await farm.until_up(*NAMES)
        for name in NAMES:
            asked = next(each for each in NAMES if each != name)
            await farm.end(name)
            farm.start(name, tree=new)
            await farm.status_until(
                lambda status, name=name: versions(status).get(name) == following
                and len(versions(status)) == 3, on=asked)
            # In the middle of it the cluster decides as ever, wherever it is asked.
            await farm.done("cluster", "run", on=name)
        # Everybody speaks the new one from now on: the old one is let in no more.
        await farm.end("n3")
        farm.start("n3")
        await until(lambda: refused(farm.log("n3"), VERSION), within_s=30.0)
        assert VERSION not in versions(await farm.asked("status", "-v")).values()


def refused(log: Path, version: str) -> bool:
    return f"may not take part. It runs version {version}" in log.read_text()


async def lab_of(tree: Path, folder: Path) -> LiveCluster:
    """A lab that this tree's own code has brought up, with its daemons and guardians."""
    made = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", "lab", "up", "--dir",
         str(folder), "--nodes", "3", "--packages", "2"],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True,
        timeout=150)
    assert made.returncode == 0, made.stdout + made.stderr
    record = records.load(folder)
    assert isinstance(record, records.LabRecord), record
    return LiveCluster(record)


def runs_from(pid: int) -> Path:
    return Path(f"/proc/{pid}/cwd").resolve()


@pytest.mark.timeout(600)
async def test_another_commits_code_and_todays_are_one_cluster(tmp_path: Path) -> None:
    """From the last landing to today, node by node: no guest is stopped for it, and packages move
    from the one to the other and back."""
    old, folder = checked_out(tmp_path / "old"), tmp_path / "lab"
    cluster = await lab_of(old, folder)
    try:
        with standing(cluster.evidence):
            await halted(cluster, "p2")
            before, life = await cluster.until_running(), (await cluster.said()).boot_id
            assert all(runs_from(cluster.daemon(each)) == old for each in cluster.names)
            async with held_connection(cluster.package().guest_address) as caller:
                for upgraded in cluster.names:
                    await moved_off(cluster, upgraded)
                    await cluster.end_daemon(upgraded)
                    await cluster.start_daemon(upgraded)
                    await exchange_guardian(cluster, upgraded)
                    assert runs_from(cluster.daemon(upgraded)) == ROOT
                    await cluster.until(lambda status: all(
                        each["status"] == "up" for each in status["nodes"]))
                    await there_and_back(cluster)
                    await caller.goes_on()
                    if upgraded == cluster.names[0]:
                        await troubled(cluster, new=upgraded)
            assert all(runs_from(cluster.daemon(each)) == ROOT for each in cluster.names)
            after = await cluster.one_copy()
            assert (await cluster.said()).boot_id == life
            assert after["boot_id"] == before["boot_id"]
    finally:
        cluster.close()
        assert await lab.down(folder) is None


async def halted(cluster: LiveCluster, package: str) -> None:
    await cluster.until_running(package)
    await cluster.done(HaltPackage(request=token(), package=package))


async def troubled(cluster: LiveCluster, *, new: str) -> None:
    """Rules that are others since: a guest fails in maintenance, and over and over; and a node of
    each code says the same of it."""
    package = "p2"
    await cluster.done(RunPackage(request=token(), package=package))
    await cluster.done(SetMaintenance(request=token(), package=package, on=True))
    await agree(cluster, new)
    began = await cluster.shown(package)
    cluster.kill(cluster.copy_on(began["node"], package).pid)  # nobody looks at it now
    await cluster.done(SetMaintenance(request=token(), package=package, on=False))
    await cluster.until(lambda status: one(status, package)["boot_id"] != began["boot_id"])
    await agree(cluster, new)
    while (await cluster.until_running(package))["node"] == began["node"]:
        await fail(cluster, package)
    await agree(cluster, new)
    for by in (new, next(each for each in cluster.names if each != new)):
        await cluster.done(SetSwitching(
            request=token(), package=package, enabled=False, for_s=600.0), node=by)
    await agree(cluster, new)
    await cluster.done(HaltPackage(request=token(), package=package))
    await agree(cluster, new)


async def fail(cluster: LiveCluster, package: str) -> None:
    """Its guest dies, and the record knows of it."""
    shown = await cluster.until_running(package)
    cluster.kill(cluster.copy_on(shown["node"], package).pid)
    await cluster.until(lambda status: one(status, package)["boot_id"] != shown["boot_id"]
                        or one(status, package)["state"] != "running")


async def agree(cluster: LiveCluster, new: str) -> None:
    """The records of a node of the newer and one of the older code, in what both know."""
    old = next(each for each in cluster.names if each != new)

    async with asyncio.timeout(30):
        while True:
            its, ours = [await cluster.status(node=each) for each in (old, new)]
            pairs = [(known(one(its, name)), known(one(ours, name))) for name in ("p1", "p2")]
            if all(its_own == our_own for its_own, our_own in pairs):
                return  # what one has applied already, the other soon has
            await asyncio.sleep(0.2)


def known(package: dict[str, Any]) -> dict[str, Any]:
    holds = [{key: each[key] for key in ("kind", "by", "reason", "since_ms", "node")}
             for each in package["holds"]]
    return {key: package[key] for key in (
        "node", "state", "epoch", "boot_id", "auto_run")} | {"holds": holds}


async def exchange_guardian(cluster: LiveCluster, node: str) -> None:
    """The old lab's own, of a node that is empty, for today's."""
    old = cluster.record.pids[node].guardian
    cluster.kill(old)
    await until_gone(old)
    await cluster.start_guardian(node)


async def moved_off(cluster: LiveCluster, node: str) -> None:
    """As the roll has it (docs/upgrade.md): a daemon that is away for longer than the lease, on a
    starved machine, would cost its guests."""
    if (await cluster.shown())["node"] == node:
        target = next(each for each in cluster.names if each != node)
        assert (await cluster.moved(target))["result"] == "completed"


async def there_and_back(cluster: LiveCluster) -> None:
    """Round all nodes: while both codes are there, that is from each to the other."""
    here = (await cluster.shown())["node"]
    ways = [*(each for each in cluster.names if each != here), here]
    for target in ways:
        await facts_of_all(cluster)
        ended = await cluster.moved(target)
        assert ended["result"] == "completed", ended


async def facts_of_all(cluster: LiveCluster) -> None:
    """Until everybody tells everybody what it has: a node that has just come back is dialled anew,
    and a starved machine takes its time for that."""
    async def told() -> bool:
        asked = [await cluster.ask(Preflight(package="p1"), node=each) for each in cluster.names]
        return not any(problem.code == "facts-missing" for each in asked
                       for problem in each.problems) and "facts-missing" not in str(
                           [each.result for each in asked])

    async with asyncio.timeout(60):
        while not await told():
            await asyncio.sleep(0.2)


def test_a_clone_without_that_commit_is_told_so(tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", str(shallow)],
                   check=True, timeout=60)
    with pytest.raises(HistoryIsMissing, match="shallow; git fetch --unshallow"):
        checked_out(tmp_path / "old", root=shallow)
    with pytest.raises(HistoryIsMissing, match="0" * 40):
        checked_out(tmp_path / "old", commit="0" * 40)
    assert LANDED in subprocess.run(
        ["git", "-C", str(ROOT), "rev-list", "HEAD"], check=True, capture_output=True, text=True,
    ).stdout.split()
