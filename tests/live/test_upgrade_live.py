"""A cluster is upgraded node by node to the next version, a copy of this one that says so."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster.node import VERSION
from packages.core.versions import version_of
from tests.live.hosts import ROOT, hosts
from tests.live.waiting import until

pytestmark = pytest.mark.live

NAMES = ("n1", "n2", "n3")


def following_version() -> str:
    major, minor, _ = version_of(VERSION)
    return f"{major}.{minor + 1}.0"


def copied(folder: Path, version: str) -> Path:
    """The product as a release of that version."""
    for room in ("cluster", "packages"):
        shutil.copytree(
            ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    node = folder / "cluster" / "node.py"
    text = node.read_text()
    assert text.count(f'VERSION = "{VERSION}"') == 1
    node.write_text(text.replace(f'VERSION = "{VERSION}"', f'VERSION = "{version}"'))
    return folder


def versions(status: Any) -> dict[str, str]:
    return {
        each["name"]: each["version"] for each in status["nodes"] if each["status"] == "up"}


async def test_two_adjacent_versions_work_together_and_there_is_no_way_back(
    tmp_path: Path,
) -> None:
    following = following_version()
    new = copied(tmp_path / "new", following)
    async with hosts(tmp_path, *NAMES) as farm:
        await farm.found()
        farm.start(*NAMES)
        await farm.until_up(*NAMES)
        for name in NAMES:
            asked = next(each for each in NAMES if each != name)
            await farm.end(name)
            farm.start(name, tree=new)
            await farm.status_until(
                lambda status, name=name: versions(status).get(name) == following
                and len(versions(status)) == 3, on=asked)
            # In the middle of it the cluster decides as ever, wherever it is asked.
            await farm.done("cluster", "run", on=name)
        # Everybody speaks the new one from now on: the old one is let in no more.
        await farm.end("n3")
        farm.start("n3")
        await until(lambda: refused(farm.log("n3"), VERSION), within_s=30.0)
        assert VERSION not in versions(await farm.asked("status", "-v")).values()


def refused(log: Path, version: str) -> bool:
    return f"may not take part. It runs version {version}" in log.read_text()
