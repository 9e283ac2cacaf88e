"""A lab's whole life: up with a cluster and guests, nodes that die and return, down, and every way
in which `up` may end early."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cluster.api.messages import GetStatus, Reply
from cluster.lab import choice, lab, ready
from cluster.lab import record as records
from cluster.lab.disk_log import check
from cluster.lab.groups import NodeGroup
from cluster.lab.guest_image import read_records
from cluster.lab.plan import LabOptions
from cluster.lab.record import LabRecord
from packages.core.problem import Problem
from packages.core.values import to_json
from tests.live.evidence import standing
from tests.live.lab_parts import reaches, traces
from tests.live.live_cluster import evidence_of

pytestmark = [pytest.mark.live, pytest.mark.acceptance]

DEADLINE_S = 60.0

UP = """
import asyncio, sys
from cluster.lab import lab
from cluster.lab.plan import LabOptions
asyncio.run(lab.up(LabOptions(dir=sys.argv[1]), lambda line: print(line, flush=True)))
"""

STAGES = ["hosts", "daemons", "cluster", "packages", "guests"]
"""Words of the lines in which `up` tells how far it is."""


@asynccontextmanager
async def a_lab(folder, **options):
    record = await lab.up(LabOptions(dir=str(folder), **options))
    assert isinstance(record, LabRecord), record
    try:
        with standing(lambda: evidence_of(record)):
            yield record
    finally:
        assert await lab.down(folder) is None
    assert traces(record.plan) == {}


async def test_a_lab_is_up_with_guests_that_answer_and_goes_without_a_trace(tmp_path):
    async with a_lab(tmp_path / "lab", packages=2) as record:
        for package in record.plan.packages:
            await reaches(None, package.guest_address)
            assert await ready.answered(ready.echoes(package.guest_address))
            report = await log_of(record.disks[package.name], at_least=10)
            assert report.is_clean
            assert len(report.lives) == 1
        assert record.dir in [each.readlink() for each in records.links()]
        assert record.dir in choice.labs_of(
            choice.asking_user(os.environ), choice.everywhere())
        assert all(each["daemon_pid"] for each in record.shown()["nodes"])
        again = await lab.up(LabOptions(dir=str(record.dir)))
        assert isinstance(again, Problem) and again.code == "lab-is-up"
    assert not (tmp_path / "lab").exists()


async def test_a_linux_guest_keeps_the_same_log(tmp_path):
    async with a_lab(tmp_path / "lab", nodes=1, guest="linux") as record:
        await reaches(None, record.plan.packages[0].guest_address)
        report = await log_of(record.disks["p1"], at_least=5)
        assert report.is_clean


async def test_a_killed_node_is_down_and_comes_back_when_started(tmp_path):
    async with a_lab(tmp_path / "lab", packages=0) as record:
        assert await lab.kill(record.dir, "n3") is None
        await until_node_is(record, "n3", "down")
        assert NodeGroup(record.plan.nodes[2]).members() == []
        assert shown_pid(record, "n3") is None
        started = await lab.start(record.dir, "n3")
        assert isinstance(started, LabRecord)
        assert shown_pid(record, "n3") in NodeGroup(record.plan.nodes[2]).members()
        await until_node_is(record, "n3", "up")
        twice = await lab.start(record.dir, "n3")
        assert isinstance(twice, Problem) and twice.code == "node-running"


async def test_a_hung_node_and_a_node_cut_off_are_missed_and_return(tmp_path):
    async with a_lab(tmp_path / "lab", packages=0) as record:
        assert await lab.hang(record.dir, "n2") is None
        await until_node_is(record, "n2", "down")
        assert await lab.thaw(record.dir, "n2") is None
        await until_node_is(record, "n2", "up")
        assert await lab.cut(record.dir, "n2") is None
        await until_node_is(record, "n2", "down")
        assert await lab.heal(record.dir, "n2") is None
        await until_node_is(record, "n2", "up")


@pytest.mark.parametrize("stage", STAGES)
async def test_what_a_killed_up_left_is_removed_by_down(tmp_path, stage):
    folder = tmp_path / "lab"
    plan = await interrupted(folder, stage, signal.SIGKILL)
    assert traces(plan), "it was killed before it had made anything"
    assert await lab.down(folder) is None
    assert traces(plan) == {}
    assert not folder.exists()


@pytest.mark.parametrize("stage", ["hosts", "guests"])
async def test_an_up_that_is_called_off_removes_what_it_made(tmp_path, stage):
    folder = tmp_path / "lab"
    plan = await interrupted(folder, stage, signal.SIGINT)
    assert traces(plan) == {}
    assert not folder.exists()


async def test_down_waits_for_nobody_and_disturbs_no_up(tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    with records.locked(folder) as alone:
        assert alone
        record = await lab.claim(LabOptions(dir=str(folder)), [])
        assert isinstance(record, LabRecord)
        busy = await lab.down(folder)
        assert isinstance(busy, Problem) and busy.code == "lab-busy"
    assert await lab.down(folder) is None


async def interrupted(folder: Path, stage: str, number: signal.Signals):
    """Let another process make a lab, and send it a signal at this stage; the plan it followed."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", UP, str(folder), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, cwd=Path(__file__).parents[2],
    )
    assert program.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        while stage.encode() not in (line := await program.stdout.readline()):
            assert line, "it ended before that stage"
        record = records.load(folder)
        assert isinstance(record, LabRecord), to_json(record)
        program.send_signal(number)
        await program.communicate()
    return record.plan


def shown_pid(record: LabRecord, name: str):
    now = lab.shown(record.dir)
    assert isinstance(now, LabRecord)
    return next(each["daemon_pid"] for each in now.shown()["nodes"] if each["name"] == name)


async def until_node_is(record: LabRecord, name: str, status: str) -> None:
    client = await ready.api_client(record.plan)
    assert not isinstance(client, Problem)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while await status_of(client, name) != status:
                await asyncio.sleep(0.05)
    finally:
        client.close()


async def status_of(client, name: str) -> str:
    answer = await client.ask(GetStatus(), deadline_s=10.0)
    if not isinstance(answer, Reply) or not isinstance(answer.result, dict):
        return "unanswered"
    return next(each["status"] for each in answer.result["nodes"] if each["name"] == name)


async def log_of(disk: str, *, at_least: int):
    async with asyncio.timeout(DEADLINE_S):
        while len((log := read_records(Path(disk))).records) < at_least:
            await asyncio.sleep(0.05)
    return check(log)
