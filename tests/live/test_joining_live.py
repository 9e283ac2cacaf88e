"""A cluster founded on one host, its other hosts let in by a line each; strangers stay out."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.live.hosts import Hosts, hosts
from tests.live.waiting import until

pytestmark = pytest.mark.live


async def two_let_in(farm: Hosts) -> None:
    """By the founder, which alone has been started."""
    await farm.found(first="n1")
    farm.start("n1")
    await farm.status_until(lambda status: not status["cluster"]["quorum"])
    await farm.join("n2")
    await farm.join("n3")


async def test_three_hosts_become_a_cluster_by_two_lines(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await two_let_in(farm)
        farm.start("n2", "n3")
        await farm.until_up("n1", "n2", "n3")
        keys = await farm.asked("operator", "list", on="n3")
        assert [each["name"] for each in keys["operators"]] == ["root", "root@n2", "root@n3"]
        assert len({(farm.etc(name) / "curve.secret").read_text() for name in farm.names}) == 3
        await until(lambda: len({
            (farm.etc(name) / "keys.yaml").read_text() for name in farm.names}) == 1)
        assert not (farm.etc("n2") / "ca.key").exists()
        # The founder has handed everything over: it starts again like any other node.
        founding = farm.etc("n1") / "founding.json"
        await until(lambda: json.loads(founding.read_text())["closed"])
        await farm.end("n1")
        farm.start("n1")
        await farm.until_up("n1", "n2", "n3", on="n2")


async def test_who_came_in_first_hears_a_leader_that_came_in_later(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await two_let_in(farm)
        assert "n3:" not in (farm.etc("n2") / "keys.yaml").read_text()
        farm.start("n3")
        while (await farm.status_until(is_led, on="n3"))["cluster"]["leader"] != "n3":
            await farm.end("n1", by=signal.SIGKILL)
            await farm.status_until(lambda status: not status["cluster"]["leader"], on="n3")
            farm.start("n1")
        # Its folder does not know the leader's key, and the record that does comes from the leader.
        farm.start("n2")
        await farm.until_up("n1", "n2", "n3", on="n2")
        await until(lambda: "n3:" in (farm.etc("n2") / "keys.yaml").read_text())


def is_led(status: Any) -> bool:
    return bool(status["cluster"]["quorum"] and status["cluster"]["leader"])


async def test_a_line_is_for_one_host_once_and_for_its_time(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await farm.found(first="n1")
        farm.start("n1")
        await farm.status_until(lambda status: not status["cluster"]["quorum"])
        line = (await farm.done("node", "invite", "n2")).split()[-1]
        elsewhere = farm.folder / "elsewhere"
        await farm.done("node", "join", line, "--etc", str(farm.etc("n2")), on="n2")
        said = await farm.vmsg("node", "join", line, "--etc", str(elsewhere), on="n2")
        assert said.code == 3 and "invitation-invalid" in said.err
        assert not elsewhere.exists()  # so that the right line is taken there
        said = await farm.vmsg("node", "join", line, "--etc", str(farm.etc("n2")), on="n2")
        assert said.code == 3 and "key-files-exist" in said.err
        short = (await farm.done("node", "invite", "n3", "--for", "1s")).split()[-1]
        await asyncio.sleep(1.1)  # the line's own time, not luck
        said = await farm.vmsg("node", "join", short, "--etc", str(farm.etc("n3")), on="n3")
        assert said.code == 3 and "invitation-invalid" in said.err
        await farm.join("n3")  # with the right line, where the wrong one was tried
        for broken, code in ((line[:40], "join-line-broken"), ("hello", "join-line-broken")):
            said = await farm.vmsg("node", "join", broken, "--etc", str(elsewhere), on="n3")
            assert said.code == 3 and code in said.err


async def test_without_the_authority_nobody_is_invited(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await farm.found(first="n1")
        (farm.etc("n1") / "ca.key").unlink()
        farm.start("n1")
        await farm.status_until(lambda status: not status["cluster"]["quorum"])
        said = await farm.vmsg("node", "invite", "n2")
        assert said.code == 3 and "authority-missing" in said.err
        said = await farm.vmsg("node", "invite", "n9")
        assert said.code == 3 and "unknown-node" in said.err
