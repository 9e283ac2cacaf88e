"""Nodes come in and leave while the cluster works: three, four and three again, by commands."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.schema import NodeConfig
from tests.live.hosts import WITHIN_S, Hosts, hosts

pytestmark = pytest.mark.live

FOUNDERS = ("n1", "n2", "n3")


def written(farm: Hosts) -> dict[str, NodeConfig]:
    config, _ = cluster_from_text(farm.file.read_text())
    assert config is not None
    return {each.name: each for each in config.nodes}


async def found(farm: Hosts, *, founders: tuple[str, ...] = FOUNDERS) -> dict[str, NodeConfig]:
    """A cluster of the founders; where everybody would be."""
    places = written(farm)
    lines = farm.file.read_text().splitlines(keepends=True)
    later = [f"name: {name}," for name in farm.names if name not in founders]
    farm.file.write_text("".join(
        line for line in lines if not any(each in line for each in later)))
    farm.names = founders
    await farm.found(first="n1")
    farm.start("n1")
    await farm.status_until(lambda status: not status["cluster"]["quorum"])
    for name in founders[1:]:
        await farm.join(name)
    farm.start(*founders[1:])
    await farm.until_up(*founders)
    await farm.status_until(lambda status: votes(status) == set(founders))
    return places


async def add(farm: Hosts, node: NodeConfig, *flags: str, on: str = "n1") -> None:
    await farm.done(
        "node", "add", node.name, node.address, "--raft-port", str(node.raft_port),
        "--api-port", str(node.api_port), *flags, on=on)


def votes(status: Any) -> set[str]:
    return {each["name"] for each in status["nodes"] if each["votes"]}


async def test_three_nodes_become_four_and_three_again(tmp_path: Path) -> None:
    async with hosts(tmp_path, *FOUNDERS, "n4") as farm:
        places = await found(farm)
        await add(farm, places["n4"])
        shown = await farm.status_until(lambda status: len(status["nodes"]) == 4)
        assert votes(shown) == set(FOUNDERS)
        assert any(each["code"] == "node-not-voting" for each in shown["problems"])
        await farm.join("n4")
        farm.start("n4")
        await farm.until_up(*FOUNDERS, "n4")
        await farm.status_until(lambda status: votes(status) == {*FOUNDERS, "n4"})
        # Every node knows it, from its own record and in its own files.
        await farm.status_until(lambda status: votes(status) == {*FOUNDERS, "n4"}, on="n4")
        assert "n4" in (farm.etc("n3") / "cluster.yaml").read_text()
        # A second change at once, or the same name again, is refused with what to do instead.
        said = await farm.vmsg("node", "add", "n4", "127.0.0.1")
        assert said.code == 3 and "node-known" in said.err
        # The leader itself is removed: another leads, and its daemon ends.
        leader = shown["cluster"]["leader"]
        other = next(name for name in FOUNDERS if name != leader)
        await farm.done("node", "remove", leader, "--yes", on=other)
        kept = {*FOUNDERS, "n4"} - {leader}
        await farm.status_until(
            lambda status: votes(status) == kept and status["cluster"]["quorum"], on=other)
        ended = farm.daemons.pop(leader)
        assert ended.wait(timeout=90) == 3
        assert "node-removed" in farm.log(leader).read_text()
        said = await farm.vmsg(
            "node", "add", leader, "127.0.0.1", "--raft-port", "1", "--api-port", "2", on=other)
        assert said.code == 3 and "node-name-used" in said.err
        # From their own logs they know each other after a restart of all.
        await farm.end(*kept)
        farm.start(*kept)
        await farm.until_up(*kept, on=other)
        await farm.status_until(lambda status: votes(status) == kept, on=other)


async def test_a_dead_node_is_replaced(tmp_path: Path) -> None:
    async with hosts(tmp_path, *FOUNDERS, "n4") as farm:
        places = await found(farm)
        farm.daemons["n3"].kill()
        farm.daemons.pop("n3").wait()
        # Two of three are left: without one of them there would be no majority.
        await farm.status_until(lambda status: any(
            each["name"] == "n3" and each["status"] != "up" for each in status["nodes"]))
        # Whoever leads may hear of it a moment after n1.
        async with asyncio.timeout(WITHIN_S):
            while (said := await farm.vmsg("node", "remove", "n2", "--dry-run")).code == 0:
                pass
        said = await farm.vmsg("node", "remove", "n2", "--yes")
        assert said.code == 3 and "membership-unsafe" in said.err
        await farm.done("node", "remove", "n3", "--yes")
        await farm.status_until(lambda status: votes(status) == {"n1", "n2"})
        await add(farm, places["n4"])
        await farm.join("n4")
        farm.start("n4")
        await farm.status_until(lambda status: votes(status) == {"n1", "n2", "n4"})
        # The dead one comes back to nobody's door.
        farm.start("n3")
        await farm.end("n2")
        shown = await farm.status_until(
            lambda status: status["cluster"]["quorum"] and len(status["nodes"]) == 3)
        assert "n3" not in {each["name"] for each in shown["nodes"]}
        # It says itself what it cannot be told: the others do not know it any more.
        await farm.status_until(lambda status: any(
            each["code"] == "node-not-known" for each in status["problems"]), on="n3")
        # Neither its keys nor its operator's are heard by anybody.
        door = f"{places['n1'].address}:{places['n1'].api_port}"
        said = await farm.vmsg("status", "--endpoint", door, on="n3")
        assert said.code in (4, 6) and "n1" not in said.out


async def test_two_changes_in_one_file_are_refused(tmp_path: Path) -> None:
    async with hosts(tmp_path, *FOUNDERS, "n4", "n5") as farm:
        everybody = farm.file.read_text()
        await found(farm)
        farm.file.write_text(everybody)
        said = await farm.vmsg("cluster", "apply", str(farm.file))
        assert said.code == 3 and "membership-one-at-a-time" in said.err
        farm.file.write_text("".join(
            line for line in everybody.splitlines(keepends=True) if "name: n5," not in line))
        await farm.done("cluster", "apply", str(farm.file))
        shown = await farm.status_until(lambda status: len(status["nodes"]) == 4)
        assert votes(shown) == set(FOUNDERS)
        # An older file, which does not know the new node, does not take it off again.
        farm.file.write_text("".join(
            line for line in everybody.splitlines(keepends=True)
            if not any(f"name: {name}," in line for name in ("n4", "n5"))))
        said = await farm.vmsg("cluster", "apply", str(farm.file))
        assert said.code == 3 and "node-left-out" in said.err
        # One that never came is.
        await farm.done("node", "remove", "n4", "--yes")
        await farm.status_until(lambda status: len(status["nodes"]) == 3)
