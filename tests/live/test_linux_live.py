"""A guest with Debian's own kernel: it moves with a connection held, and outlives its node's power.

The small guest of the other tests is not what anybody runs; one move and one failover show that
nothing hangs on it.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.lab import lab
from cluster.lab.disk_log import check
from cluster.lab.guest_image import read_records
from tests.live.guest_side import held_connection, page
from tests.live.live_cluster import LiveCluster, live_cluster, one

pytestmark = [
    pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

BOOT_S = 90.0
"""A takeover and a boot: 5 s and 3 s, without hardware and on a machine that has other work."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path_factory.mktemp("linux") / "lab", guest="linux") as made:
        yield made


async def test_a_move_keeps_life_connection_and_record(cluster: LiveCluster) -> None:
    before = await cluster.one_copy()
    life = (await cluster.said()).boot_id
    target = next(name for name in cluster.names if name != before["node"])
    async with held_connection(cluster.package().guest_address) as caller:
        move = await cluster.moved(target)
        assert move["result"] == "completed", move
        await caller.goes_on()
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (target, before["boot_id"])
    assert after["epoch"] == before["epoch"] + 1
    assert (await cluster.said()).boot_id == life


async def test_a_power_cut_begins_a_new_life_elsewhere(cluster: LiveCluster) -> None:
    before = await cluster.one_copy()
    life = (await cluster.said()).boot_id
    cluster.away.add(before["node"])
    assert await lab.kill(cluster.record.dir, before["node"]) is None
    await cluster.until(
        lambda status: one(status)["state"] == "running" and
        one(status)["epoch"] > before["epoch"], within_s=BOOT_S)
    await page(cluster.package().guest_address, within_s=BOOT_S)
    after = await cluster.one_copy()
    assert after["node"] != before["node"]
    assert after["boot_id"] != before["boot_id"]
    fresh = await cluster.said()
    assert fresh.boot_id != life
    log = check(
        read_records(Path(cluster.record.disks["p1"])), acknowledged=cluster.acknowledged["p1"])
    assert log.is_clean, log.findings
    assert [each.boot_id for each in log.lives] == [life, fresh.boot_id]
