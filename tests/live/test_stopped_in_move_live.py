"""Whoever a move waits for hangs instead of dying: the guest does not stand for as long as that
lasts where its source can go on, and a hung node is not given it again while another is free.
"""

import asyncio
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.live.guest_processes import Copy
from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster
from tests.live.test_move_faults_live import IDLE, PHASES, SLOW, Cell, Scene

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

HANGS_S = 9.0
"""Well beyond what a guest may stand for a move."""


class Hang(NamedTuple):
    phase: str
    victim: str
    longest_gap_s: float


HANGS = [
    Hang("copy", "target-guest", 6.0), Hang("device", "target-guest", 6.0),
    Hang("device", "source-relay", 6.0), Hang("completed", "source-guest", 6.0),
    # Committed: its memory is nowhere else, and is waited for.
    Hang("completed", "target-guest", 30.0),
]
"""Against the 9 s of the hang, and the minute that a phase may take."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("hangs") / "lab") as made:
        yield made


def victim_of(scene: Scene, name: str) -> int:
    side, what = name.split("-")
    node = {"source": scene.source, "target": scene.target}[side]
    cluster = scene.cluster
    copy: Copy = cluster.copy_on(node)
    return cluster.relay(node, scene.move) if what == "relay" else copy.pid


@pytest.mark.parametrize("hang", HANGS, ids=lambda hang: f"{hang.phase}-{hang.victim}")
async def test_a_guest_does_not_stand_for_one_that_hangs(cluster: LiveCluster, hang: Hang) -> None:
    await cluster.in_order()
    await cluster.set_policy(**SLOW)
    scene = Scene(cluster, Cell(hang.phase, hang.victim, "kept"))
    await scene.cast()
    life = (await cluster.said(IDLE)).boot_id
    async with held_connection(cluster.package().guest_address) as caller:
        release = await PHASES[hang.phase](scene)
        stopped = victim_of(scene, hang.victim)
        cluster.stop(stopped)
        asyncio.get_running_loop().call_later(HANGS_S, cluster.go_on, stopped)
        await release()
        after = await cluster.one_copy()
        await caller.goes_on()
        assert caller.longest_gap_s < hang.longest_gap_s
    assert (await cluster.said()).boot_id == life
    move = await cluster.end_of_move()
    assert (move["result"] == "completed") == (after["node"] == scene.target), move
