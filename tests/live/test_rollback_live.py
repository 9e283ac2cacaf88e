"""A state folder that comes back from a backup is known for what it is: nothing that was decided
since is lost, and whoever is right goes on."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.live.hosts import Hosts, hosts
from tests.live.test_rejoin_live import refused_to_start

pytestmark = pytest.mark.live


async def operators(farm: Hosts, on: str) -> set[str]:
    return {each["name"] for each in (await farm.asked("operator", "list", on=on))["operators"]}


async def add_operator(farm: Hosts, name: str, on: str) -> None:
    await farm.done("operator", "add", name, "--out", str(farm.folder / name), on=on)


async def begin(farm: Hosts) -> None:
    await farm.found()
    farm.start(*farm.names)
    await farm.until_up(*farm.names)


async def test_what_was_decided_after_the_backup_stands(tmp_path: Path) -> None:
    """Two of three decided it; of these one is put back, and the third never heard of it."""
    async with hosts(tmp_path) as farm:
        await begin(farm)
        await farm.end("n3", by=signal.SIGKILL)
        backup = tmp_path / "backup"
        shutil.copytree(farm.lib("n3"), backup)
        farm.start("n3")
        await farm.until_up(*farm.names)
        await farm.end("n1", by=signal.SIGKILL)
        await farm.until_up("n2", "n3", on="n2")
        for name in ("ann", "bob"):
            await add_operator(farm, name, "n2")
        await farm.end("n3", "n2", by=signal.SIGKILL)
        shutil.rmtree(farm.lib("n3"))
        shutil.copytree(backup, farm.lib("n3"))
        farm.start("n1")
        await refused_to_start(farm, "n3", "journal-rolled-back")
        farm.start("n2")
        await farm.until_up("n1", "n2")
        await farm.done("node", "rejoin", "n3", on="n3")
        farm.start("n3")
        await farm.until_up(*farm.names, on="n3")
        assert farm.daemons["n2"].poll() is None
        for name in farm.names:
            assert {"ann", "bob"} <= await operators(farm, name)


async def test_a_copy_made_while_the_daemon_ran_is_known_seconds_later(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await begin(farm)
        backup = tmp_path / "backup"
        shutil.copytree(farm.lib("n3"), backup)
        await add_operator(farm, "ann", "n1")
        await farm.end("n3", by=signal.SIGKILL)
        newest = farm.lib("n3").rename(tmp_path / "newest")
        shutil.copytree(backup, farm.lib("n3"))
        await refused_to_start(farm, "n3", "journal-rolled-back")
        shutil.rmtree(farm.lib("n3"))
        newest.rename(farm.lib("n3"))  # as the fix has it: it was only elsewhere
        farm.start("n3")
        await farm.until_up(*farm.names, on="n3")
