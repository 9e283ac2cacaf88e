"""What happens to a running package when its node dies, is cut off, or loses its daemon."""

import asyncio
import time
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.api.messages import ConfirmDead, GetEvents, HaltNode, PlanFailure, Reply, RunNode
from cluster.lab import lab
from packages.core.values import changed
from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

LEASE_S = 3.5
"""Of the profile the labs run with."""
SHORT_CUT_S = 1.0
"""Longer than a node is silent before it is suspected (0.8 s), well within the lease."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("failover") / "lab") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    await lab_of_three.set_policy()
    yield lab_of_three


def node_of(status, name):
    return next(each for each in status["nodes"] if each["name"] == name)


async def taken_over(
    cluster: LiveCluster, before: dict, life: str, *, left: str = "failed",
) -> dict:
    """Another node has it, as a new life, by the proof of its lease; `left`: the state of the
    lost node."""
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, before["node"])
        and one(status)["state"] == "running")
    after = one(status)
    assert after["epoch"] == before["epoch"] + 1
    assert after["boot_id"] != before["boot_id"]
    assert after["proof"]["kind"] == "lease"
    lost = node_of(status, before["node"])
    assert lost["state"] == left
    assert lost["proof"]["kind"] == "lease" and "silent" in lost["proof"]["because"]
    assert (await cluster.said()).boot_id != life
    cluster.check_disk()
    return after


async def running_after(cluster: LiveCluster, epoch: int) -> dict:
    return one(await cluster.until(
        lambda status: one(status)["epoch"] > epoch and one(status)["state"] == "running"))


async def frozen(cluster: LiveCluster, node: str) -> None:
    """Wait until the guardian has stopped the guest there."""
    async with asyncio.timeout(20):
        while not cluster.copy_on(node).stands:
            await asyncio.sleep(0.01)


async def test_a_killed_node_is_taken_over_by_the_proof_of_its_lease(cluster):
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    forecast = await cluster.done(PlanFailure(nodes=(before["node"],)))
    cluster.away.add(before["node"])
    began = time.monotonic()
    assert await lab.kill(cluster.record.dir, before["node"]) is None
    after = await taken_over(cluster, before, life)
    assert [(each["package"], each["node"], each["proof"]) for each in forecast["starts"]] == [
        ("p1", after["node"], "lease")]
    assert time.monotonic() - began > LEASE_S - 1, "sooner than any lease can be over"
    await cluster.in_order()
    assert (await cluster.one_copy())["node"] == after["node"]


async def test_an_operators_word_is_taken_for_a_node_that_is_silent_and_for_no_other(cluster):
    """The lease alone frees nothing here, so the package waits for the word."""
    await cluster.set_policy(lease_is_proof="false")
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    here = before["node"]
    word = ConfirmDead(request=token(), node=here, reason="its mains plug is out")
    assert "node-heard" in await refused_with(cluster, word)
    cluster.away.add(here)
    assert await lab.kill(cluster.record.dir, here) is None
    status = await cluster.until(lambda status: node_of(status, here)["state"] == "failed")
    assert node_of(status, here)["awaited"]["for"] == ["operator"]
    assert (one(status)["node"], one(status)["status"]) == (here, "unknown")
    await cluster.done(changed(word, request=token()))
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, here)
        and one(status)["state"] == "running")
    assert one(status)["proof"]["kind"] == "operator"
    assert "mains plug" in one(status)["proof"]["because"]
    assert (await cluster.said()).boot_id != life
    cluster.check_disk()


async def test_an_operators_word_about_a_node_that_is_merely_cut_off_waits_for_its_lease(cluster):
    """Nothing runs twice, though the word was wrong."""
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    here = before["node"]
    at = next(each for each in cluster.names if each != here)
    cluster.away.add(here)
    assert await lab.cut(cluster.record.dir, here, ["cluster"]) is None
    await cluster.until(lambda status: node_of(status, here)["status"] == "unknown")
    word = ConfirmDead(request=token(), node=here, reason="it does not answer", wait=False)
    said = await cluster.done(word, node=at)
    assert 0 < said["waits_s"] < LEASE_S + 1 and said["state"] == "running"
    assert not cluster.copy_on(here).stands, "its lease is good still"
    assert (await cluster.done(changed(word, wait=True), node=at))["state"] == "failed"
    assert cluster.copy_on(here).stands
    status = await cluster.until(
        lambda status: one(status)["node"] not in (None, here)
        and one(status)["state"] == "running")
    assert one(status)["proof"]["kind"] == "operator"
    assert (await cluster.said()).boot_id != life
    cluster.check_disk()
    assert await lab.heal(cluster.record.dir, here) is None
    cluster.away.clear()
    await cluster.in_order()
    assert [each.node for each in cluster.copies()] == [one(status)["node"]]


async def test_without_a_stronger_proof_a_host_that_hangs_keeps_its_package_and_goes_on(cluster):
    """Its lease alone frees nothing, so that nobody writes beside it when it goes on."""
    await cluster.set_policy(lease_is_proof="false")
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    here = before["node"]
    cluster.away.add(here)
    assert await lab.hang(cluster.record.dir, here) is None
    status = await cluster.until(lambda status: node_of(status, here)["state"] == "failed")
    assert (one(status)["node"], one(status)["status"]) == (here, "unknown")
    assert "proof-missing" in [each["code"] for each in status["problems"]]
    assert await lab.thaw(cluster.record.dir, here) is None
    cluster.away.clear()
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (here, before["epoch"])
    assert (await cluster.said()).boot_id == life


async def refused_with(cluster: LiveCluster, ask: ConfirmDead) -> list[str]:
    answer = await cluster.ask(ask)
    assert answer.verdict == "refused"
    return [each.code for each in answer.problems]


async def test_the_killed_coordinator_is_taken_over_as_well(cluster):
    leader = await cluster.leader()
    if (await cluster.shown())["node"] != leader:
        assert (await cluster.moved(leader))["result"] == "completed"
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    cluster.away.add(leader)
    assert await lab.kill(cluster.record.dir, leader) is None
    await taken_over(cluster, before, life)
    await cluster.one_copy()


async def test_a_node_cut_off_freezes_its_guest_and_ends_it_when_healed(cluster):
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    here = before["node"]
    cluster.away.add(here)
    assert await lab.cut(cluster.record.dir, here, ["cluster"]) is None
    await frozen(cluster, here)
    old = cluster.copy_on(here)
    after = await taken_over(cluster, before, life)
    assert cluster.copy_on(here) == old
    assert await lab.heal(cluster.record.dir, here) is None
    await cluster.in_order()
    assert (await cluster.one_copy())["node"] == after["node"]
    assert [each.node for each in cluster.copies()] == [after["node"]]
    told = (await cluster.done(GetEvents(node=here)))["events"]
    assert "stray guest of p1 ended" in [each["what"] for each in told]


async def test_a_cut_shorter_than_the_lease_is_not_noticed(cluster):
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    freezes = cluster.freezes(before["node"])
    async with held_connection(cluster.package().guest_address) as caller:
        cluster.away.add(before["node"])
        assert await lab.cut(cluster.record.dir, before["node"], ["cluster"]) is None
        await caller.goes_on()  # the guest's own network was not cut
        await asyncio.sleep(SHORT_CUT_S)
        assert await lab.heal(cluster.record.dir, before["node"]) is None
        cluster.away.clear()
        await cluster.until(lambda status: node_of(status, before["node"])["status"] == "up")
        await caller.goes_on()
    assert caller.longest_gap_s < 1, "the guest's own network was not cut"
    assert cluster.freezes(before["node"]) == freezes
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (before["node"], before["epoch"])
    assert (await cluster.said()).boot_id == life


async def test_a_node_without_a_majority_stands_frozen_and_goes_on_when_it_returns(cluster):
    """Nobody can take over from the last of three nodes: its guest stands for as long as it takes,
    its monitors are not held against it, and its memory and connections are kept."""
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    others = [each for each in cluster.names if each != before["node"]]
    async with held_connection(cluster.package().guest_address) as caller:
        cluster.stop_daemons(*others)
        await frozen(cluster, before["node"])
        # Longer than the monitors need to find a guest that stands ill: three failures of 1 s.
        await asyncio.sleep(6)
        cluster.continue_daemons(*others)
        await caller.goes_on()
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (before["node"], before["epoch"])
    assert (await cluster.said()).boot_id == life


async def test_a_daemon_that_comes_back_within_the_lease_finds_its_guest_untouched(cluster):
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    copy, freezes = cluster.copy_on(before["node"]), cluster.freezes(before["node"])
    async with held_connection(cluster.package().guest_address) as caller:
        cluster.kill_daemon(before["node"])
        await cluster.start_daemon(before["node"])
        await cluster.until(lambda status: node_of(status, before["node"])["status"] == "up")
        await caller.goes_on()
    assert caller.longest_gap_s < 1
    assert cluster.freezes(before["node"]) == freezes
    after = await cluster.one_copy()
    assert (after["node"], after["epoch"]) == (before["node"], before["epoch"])
    assert cluster.copy_on(before["node"]) == copy
    assert (await cluster.said()).boot_id == life


async def test_a_detached_guest_is_left_alone_by_a_daemon_that_knows_nobody(cluster):
    """Nobody's lease is over it, and a daemon that started without a majority has none."""
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    node = before["node"]
    await cluster.done(HaltNode(request=token(), node=node, detach=True))
    await cluster.until(lambda status: one(status)["state"] == "detached", settled=True)
    await cluster.cut_agreement(cut=True)
    cluster.kill_daemon(node)
    log = Path(cluster.node(node).folder, "log", "daemon.log")
    starts = log.read_text().count(f"{node} takes part")
    await cluster.start_daemon(node)
    async with asyncio.timeout(20):
        while log.read_text().count(f"{node} takes part") == starts:
            await asyncio.sleep(0.05)
    end = time.monotonic() + SHORT_CUT_S  # a guest that is guarded without a lease stands at once
    while time.monotonic() < end:
        assert not cluster.copy_on(node).stands
        await asyncio.sleep(0.01)
    await cluster.cut_agreement(cut=False)
    await cluster.done(RunNode(request=token(), node=node))
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (node, before["boot_id"])
    assert (await cluster.said()).boot_id == life


