"""An operator's program that would fail, and a command that is killed, in every phase of a move.

While the source's guest runs (*init*, *copy*), it is alive and protected: a program that fails is a
failed guest. From the stop of its vCPUs to the thaw nobody asks, however long that is held. The
phases are held as the fault matrix holds them. Whoever ordered the move is not needed for it.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster, one
from tests.live.test_move_faults_live import BUSY, IDLE, PHASES, SLOW, Cell, Scene
from tests.live.test_suspension_live import Hook, other_than, watched_by

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[2]
FIVE_INTERVALS_S = 0.5
"""So long the program would have failed five times over; before the switch the source waits 0.6 s
for the record, and no longer."""
HELD = {"freeze_budget_ms": 60000}
"""The freeze is held on purpose, and not to be called off for its length."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("phases") / "lab") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    yield lab_of_three


@pytest.fixture
def hook(tmp_path):
    return Hook(tmp_path)


async def held_in(cluster: LiveCluster, phase: str):
    """The scene of a move held there, and what lets it go on."""
    scene = Scene(cluster, Cell(phase, "nobody", "kept"))
    await scene.cast()
    return scene, await PHASES[phase](scene)


@pytest.mark.parametrize("phase", ["init", "copy"])
async def test_a_program_that_fails_while_the_guest_runs_is_believed(cluster, hook, phase):
    before = await watched_by(cluster, hook, **SLOW, **HELD)
    scene, release = await held_in(cluster, phase)
    hook.ill(is_ill=True)
    await cluster.until(lambda status: one(status)["epoch"] > before["epoch"] or (
        one(status)["state"] != "running"))
    hook.ill(is_ill=False)
    await release()
    after = await cluster.one_copy()
    assert after["boot_id"] != before["boot_id"]


@pytest.mark.parametrize("phase", ["pre-switchover", "device", "completed", "committed"])
async def test_a_program_that_would_fail_while_it_stands_is_not_asked(cluster, hook, phase):
    before = await watched_by(cluster, hook, **SLOW, **HELD)
    async with held_connection(cluster.package().guest_address) as caller:
        scene, release = await held_in(cluster, phase)
        hook.ill(is_ill=True)
        asked = len(hook.asked_s())
        await asyncio.sleep(FIVE_INTERVALS_S)
        after_s = len(hook.asked_s())
        hook.ill(is_ill=False)
        # One may have been under way at the stop; what it said belongs to a time that counts not.
        assert after_s <= asked + 1, f"asked {after_s - asked} times while it stands ({phase})"
        await release()
        ended = await cluster.end_of_move()
        after = await cluster.one_copy()
        await caller.goes_on()
    assert after["boot_id"] == before["boot_id"], ended
    assert after["node"] == (scene.target if ended["result"] == "completed" else scene.source)
    await cluster.until(lambda _: len(hook.asked_s()) > after_s)


def ordered(cluster: LiveCluster, node: str, *words: str) -> subprocess.Popen[bytes]:
    """`vmsg` as an operator on that host types it."""
    plan = cluster.node(node)
    return subprocess.Popen(
        [sys.executable, "-c", "from cli.main import main; main()", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "VMSG_ETC": str(Path(plan.folder, "etc")),
             "VMSG_RUN": str(plan.run)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("phase", ["copy", "freeze"])
async def test_a_move_goes_on_without_the_command_that_ordered_it(cluster, phase, by):
    await cluster.set_policy(**SLOW, **HELD)
    before, life = await cluster.shown(), (await cluster.said(BUSY)).boot_id
    here, target = before["node"], other_than(cluster, before["node"])
    async with held_connection(cluster.package().guest_address) as caller:
        command = ordered(cluster, here, "move", "p1", target)
        moving = await cluster.until(lambda status: (one(status)["move"] or {}).get("id"))
        move = one(moving)["move"]["id"]
        await cluster.step(here, move, "copy")
        relay = cluster.relay(target, move)
        if phase == "freeze":
            cluster.stop(relay)
            await cluster.said(IDLE)
            await cluster.step(here, move, "complete")
        assert command.poll() is None
        command.send_signal(by)
        await asyncio.to_thread(command.wait)
        await cluster.said(IDLE) if phase == "copy" else cluster.go_on(relay)
        ended = await cluster.end_of_move()
        await caller.goes_on()
    assert (ended["id"], ended["result"]) == (move, "completed"), ended
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (target, before["boot_id"])
    assert (await cluster.said()).boot_id == life
