"""Keys change while commits and moves go on; operators come and go; nobody is left behind."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.api.messages import AddOperator, Reply
from cluster.sockets import make_keys
from tests.live.hosts import ROOT, Hosts, hosts
from tests.live.live_cluster import LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.acceptance]


async def up(farm: Hosts) -> None:
    await farm.found()
    farm.start(*farm.names)
    await farm.until_up(*farm.names)


async def test_every_node_changes_its_key_and_nobody_misses_anything(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await up(farm)
        before = {name: (farm.etc(name) / "curve.secret").read_text() for name in farm.names}
        certificates = {name: (farm.etc(name) / "node.crt").read_text() for name in farm.names}
        changed = await farm.asked("node", "rotate", "--all")
        assert [each["node"] for each in changed["nodes"]] == list(farm.names)
        for name in farm.names:
            assert (farm.etc(name) / "curve.secret").read_text() != before[name]
            assert (farm.etc(name) / "node.crt").read_text() != certificates[name]
            assert not list(farm.etc(name).glob("*.next"))
        await farm.until_up(*farm.names, on="n3")
        # All of them start again from what they have on disk.
        await farm.end(*farm.names)
        farm.start(*farm.names)
        await farm.until_up(*farm.names, on="n2")


async def test_commits_go_on_while_keys_change(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await up(farm)
        turning = asyncio.ensure_future(farm.vmsg("node", "rotate", "--all"))
        loop, longest_s, count = asyncio.get_running_loop(), 0.0, 0
        while not turning.done():
            begun_s = loop.time()
            await committed(farm, f"someone-{count}")
            longest_s, count = max(longest_s, loop.time() - begun_s), count + 1
        assert turning.result().code == 0, turning.result()
        # A few asked of a node that was just changing, each given up after 2 s, or an election;
        # without any trouble a commit takes milliseconds.
        assert count > 20 and longest_s < 10.0, (count, longest_s)


async def committed(farm: Hosts, name: str) -> None:
    """Have something agreed upon, asking again, as the command line does, while nodes change."""
    request = AddOperator(request=name, name=name, key=make_keys().public, role="monitor")
    async with asyncio.timeout(30):
        while True:
            answer = await farm.answer(request, on="n1", anybody=True, deadline_s=2.0)
            if isinstance(answer, Reply) and answer.verdict == "done":
                return


async def test_a_move_goes_on_while_keys_change(tmp_path: Path) -> None:
    async with live_cluster(tmp_path / "lab", nodes=3, packages=1) as cluster:
        before = await cluster.until_running()
        target = next(name for name in cluster.names if name != before["node"])
        env = {**os.environ, "VMSG_ENDPOINT": cluster.record.dir}
        moving = await vmsg("move", "p1", target, env=env)
        turning = await vmsg("node", "rotate", "--all", env=env)
        for process in (moving, turning):
            async with asyncio.timeout(120):
                _, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
        again = LiveCluster(cluster.record)  # with the keys as they are now
        after = await again.one_copy()
        assert (after["node"], after["boot_id"]) == (target, before["boot_id"])
        # The new certificates carry guest memory.
        moved = await again.moved(before["node"])
        assert moved["result"] == "completed", moved
        again.close()


async def vmsg(*args: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cli.main import main; main()", *args, env=env, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


async def test_a_node_that_is_down_is_waited_for(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await up(farm)
        before = (farm.etc("n1") / "curve.secret").read_text()
        await farm.end("n3")
        ordered = asyncio.ensure_future(farm.vmsg("node", "rotate", "n1"))
        await farm.status_until(lambda _: list(farm.etc("n1").glob("curve.secret.next")))
        # It knows of the new key, and still proves the old one.
        assert (farm.etc("n1") / "curve.secret").read_text() == before
        await farm.end("n1")
        farm.start("n1", "n3")
        said = await ordered
        assert said.code == 0, said
        assert (farm.etc("n1") / "curve.secret").read_text() != before
        await farm.until_up(*farm.names, on="n3")


async def test_operators_come_with_a_role_and_go_at_once(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await up(farm)
        ann = farm.folder / "ann"
        await farm.done("operator", "add", "ann", "--role", "monitor", "--out", str(ann))
        shown: Any = await farm.asked("status", etc=ann)
        assert shown["cluster"]["quorum"]
        said = await farm.vmsg("node", "drain", "n1", etc=ann)
        assert said.code == 6
        await farm.done("operator", "remove", "ann", on="n2")
        said = await farm.vmsg("status", etc=ann)
        assert said.code == 6, said
        said = await farm.vmsg("operator", "remove", "root")
        assert said.code == 3 and "last-admin" in said.err
        eve = farm.folder / "eve"
        await farm.done("operator", "add", "eve", "--role", "full-admin", "--out", str(eve))
        said = await farm.vmsg("operator", "remove", "root")
        assert said.code == 3 and "access-lost" in said.err, "of oneself, with nobody to be asked"
        said = await farm.vmsg("operator", "remove", "root", etc=eve)
        assert said.code == 0, "another's"
        assert (await farm.vmsg("status")).code == 6
