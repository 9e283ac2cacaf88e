"""Moves of a real guest between the nodes of a real cluster: what an operator is promised."""

import asyncio

import pytest
import pytest_asyncio

from cluster.api.messages import AbortMove, DrainNode, MovePackage, ResumeNode, RunPackage
from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

SLOW = {"migration_bandwidth_mib_s": 1}
"""A copy of the whole guest then takes more than a second, of one that writes for ever."""
BUSY, IDLE = "d3000,2", "d0"
"""Dirtying 3 MB a second in 2 MiB: no link of 1 MiB/s keeps up with that."""
BESIDE_FREEZE_MS = 2000
"""What of a suspension may lie outside the freeze: a few ms, and the stalls of a busy machine."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("moves") / "lab") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    await lab_of_three.set_policy()
    yield lab_of_three
    await lab_of_three.one_copy()


def others(cluster: LiveCluster, node: str) -> list[str]:
    return [each for each in cluster.names if each != node]


async def test_rounds_of_moves_keep_life_connection_and_record(cluster):
    before = await cluster.shown()
    life = (await cluster.said("d2000,2")).boot_id
    async with held_connection(cluster.package().guest_address) as caller:
        for number in range(1, 10):
            here = await cluster.shown()
            target = cluster.names[(cluster.names.index(here["node"]) + 1) % 3]
            move = await cluster.moved(target)
            assert move["result"] == "completed", move
            after = await cluster.one_copy()
            assert after["node"] == target
            assert after["epoch"] == before["epoch"] + number
            assert after["boot_id"] == before["boot_id"]
            assert (await cluster.said()).boot_id == life
            assert 0 < move["freeze_ms"] <= move["monitoring_suspended_ms"]
            assert move["monitoring_suspended_ms"] < move["freeze_ms"] + BESIDE_FREEZE_MS, move
            assert move["transferred_bytes"] > 0
            await caller.goes_on()
    assert caller.longest_gap_s < 5


async def test_the_history_of_a_move_is_complete(cluster):
    before = await cluster.shown()
    after = (await cluster.events())[-1]["seq"]
    target = others(cluster, before["node"])[0]
    await cluster.moved(target)
    told = await cluster.events(after=after)
    assert [each["what"] for each in told] == [
        "move opened", "move: copy begins", "move: frozen, monitoring suspended",
        "move: committed", "package running", "move completed",
    ]
    assert all(each["because"] and each["by"] for each in told)


async def test_a_move_is_called_off_in_its_copy(cluster):
    await cluster.set_policy(**SLOW)
    before = await cluster.shown()
    life = (await cluster.said(BUSY)).boot_id
    async with held_connection(cluster.package().guest_address) as caller:
        move = await cluster.open_move(others(cluster, before["node"])[0])
        await cluster.step(before["node"], move, "copy")
        ended = await cluster.done(AbortMove(request=token(), package="p1"))
        assert ended["result"] == "aborted", ended
        assert ended["problem"]["code"] == "move-aborted"
        after = await cluster.one_copy()
        await caller.goes_on()
    assert (after["node"], after["epoch"]) == (before["node"], before["epoch"])
    assert (await cluster.said(IDLE)).boot_id == life


async def test_a_second_move_is_refused_while_one_runs(cluster):
    await cluster.set_policy(**SLOW)
    before = await cluster.shown()
    await cluster.said(BUSY)
    first, second = others(cluster, before["node"])
    move = await cluster.open_move(first)
    await cluster.step(before["node"], move, "copy")  # its copy at the target has the disk open
    for target in (first, second):
        refused = await cluster.ask(MovePackage(request=token(), package="p1", node=target))
        assert refused.verdict == "refused"
        assert [each.code for each in refused.problems] == ["package-moving"]
    await cluster.said(IDLE)
    assert (await cluster.end_of_move())["result"] == "completed"


async def test_moves_that_make_no_sense_are_refused(cluster):
    before = await cluster.shown()
    for target, code in (("n9", "unknown-node"), (before["node"], "package-already-there")):
        refused = await cluster.ask(MovePackage(request=token(), package="p1", node=target))
        assert refused.verdict == "refused"
        assert code in [each.code for each in refused.problems]
    refused = await cluster.ask(MovePackage(request=token(), package="p9", node="n1"))
    assert [each.code for each in refused.problems] == ["unknown-package"]
    assert await cluster.shown() == before


async def test_a_move_to_a_node_that_is_down_is_refused(cluster):
    before = await cluster.shown()
    down = next(each for each in others(cluster, before["node"]))
    cluster.kill_daemon(down)
    await cluster.until(lambda status: next(
        each for each in status["nodes"] if each["name"] == down)["state"] == "failed")
    refused = await cluster.ask(MovePackage(request=token(), package="p1", node=down))
    assert refused.verdict == "refused"
    assert "node-not-up" in [each.code for each in refused.problems]


async def test_a_guest_that_powers_off_in_its_copy_stays_off(cluster):
    await cluster.set_policy(**SLOW)
    before = await cluster.shown()
    await cluster.said(BUSY)
    move = await cluster.open_move(others(cluster, before["node"])[0])
    await cluster.step(before["node"], move, "copy")
    await cluster.said("p")
    status = await cluster.until(lambda status: one(status)["state"] != "running")
    assert one(status)["state"] == "halted", one(status)
    ended = await cluster.end_of_move()
    assert ended["result"] == "failed"
    async with asyncio.timeout(20):
        while cluster.copies():
            await asyncio.sleep(0.01)
    await cluster.done(RunPackage(request=token(), package="p1"))


async def test_a_copy_that_cannot_converge_ends_kindly(cluster):
    await cluster.set_policy(**SLOW, phase_timeouts="{copy_s: 3}")
    before = await cluster.shown()
    life = (await cluster.said(BUSY)).boot_id
    async with held_connection(cluster.package().guest_address) as caller:
        ended = await cluster.moved(others(cluster, before["node"])[0])
        assert ended["result"] == "failed", ended
        assert ended["problem"]["code"] == "move-not-converging"
        await caller.goes_on()
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (before["node"], before["epoch"])
    assert (await cluster.said(IDLE)).boot_id == life


async def test_a_drain_moves_the_guest_off_and_a_resumed_node_takes_it_back(cluster):
    if (await cluster.shown())["node"] != "n1":
        await cluster.moved("n1")
    async with held_connection(cluster.package().guest_address) as caller:
        await cluster.done(DrainNode(request=token(), node="n1"))
        await cluster.until(lambda status: status["nodes"][0]["state"] == "maintenance")
        assert (await cluster.one_copy())["node"] != "n1"
        await cluster.done(ResumeNode(request=token(), node="n1", bring_back=True))
        assert (await cluster.one_copy())["node"] == "n1"
        await caller.goes_on()
