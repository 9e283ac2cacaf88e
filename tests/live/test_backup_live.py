"""The record saved and put back, by real commands on real daemons."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.hosts import Hosts, hosts

pytestmark = pytest.mark.live

REFUSED = 3
PACKAGE = """
name: {name}
nodes: [n1, n2, n3]
auto_run: false
vm:
  memory_mib: 64
  disks:
  - path: {disk}
"""


@contextmanager
def disks(folder: Path, *names: str) -> Iterator[dict[str, str]]:
    made: dict[str, str] = {}
    try:
        for name in names:
            file = folder / f"{name}.raw"
            with file.open("wb") as raw:
                raw.truncate(1 << 20)
            found = subprocess.run(
                ["losetup", "--find", "--show", str(file)], check=True, capture_output=True)
            made[name] = found.stdout.decode().strip()
        yield made
    finally:
        for device in made.values():
            subprocess.run(["losetup", "--detach", device], check=True)


async def test_the_record_comes_back_from_its_file(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        with disks(tmp_path, "p1", "p2") as luns:
            await put_back(farm, luns, tmp_path)


async def put_back(farm: Hosts, luns: dict[str, str], tmp_path: Path) -> None:
    await farm.found()
    farm.start(*farm.names)
    await farm.until_up(*farm.names)
    saved = tmp_path / "saved.json"
    for name, disk in luns.items():
        (tmp_path / f"{name}.yaml").write_text(PACKAGE.format(name=name, disk=disk))
        await farm.done("package", "apply", str(tmp_path / f"{name}.yaml"))
    await farm.done("package", "maintenance", "p1", "on")
    await farm.done("cluster", "backup", str(saved))
    assert saved.stat().st_mode & 0o777 == 0o600
    await farm.done("package", "maintenance", "p1", "off")
    await farm.done("package", "delete", "p2")

    said = await farm.vmsg("cluster", "restore", str(saved), on="n2")
    assert said.code == REFUSED and "restore-unconfirmed" in said.err, said
    would = await farm.asked("cluster", "restore", str(saved), "--dry-run", on="n2")
    assert any("p2" in line for line in would["would"])
    (tmp_path / "torn.json").write_text(saved.read_text()[:-200])
    said = await farm.vmsg("cluster", "restore", str(tmp_path / "torn.json"), "--yes")
    assert said.code == REFUSED and "backup-damaged" in said.err, said
    with open(luns["p1"], "rb"):  # a guest that nobody knows of, perhaps
        said = await farm.vmsg("cluster", "restore", str(saved), "--yes")
        assert said.code == REFUSED and "restore-unsafe" in said.err, said
    await farm.done("cluster", "restore", str(saved), "--yes", on="n2")

    shown = await farm.asked("status")
    assert shown["cluster"]["status"] == "down"
    packages = {each["name"]: each for each in shown["packages"]}
    assert set(packages) == {"p1", "p2"} and packages["p1"]["holds"]
    told = await farm.done("events")
    assert "record backed up" in told and "record restored, 2 packages" in told
    await farm.done("cluster", "run")
    assert (await farm.asked("status"))["cluster"]["status"] == "up"
