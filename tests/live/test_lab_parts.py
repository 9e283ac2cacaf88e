"""The lab's hosts, cables, LUNs and processes, each on its own, on this machine."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from cluster.lab import hosts, lab, luns
from cluster.lab.groups import NodeGroup
from cluster.lab.plan import LabOptions
from cluster.lab.record import LabRecord
from packages.core.problem import Problem
from tests.live.lab_parts import (
    DEADLINE_S, WRITER, Counter, answers, backing_files, eventually, lab_parts, reaches, traces
)

pytestmark = pytest.mark.live

STILL_S = 0.5
"""Long enough to see that something has stopped: it counts thousands of times in it."""


async def test_nodes_reach_each_other_on_every_network(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        n1, n2 = record.plan.nodes
        await reaches(n1, n2.address)
        await reaches(n1, n2.migration_address)
        await reaches(n1, n2.lan_address)
        await reaches(None, n2.lan_address)


async def test_a_cut_is_silent_takes_one_network_and_heals(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        n1, n2 = record.plan.nodes
        for network, cut, other in (
            ("cluster", n2.address, n2.migration_address),
            ("migration", n2.migration_address, n2.address),
        ):
            assert await lab.cut(record.dir, "n1", [network]) is None
            assert not answers(n1, cut)
            await reaches(n1, other)
            assert "LOWER_UP" in subprocess.run(
                ["ip", "-n", n1.netns, "link", "show", "cl0"], text=True, check=True,
                stdout=subprocess.PIPE,
            ).stdout, "a node must not be told that its switch fails"
            assert await lab.cut(record.dir, "n1", [network]) is None, "twice is harmless"
            assert await lab.heal(record.dir, "n1") is None
            await reaches(n1, cut)


async def test_without_storage_a_nodes_writes_wait_and_another_nodes_go_on(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        device = record.disks["p1"]
        one, other = (Counter(each) for each in record.plan.nodes)
        await asyncio.gather(one.start(WRITER, device), other.start(WRITER, device))
        outcome = await lab.cut(record.dir, "n1", ["storage"])
        assert outcome is None
        assert await settles(one)
        assert await other.counts()
        assert await lab.heal(record.dir, "n1", ["storage"]) is None
        assert await one.counts()


async def test_a_node_whose_writes_wait_can_still_be_killed(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        one = Counter(record.plan.nodes[0])
        await one.start(WRITER, record.disks["p1"])
        assert await lab.cut(record.dir, "n1", ["storage"]) is None
        assert await settles(one)
        assert await lab.kill(record.dir, "n1") is None
        assert not NodeGroup(one.node).members()


async def test_kill_ends_every_process_and_forgets_what_power_holds(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        one, other = (Counter(each) for each in record.plan.nodes)
        await asyncio.gather(one.start(), other.start())
        add_tap(one.node.netns)
        assert len(NodeGroup(one.node).members()) == 2
        assert await lab.kill(record.dir, "n1") is None
        assert not NodeGroup(one.node).members()
        assert not Path(one.node.run).exists()
        assert "tap0" not in links(one.node.netns)
        assert await other.counts()


LATECOMERS = """
while :; do
    sh -ec 'for each; do echo 0 >"$each/cgroup.procs"; done; exec sleep 1000' sh "$@" 2>/dev/null ||
        [ $? -eq 137 ] || exit 0
    sleep 0.02
