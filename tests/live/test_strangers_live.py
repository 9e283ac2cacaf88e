"""A virtual machine that somebody started by hand is found, and nothing is started beside it."""

import subprocess

import pytest
import pytest_asyncio

from cluster.api.messages import HaltPackage, RunPackage
from packages.vm.qemu.command_line import BINARY, guest_uuid
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("strangers") / "lab") as cluster:
        yield cluster


def by_hand(cluster: LiveCluster, node: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """As an operator with the best intentions would, on that host."""
    return subprocess.Popen([
        "ip", "netns", "exec", cluster.node(node).netns, BINARY, "-display", "none", "-S",
        "-accel", "tcg", "-nodefaults", *arguments])


async def test_a_guest_started_by_hand_is_found_and_nothing_starts_beside_it(cluster):
    here = (await cluster.shown())["node"]
    other = next(each for each in cluster.names if each != here)
    disk = cluster.record.disks["p1"]
    hand = by_hand(cluster, other, "-drive", f"file={disk},format=raw,file.locking=off,if=virtio")
    try:
        status = await cluster.until(lambda status: one(status)["status"] == "twice")
        [seen] = one(status)["seen"]
        assert (seen["node"], seen["kind"], seen["pid"]) == (other, "by-hand", hand.pid)
        assert disk in seen["because"]
        assert "guest-twice" in [each["code"] for each in status["problems"]]
        await cluster.done(HaltPackage(request=token(), package="p1"))
        assert one(await cluster.status())["status"] == "misplaced"
        refused = await cluster.ask(RunPackage(request=token(), package="p1", node=here))
        assert [each.code for each in refused.problems] == ["guest-misplaced"]
    finally:
        hand.kill()
        hand.wait()
    await cluster.until(lambda status: one(status)["status"] == "down")
    await cluster.done(RunPackage(request=token(), package="p1"))
    await cluster.one_copy()


async def test_one_that_carries_a_packages_uuid_is_found_and_any_other_is_left_alone(cluster):
    node = cluster.names[0]
    mine = by_hand(cluster, node, "-name", "mine")
    hand = by_hand(cluster, node, "-uuid", guest_uuid("p1"))
    try:
        status = await cluster.until(lambda status: one(status)["seen"])
        assert [each["pid"] for each in one(status)["seen"]] == [hand.pid]
    finally:
        for each in (mine, hand):
            each.kill()
            each.wait()
    await cluster.until(lambda status: one(status)["status"] == "up")
    await cluster.one_copy()
