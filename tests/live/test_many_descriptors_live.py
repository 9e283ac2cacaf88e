"""A daemon with over a thousand descriptors, as hundreds of guests bring about: it finds its guests
again, takes one in, and gives one away."""

import sys
from pathlib import Path

import pytest

from cluster.lab import processes
from tests.live.guest_processes import until_gone
from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio]

WITH_MANY = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
for _ in range(1100):
    os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
os.execv(sys.argv[1], sys.argv[1:])
"""


async def with_many_descriptors(cluster: LiveCluster, name: str) -> None:
    """Its daemon starts again."""
    node = cluster.node(name)
    cluster.kill_daemon(name)
    await until_gone(cluster.daemon(name))
    pid = await processes.launch(node, "daemon", [
        sys.executable, "-c", WITH_MANY, sys.executable, "-m", "cluster.daemon",
        "--etc", f"{node.folder}/etc", "--lib", f"{node.folder}/lib", "--run", node.run])
    assert isinstance(pid, int)
    cluster.started(name, pid)
    await cluster.joining.over()  # the record has it before it answers everybody


async def test_a_daemon_with_a_thousand_descriptors_does_its_work(tmp_path: Path) -> None:
    async with live_cluster(tmp_path / "lab", memory_mib=32) as cluster:
        before, life = await cluster.one_copy(), (await cluster.said()).boot_id
        here = before["node"]
        there = next(each for each in cluster.names if each != here)
        copy = cluster.copy_on(here)
        async with held_connection(cluster.package().guest_address) as caller:
            for name in (here, there):
                await with_many_descriptors(cluster, name)
                await cluster.until(lambda status: all(
                    each["status"] == "up" for each in status["nodes"]), settled=True)
            await cluster.one_copy()
            assert cluster.copy_on(here) == copy
            for target in (there, here):
                assert (await cluster.moved(target))["result"] == "completed"
                assert (await cluster.one_copy())["node"] == target
            await caller.goes_on()
        assert (await cluster.said()).boot_id == life
        for name in (here, there):
            assert len(list(Path(f"/proc/{cluster.daemon(name)}/fd").iterdir())) > 1100