done
"""
"""Each comes soon after the one before it was killed, until there is nothing to come into."""


async def test_who_was_on_its_way_into_a_node_does_not_outlive_down(tmp_path):
    folder = tmp_path / "lab"
    async with lab_parts(folder) as record:
        group = NodeGroup(record.plan.nodes[0])
        coming = await asyncio.create_subprocess_exec(
            "sh", "-c", LATECOMERS, "sh", *map(str, group.folders))
        await eventually(lambda: bool(group.members()))
        assert await lab.down(folder) is None
        assert traces(record.plan) == {}
        assert await asyncio.wait_for(coming.wait(), DEADLINE_S) == 0


async def test_hang_stops_a_node_and_thaw_continues_it(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        one = Counter(record.plan.nodes[0])
        await one.start()
        before = NodeGroup(one.node).members()
        assert await lab.hang(record.dir, "n1") is None
        assert await settles(one)
        assert NodeGroup(one.node).members() == before
        assert await lab.thaw(record.dir, "n1") is None
        assert await one.counts()


async def test_a_hung_node_can_be_killed(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        one = Counter(record.plan.nodes[0])
        await one.start()
        await lab.hang(record.dir, "n1")
        assert await lab.kill(record.dir, "n1") is None
        assert not NodeGroup(one.node).members()


async def test_down_removes_everything_and_is_harmless_again(tmp_path):
    folder = tmp_path / "deep" / "lab"
    async with lab_parts(folder) as record:
        await Counter(record.plan.nodes[0]).start()
        assert set(traces(record.plan)) >= {
            "namespaces", "links", "processes", "loop devices", "folders",
        }
        assert await lab.down(folder) is None
        assert traces(record.plan) == {}
        assert not (tmp_path / "deep").exists(), "the folders on the way were made too"
        assert await lab.down(folder) is None


async def test_down_waits_for_whoever_has_a_lun_open(tmp_path):
    """A loop device is given back by its last user; until then its file is in use."""
    async with lab_parts(tmp_path / "lab") as record:
        (device, *_) = await luns.attached(record.plan)
        with open(device, "rb"):
            removing = asyncio.create_task(luns.remove_luns(record.plan))
            held = await luns.given_back(record.plan, within_s=0.2)
            assert isinstance(held, Problem) and "open" in held.because
            assert not removing.done()
        assert await removing is None and await luns.attached(record.plan) == []


async def test_down_leaves_what_others_put_there(tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    async with lab_parts(folder):
        (folder / "notes").write_text("mine")
    assert [each.name for each in folder.iterdir()] == ["notes"]


async def test_two_labs_stand_beside_each_other(tmp_path):
    async with lab_parts(tmp_path / "one") as one, lab_parts(tmp_path / "two") as two:
        assert one.plan.number != two.plan.number
        await reaches(None, two.plan.nodes[0].lan_address)
        assert await lab.down(one.dir) is None
        await reaches(None, two.plan.nodes[0].lan_address)


async def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path):
    (tmp_path / "precious").write_text("content")
    outcome = await lab.up(LabOptions(dir=str(tmp_path)))
    assert isinstance(outcome, Problem) and outcome.code == "lab-is-up"
    assert (tmp_path / "precious").read_text() == "content"


async def test_options_that_make_no_lab_are_refused(tmp_path):
    for options in (
        LabOptions(dir="relative"), LabOptions(dir=str(tmp_path / "x"), nodes=0),
        LabOptions(dir=str(tmp_path / "x"), packages=1000),
        LabOptions(dir=str(tmp_path / "x"), guest="linux", memory_mib=16),
    ):
        outcome = await lab.up(options)
        assert isinstance(outcome, Problem) and outcome.code == "lab-option-invalid"
    assert not (tmp_path / "x").exists()


async def test_a_node_that_is_not_there_is_named_with_those_that_are(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        outcome = await lab.kill(record.dir, "n9")
        assert isinstance(outcome, Problem) and outcome.code == "unknown-node"
        assert "n1, n2" in outcome.because
    outcome = await lab.kill(record.dir, "n1")
    assert isinstance(outcome, Problem) and outcome.code == "lab-not-up"


async def test_a_record_tells_what_the_contract_promises(tmp_path):
    async with lab_parts(tmp_path / "lab") as record:
        shown = record.shown()
        assert shown["dir"] == str(tmp_path / "lab")
        assert set(shown["nodes"][0]) == {
            "name", "netns", "address", "daemon_pid", "guardian_pid",
        }
        assert set(shown["packages"][0]) == {"name", "guest_address", "echo_port", "disk"}
        assert os.path.exists(shown["packages"][0]["disk"])
        assert record.plan.packages[0].lun in backing_files()
        assert isinstance(lab.shown(record.dir), LabRecord)


def test_an_address_in_use_is_not_taken():
    used = [hosts.IPv4Network("10.77.3.0/24")]
    assert not hosts.is_free(77, used)
    assert hosts.is_free(199, used)


async def settles(counter: Counter) -> bool:
    """Whether it stops: what was under way may still end."""
    for _ in range(10):
        if not await counter.counts(deadline_s=STILL_S):
            return True
    return False


def add_tap(netns: str) -> None:
    subprocess.run(["ip", "-n", netns, "tuntap", "add", "dev", "tap0", "mode", "tap"], check=True)


def links(netns: str) -> str:
    return subprocess.run(
        ["ip", "-n", netns, "-brief", "link"], check=True, text=True, stdout=subprocess.PIPE,
    ).stdout
