"""A site loses its power again and again: that is no failure of its guests, and none of its nodes.
"""

import asyncio
from pathlib import Path

import pytest

from cluster.lab import lab
from tests.live.live_cluster import live_cluster, one

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio]

LOSSES = 3
"""In as many minutes; of a guest's own failures no more are put up with on one node."""
UP_S = 90.0


async def test_three_losses_of_all_power_leave_every_package_where_it_ran(tmp_path: Path) -> None:
    async with live_cluster(tmp_path / "lab", packages=2, memory_mib=32) as cluster:
        packages = [each.name for each in cluster.plan.packages]
        before = {each: await cluster.one_copy(each) for each in packages}
        for _ in range(LOSSES):
            lives = {each: (await cluster.said(package=each)).boot_id for each in packages}
            for name in cluster.names:
                cluster.away.add(name)
            assert await asyncio.gather(*(
                lab.kill(cluster.record.dir, each) for each in cluster.names)) == [None] * 3
            await asyncio.gather(*(cluster.start_node(each) for each in cluster.names))
            status = await cluster.until(lambda status: all(
                one(status, each)["state"] == "running" for each in packages), within_s=UP_S,
                settled=True)
            assert [each["state"] for each in status["nodes"]] == ["running"] * 3, status
            for each in packages:
                after = await cluster.one_copy(each)
                assert after["node"] == before[each]["node"] and not after["holds"]
                assert (await cluster.said(package=each)).boot_id != lives[each]
