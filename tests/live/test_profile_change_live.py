"""The profile is changed to one with a shorter lease, and its number is in no proof before every
daemon counts by it: a node that was granted the longer one is cut off, and its leader starts again.
"""

import asyncio
from pathlib import Path

import pytest

from cluster.api.messages import ApplyCluster, GetConfig
from cluster.lab import lab
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio]

LOOK_S = 0.01
TAKEN_OVER_S = 90.0
"""A lease of `wan`, an election, a start; twice over."""


async def restart(cluster: LiveCluster, name: str) -> None:
    cluster.kill_daemon(name)
    await cluster.start_daemon(name)


@pytest.mark.parametrize("later_s", [0.0, 5.0])
async def test_a_lease_that_was_granted_before_counts_in_full(
    tmp_path: Path, later_s: float,
) -> None:
    async with live_cluster(tmp_path / "lab", profile="wan", memory_mib=32) as cluster:
        led = await cluster.leader()
        victim, other = (each for each in cluster.names if each != led)
        if (await cluster.one_copy())["node"] != victim:
            assert (await cluster.moved(victim))["result"] == "completed"
        text = str((await cluster.done(GetConfig()))["text"])
        shorter = text.replace("profile: wan", "profile: lan")
        assert shorter != text
        await cluster.done(ApplyCluster(request=token(), text=shorter, source="cluster.yaml"))
        await restart(cluster, other)
        await cluster.until(lambda status: all(
            each["status"] == "up" for each in status["nodes"]))
        await restart(cluster, led)
        await asyncio.sleep(later_s)
        old = cluster.copy_on(victim)
        cluster.away.add(victim)
        assert await lab.cut(cluster.record.dir, victim) is None
        async with asyncio.timeout(TAKEN_OVER_S):
            while not [each for each in cluster.copies() if each.node != victim]:
                await asyncio.sleep(LOOK_S)
            assert cluster.copy_on(victim)._replace(stands=False) == old
            assert cluster.copy_on(victim).stands, "started elsewhere while it ran"
        await cluster.until(lambda status: one(status)["state"] == "running")
        cluster.check_disk()
        await cluster.in_order()
        cluster.check_disk()
