"""Hosts that are rebooted or switched off in order, as the daemon's unit has it: real guests, the
command of its ExecStop, and systemd's list of jobs from a program of that name.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cluster.lab import lab
from tests.live.evidence import ROOT
from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster, one

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio]

REBOOTS = "  7 reboot.target start waiting\n 99 vmsgd.service stop running\n"
RESTARTS = " 99 vmsgd.service restart running\n"
UP_S = 90.0
STOP_S = 120.0
"""TimeoutStopSec of the unit."""


class Ended(NamedTuple):
    code: int
    said: str


async def exec_stop(cluster: LiveCluster, name: str, jobs: str, folder: Path) -> Ended:
    """What systemd runs before it ends the daemon of this node."""
    (folder / "jobs").write_text(jobs)
    systemctl = folder / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$1" = list-jobs ] && cat {folder}/jobs\n')
    systemctl.chmod(0o755)
    node = cluster.node(name)
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cli.main import main; main()", "node", "leave",
        "--at-shutdown", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{folder}:{os.environ['PATH']}",
             "VMSG_ETC": f"{node.folder}/etc", "VMSG_RUN": str(node.run)})
    async with asyncio.timeout(STOP_S):
        said, _ = await command.communicate()
    assert command.returncode is not None
    return Ended(command.returncode, said.decode())


async def goes_down(cluster: LiveCluster, name: str, folder: Path) -> None:
    ended = await exec_stop(cluster, name, REBOOTS, folder)
    assert ended.code == 0 and "comes back by itself at its next boot" in ended.said, ended
    cluster.away.add(name)
    assert await lab.kill(cluster.record.dir, name) is None


def all_run(packages: list[str], nodes: int) -> object:
    return lambda status: all(one(status, each)["state"] == "running" for each in packages) and (
        [each["state"] for each in status["nodes"]] == ["running"] * nodes)


async def test_a_rebooted_host_costs_no_connection_and_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    async with live_cluster(tmp_path / "lab", packages=2, memory_mib=32) as cluster:
        packages = [each.name for each in cluster.plan.packages]
        here = (await cluster.one_copy(packages[0]))["node"]
        await cluster.until_running(packages[1])
        life = (await cluster.said(package=packages[0])).boot_id
        restart = await exec_stop(cluster, here, RESTARTS, tmp_path)
        assert restart.code == 0 and "nothing was done" in restart.said
        async with held_connection(cluster.package(packages[0]).guest_address) as caller:
            await goes_down(cluster, here, tmp_path)
            await caller.goes_on()
            status = await cluster.status()
            assert {each["name"]: each["state"] for each in status["nodes"]}[here] == "halted"
            await cluster.start_node(here)
            await cluster.until(
                all_run(packages, 3), within_s=UP_S, settled=True)  # type: ignore[arg-type]
            await caller.goes_on()
        assert (await cluster.said(package=packages[0])).boot_id == life
        assert (await cluster.one_copy(packages[0]))["node"] != here


async def test_a_site_that_is_switched_off_in_order_ends_its_guests_and_starts_them_again(
    tmp_path: Path,
) -> None:
    async with live_cluster(tmp_path / "lab", packages=2, memory_mib=32) as cluster:
        packages = [each.name for each in cluster.plan.packages]
        for each in packages:
            await cluster.one_copy(each)
        seen = {each: (await cluster.events(each))[-1]["seq"] for each in packages}
        frozen = {each: cluster.freezes(each) for each in cluster.names}
        await asyncio.gather(*(
            goes_down(cluster, each, made(tmp_path / each)) for each in cluster.names))
        assert {each: cluster.freezes(each) for each in cluster.names} == frozen
        await asyncio.gather(*(cluster.start_node(each) for each in cluster.names))
        await cluster.until(
            all_run(packages, 3), within_s=UP_S, settled=True)  # type: ignore[arg-type]
        for each in packages:
            shown = await cluster.one_copy(each)
            assert not shown["holds"] and shown["auto_run"]
            told = [event["what"] for event in await cluster.events(each, after=seen[each])]
            assert "package halting" in told and "package failing" not in told, told


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