async def test_a_guest_detached_behind_its_daemons_back_is_taken_over_by_its_lease(cluster):
    """Its owner never let it go, so its guardian froze it: that is a proof, as of a running one."""
    before, life = await led_by_another(cluster), (await cluster.said()).boot_id
    node = before["node"]
    told = await detached_unheard(cluster, node)
    assert told.verdict == "failed" and "p1 did not stay detached" in told.problems[0].what
    await cluster.until(lambda status: one(status)["node"] not in (None, node))
    assert cluster.copy_on(node).stands, "taken over before it stood"
    after = await taken_over(cluster, before, life, left="halted")
    await cluster.start_daemon(node)
    await until_its_only_copy(cluster, after["node"])
    status = await cluster.settled_status()
    assert node_of(status, node)["state"] == "halted", "what was asked of the node holds on"
    assert one(status)["epoch"] == after["epoch"]
    await cluster.in_order()
    assert (await cluster.one_copy())["boot_id"] == after["boot_id"]


async def test_a_guest_detached_behind_its_daemons_back_goes_on_where_a_lease_is_no_proof(cluster):
    """Nobody may take it over, so it stands for as long as its daemon is away, and no longer."""
    await cluster.set_policy(lease_is_proof="false")
    before, life = await led_by_another(cluster), (await cluster.said()).boot_id
    node = before["node"]
    assert (await detached_unheard(cluster, node)).verdict == "done"
    status = await cluster.until(lambda status: node_of(status, node)["state"] == "halted")
    found = one(status)
    assert (found["node"], found["epoch"], found["state"]) == (node, before["epoch"], "detached")
    await frozen(cluster, node)
    copy = cluster.copy_on(node)
    await cluster.start_daemon(node)
    async with asyncio.timeout(20):
        while cluster.copy_on(node).stands:
            await asyncio.sleep(0.01)
    assert cluster.copy_on(node).pid == copy.pid
    await cluster.done(RunNode(request=token(), node=node))
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (node, before["boot_id"])
    assert (await cluster.said()).boot_id == life


