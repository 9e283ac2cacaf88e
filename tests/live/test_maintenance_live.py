"""Maintenance as an operator types it, with real guests: rolls, halts and returns.

A roll takes the guests around and never stops one; a node or a cluster that is halted does with
them what the option says and nothing else; whatever ends in the middle says how to go on, and what
it says is typed here.
"""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from cluster.api.messages import (
    AnyRequest, CancelDrain, DrainNode, HaltCluster, HaltNode, HaltPackage, MovePackage, ResumeNode,
    RunCluster, RunPackage
)
from packages.core.problem import Problem
from packages.vm.qemu.records import GuestFolder
from tests.live.guest_side import GuestPage, held_connection, page
from tests.live.live_cluster import LiveCluster, live_cluster, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from cli.main import main; main()"]
AT_ONCE_S = 20.0
"""Far below the guests' own time to shut down, and far above what a loaded machine needs."""
WELL = ("--steady", "100ms")


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def tree(self) -> Any:
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        return self.tree["problems"][0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maintenance") / "lab"
    async with live_cluster(folder, packages=2, memory_mib=32) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    for name in ("p1", "p2"):
        await lab_of_three.until_running(name)
    yield lab_of_three


async def begun(cluster: LiveCluster, *args: str) -> asyncio.subprocess.Process:
    """As from a terminal: what is sent to it reaches what it runs, too."""
    return await asyncio.create_subprocess_exec(
        *COMMAND, "-o", "json", *args, cwd=ROOT, start_new_session=True,
        env={**os.environ, "VMSG_ENDPOINT": str(cluster.record.dir), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


async def ended(process: asyncio.subprocess.Process) -> Said:
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


async def vmsg(cluster: LiveCluster, *args: str) -> Said:
    return await ended(await begun(cluster, *args))


async def done(cluster: LiveCluster, *args: str) -> Any:
    said = await vmsg(cluster, *args)
    assert said.code == 0, said
    return said.tree


async def refused(cluster: LiveCluster, order: AnyRequest) -> Problem:
    reply = await cluster.ask(order)
    assert reply.verdict == "refused", reply
    return reply.problems[0]


async def typed(cluster: LiveCluster, line: str) -> Any:
    """A command as it was printed for an operator."""
    program, *words = shlex.split(line)
    assert program == "vmsg"
    return await done(cluster, *words)


async def pages(cluster: LiveCluster) -> dict[str, GuestPage]:
    """What each guest says of itself: which life it is, and how far its disk's log has come."""
    return {each.name: await page(each.guest_address) for each in cluster.plan.packages}


async def lives_of(cluster: LiveCluster) -> dict[str, str]:
    return {name: each.boot_id for name, each in (await pages(cluster)).items()}


async def untouched(cluster: LiveCluster, before: dict[str, GuestPage]) -> None:
    """The guests never stopped, and their disks have seen one writer without a gap."""
    assert await lives_of(cluster) == {name: each.boot_id for name, each in before.items()}
    for name, then in before.items():
        await settled(cluster, name, {then.boot_id: then.counter})


async def settled(
    cluster: LiveCluster, name: str, acknowledged: dict[str, int],
) -> dict[str, Any]:
    cluster.acknowledged[name] = acknowledged
    return await cluster.one_copy(name)


def pids(cluster: LiveCluster) -> dict[str, int]:
    found = {each.name: cluster.copies(each.name) for each in cluster.plan.packages}
    assert all(len(copies) == 1 for copies in found.values()), found
    return {name: copies[0].pid for name, copies in found.items()}


def recorded(status: Any) -> Any:
    """What an order may change."""
    return states(status), status["cluster"]["status"], {
        each["name"]: (each["state"], each["node"], each["epoch"], each["because"])
        for each in status["packages"]}


def states(status: Any) -> dict[str, str]:
    return {each["name"]: each["state"] for each in status["nodes"]}


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_roll_stops_at_the_first_failure_and_goes_on_as_it_says(cluster, tmp_path):
    look = f"{shlex.join(COMMAND)} status -o json"
    work = program(
        tmp_path / "work",
        f"echo $VMSG_NODE $VMSG_ADDRESS >>{tmp_path}/order; {look} >{tmp_path}/$VMSG_NODE\n"
        f"test -e {tmp_path}/mended || test $(wc -l <{tmp_path}/order) != 2 || exit 7")
    before, leader = await pages(cluster), await cluster.leader()
    dry = await done(cluster, "cluster", "roll", "--run", work, "--dry-run")
    assert sorted(dry["order"]) == cluster.names and dry["order"][-1] == leader
    assert not (tmp_path / "order").exists()
    first, second, third = dry["order"]
    async with held_connection(cluster.package("p1").guest_address) as caller:
        said = await vmsg(cluster, "cluster", "roll", "--run", work, *WELL)
        assert said.code == 1 and "Traceback" not in said.err
        assert (said.tree["done"], said.tree["failed"]) == ([first], second)
        assert said.problem["code"] == "roll-stopped" and "with 7" in said.problem["because"]
        assert f"{second} stays empty, in maintenance" in said.problem["fix"]
        assert states(await cluster.status()) == {
            first: "running", second: "maintenance", third: "running"}
        again = await vmsg(cluster, "cluster", "roll", "--run", work)
        assert (again.code, again.problem["code"]) == (3, "roll-unsafe")
        (tmp_path / "mended").touch()
        resume, rest = parts(said.problem["fix"])
        assert again.problem["fix"].endswith(resume)
        await typed(cluster, resume)
        rolled = await typed(cluster, rest)
        assert sorted(rolled["done"]) == sorted([second, third]) and rolled["failed"] is None
        await caller.goes_on()
    asked = [line.split() for line in (tmp_path / "order").read_text().splitlines()]
    assert asked == [[name, cluster.node(name).address]
                     for name in (first, second, *rolled["done"])]
    for name in cluster.names:
        then = json.loads((tmp_path / name).read_text())
        assert states(then) == {
            each: "maintenance" if each == name else "running" for each in cluster.names}
        assert {each["state"] for each in then["packages"]} == {"running"}
        assert name not in [each["node"] for each in then["packages"]]
    await untouched(cluster, before)


async def test_ctrl_c_in_a_roll_leaves_what_the_printed_commands_go_on_from(cluster, tmp_path):
    node = (await cluster.shown("p1"))["node"]
    work = program(tmp_path / "work", f"test -e {tmp_path}/once && exit\n"
                   f"touch {tmp_path}/once; exec tail -f /dev/null")
    before = await pages(cluster)
    process = await begun(cluster, "cluster", "roll", node, "--run", work, *WELL)
    async with asyncio.timeout(60):
        while not (tmp_path / "once").exists():
            await asyncio.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    said = await ended(process)
    assert said.code == 130 and "Traceback" not in said.err
    assert f"Node {node} is in maintenance" in said.err
    assert states(await cluster.status())[node] == "maintenance"
    resume, rest = parts(said.err.rpartition("Then: ")[2].strip())
    await typed(cluster, resume)
    assert (await typed(cluster, rest))["done"] == [node]
    await untouched(cluster, before)


def parts(fix: str) -> tuple[str, str]:
    resume, rest = fix.split("; for the rest: ")
    return resume[resume.index("vmsg "):], rest


async def test_a_node_halted_by_force_gives_its_guests_up_and_comes_back(cluster):
    node = (await cluster.shown("p1"))["node"]
    before, life = recorded(await cluster.status()), (await cluster.shown("p1"))["boot_id"]
    then = (await pages(cluster))["p1"]
    held = await vmsg(cluster, "node", "halt", node)
    assert (held.code, held.problem["code"]) == (3, "node-not-empty")
    assert f"vmsg node drain {node}" in held.problem["fix"]
    for how in ({"force": True}, {"detach": True}):
        dry = await cluster.done(HaltNode(request=token(), node=node, dry_run=True, **how))
        assert any("p1" in line for line in dry["would"])
    assert recorded(await cluster.status()) == before
    assert (await done(cluster, "node", "halt", node, "-f"))["state"] == "halted"
    now = await settled(cluster, "p1", {then.boot_id: then.counter})
    assert now["node"] != node and now["boot_id"] != life
    kept = GuestFolder(Path(cluster.node(node).run), "p1").read_exit()
    assert kept is not None and kept.guest.boot_id == life and kept.exit.powered_off, kept
    again = await cluster.done(HaltNode(request=token(), node=node))
    assert "halted already" in again["already"]
    for order in (DrainNode, ResumeNode):
        why = await refused(cluster, order(request=token(), node=node))
        assert (why.code, why.fix) == ("node-not-up", f"vmsg node run {node}")
    await typed(cluster, why.fix)
    status = await cluster.until(lambda status: states(status)[node] == "running")
    assert not status["problems"]


async def test_a_node_that_leaves_its_guests_running_takes_them_up_untouched(cluster):
    node = (await cluster.shown("p1"))["node"]
    before, processes = await pages(cluster), pids(cluster)
    left = await done(cluster, "node", "halt", node, "-d")
    assert left["state"] == "halted" and "p1" in left["detached"]
    shown = await cluster.shown("p1")
    assert (shown["state"], shown["node"], shown["monitoring"]) == ("detached", node, "off")
    other = next(name for name in cluster.names if name != node)
    for order in (HaltPackage(package="p1"), RunPackage(package="p1"),
                  MovePackage(package="p1", node=other)):
        why = await refused(cluster, order)
        assert why.code == "package-detached" and f"vmsg node run {node}" in why.fix
    await done(cluster, "node", "run", node)
    assert (await cluster.until_running("p1"))["node"] == node
    assert pids(cluster) == processes
    await untouched(cluster, before)


async def test_a_cluster_that_leaves_its_guests_running_takes_them_up_untouched(cluster):
    node = (await cluster.shown("p1"))["node"]
    before, processes = await pages(cluster), pids(cluster)
    assert (await refused(cluster, HaltCluster(request=token()))).code == "packages-running"
    held = recorded(await cluster.status())
    for how in ({"force": True}, {"detach": True}):
        dry = await cluster.done(HaltCluster(request=token(), dry_run=True, **how))
        assert any("p1" in line for line in dry["would"])
    assert recorded(await cluster.status()) == held
    assert (await done(cluster, "cluster", "halt", "-d"))["detached"] == ["p1", "p2"]
    assert (await cluster.done(RunCluster(request=token(), dry_run=True)))["would"]
    began_s = time.monotonic()
    beside = await vmsg(cluster, "cluster", "halt", "-f")
    assert beside.code == 0 and beside.err.count("package-detached") == 2, beside
    stays = await vmsg(cluster, "node", "drain", node)
    assert (stays.code, stays.problem["code"]) == (1, "package-detached")
    rolled = await vmsg(cluster, "cluster", "roll", "--run", "true")
    assert (rolled.code, rolled.problem["code"]) == (3, "roll-unsafe")
    await cluster.done(CancelDrain(request=token(), node=node))
    assert time.monotonic() - began_s < AT_ONCE_S
    assert pids(cluster) == processes
    await done(cluster, "cluster", "run")
    for name in before:
        await cluster.until_running(name)
    assert pids(cluster) == processes
    await untouched(cluster, before)


async def test_a_cluster_halted_by_force_runs_nothing_until_it_is_run(cluster):
    before = await pages(cluster)
    assert (await done(cluster, "cluster", "halt", "-f"))["detached"] == []
    assert [cluster.copies(name) for name in before] == [[], []]
    why = await refused(cluster, RunPackage(request=token(), package="p1"))
    assert why.code == "cluster-halted"
    await typed(cluster, why.fix)
    for name in before:
        await cluster.until_running(name)
    now = await lives_of(cluster)
    for name, then in before.items():
        assert now[name] != then.boot_id
        await settled(cluster, name, {then.boot_id: then.counter})