async def led_by_another(cluster: LiveCluster) -> dict:
    """The package, on a node whose daemon may stop with an order still agreed upon at once."""
    leader = await cluster.leader()
    if (await cluster.shown())["node"] == leader:
        other = next(each for each in cluster.names if each != leader)
        assert (await cluster.moved(other))["result"] == "completed"
    return await cluster.shown()


async def detached_unheard(cluster: LiveCluster, node: str) -> Reply:
    """The record detaches its guest, and its daemon is dead before it hears of that."""
    cluster.stop_daemons(node)
    told = await cluster.ask(HaltNode(request=token(), node=node, detach=True))
    cluster.kill_daemon(node)
    return told


async def until_its_only_copy(cluster: LiveCluster, node: str) -> None:
    """Wait until what stood frozen elsewhere has been ended; what runs, runs there."""
    async with asyncio.timeout(20):
        while [each.node for each in cluster.copies()] != [node]:
            assert all(each.stands for each in cluster.copies() if each.node != node)
            await asyncio.sleep(0.01)


async def test_a_node_whose_daemon_stays_away_is_frozen_by_its_guardian_and_taken_over(cluster):
    before, life = await cluster.shown(), (await cluster.said()).boot_id
    cluster.kill_daemon(before["node"])
    await cluster.until(lambda status: one(status)["node"] != before["node"])
    assert cluster.copy_on(before["node"]).stands, "taken over before it stood"
    await taken_over(cluster, before, life)
    await cluster.one_copy()


async def test_a_guest_that_dies_is_restarted_on_the_spot_and_then_elsewhere(cluster):
    await cluster.set_policy(service_restart=1)
    before = await cluster.shown()
    cluster.kill(cluster.copy_on(before["node"]).pid)
    first = await running_after(cluster, before["epoch"])
    assert (first["node"], first["epoch"]) == (before["node"], before["epoch"] + 1)
    await cluster.one_copy()
    cluster.kill(cluster.copy_on(first["node"]).pid)
    second = await running_after(cluster, first["epoch"])
    assert second["node"] != first["node"]
    await cluster.one_copy()
