"""A path that means another LUN: on real daemons, guests and loop devices."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.live.live_cluster import LiveCluster, live_cluster
from tests.live.operator_side import vmsg

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

SIZE_BYTES = 16 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path_factory.mktemp("identity") / "lab") as made:
        yield made


def run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[list[str]]:
    """Three loop devices, taken away again by their names."""
    made: list[str] = []
    try:
        for name in "abc":
            file = tmp_path / f"{name}.img"
            file.touch()
            os.truncate(file, SIZE_BYTES)
            made.append(run("losetup", "--find", "--show", str(file)))
        yield made
    finally:
        for device in made:
            run("losetup", "--detach", device)


class Moving:
    """A package whose disk is named by a link."""

    def __init__(self, cluster: LiveCluster, folder: Path, name: str) -> None:
        self.cluster, self.name = cluster, name
        self.link, self.file = folder / "sdb", folder / "lun.yaml"

    def point(self, device: str) -> None:
        fresh = self.link.with_suffix(".new")
        fresh.symlink_to(device)
        fresh.replace(self.link)

    async def ask(self, *words: str, fails: str = "") -> list[dict[str, Any]]:
        """The command's problems; it must be refused with this code, if one is given."""
        code, told = await vmsg(self.cluster, *words)
        problems: list[dict[str, Any]] = told.get("problems", [])
        codes = {each["code"] for each in problems if each["severity"] == "refuse"}
        assert (code == 0) == (not fails), (words, code, told)
        assert not fails or fails in codes, told
        return [each for each in problems if each["code"] == fails]

    async def apply(self, *words: str, fails: str = "") -> list[dict[str, Any]]:
        self.file.write_text(f"""\
name: {self.name}
nodes: [n1, n2, n3]
auto_run: false
halt_timeout_s: 2
vm:
  memory_mib: 64
  accel: tcg
  disks:
    - {{path: {self.link}, locking: "off"}}
""")
        return await self.ask("package", "apply", str(self.file), *words, fails=fails)

    async def clear(self) -> None:
        await vmsg(self.cluster, "package", "halt", self.name)
        await self.ask("package", "delete", self.name)


def shows(problem: dict[str, Any], *devices: str) -> bool:
    """Whether what was recorded and what was found are both in its words."""
    files = [Path(f"/sys/block/{Path(each).name}/loop/backing_file").read_text().strip()
             for each in devices]
    return all(file in problem["because"] for file in files)


async def test_a_path_that_means_another_lun_is_refused(
    cluster: LiveCluster, loops: list[str], tmp_path: Path,
) -> None:
    a, b, c = loops
    package = Moving(cluster, tmp_path, "lunr")
    package.point(a)
    await package.apply()
    await package.ask("package", "run", "lunr")
    await package.ask("package", "halt", "lunr")
    package.point(b)
    refused = await package.ask("package", "run", "lunr", fails="disk-is-another")
    assert all(shows(each, a, b) for each in refused)
    assert (await cluster.shown("lunr"))["state"] == "halted"
    await package.ask("package", "run", "lunr", "--node", "n2", fails="disk-is-another")
    await package.apply(fails="disk-is-another")
    await package.apply("--new-disk", f"lunr:{tmp_path}/other", fails="disk-unknown")
    await package.apply("--new-disk", f"lunr:{package.link}", "--dry-run")
    await package.ask("package", "run", "lunr", fails="disk-is-another")
    await package.apply("--new-disk", f"lunr:{package.link}")
    await package.ask("package", "run", "lunr", "--node", "n1")
    # It has b open: a target where the path means c, and the path of its own node, say nothing.
    package.point(c)
    refused = await package.ask("move", "lunr", "n2", "--wait", fails="disk-is-another")
    assert all(shows(each, b, c) for each in refused)
    shown = await cluster.shown("lunr")
    assert (shown["state"], shown["node"], shown["epoch"]) == ("running", "n1", shown["epoch"])
    package.point(b)
    await package.ask("move", "lunr", "n2", "--wait")
    assert (await cluster.shown("lunr"))["node"] == "n2"
    told = [each["what"] for each in await cluster.events("lunr")]
    assert f"disk {package.link} is known" in told
    await package.clear()


async def test_a_takeover_starts_nothing_on_another_lun(
    cluster: LiveCluster, loops: list[str], tmp_path: Path,
) -> None:
    """Also after the path went back and forth: what counts is what is there at the start."""
    a, b, _ = loops
    package = Moving(cluster, tmp_path, "lunt")
    package.point(a)
    await package.apply()
    await package.ask("package", "run", "lunt", "--node", "n3")
    await package.ask("package", "enable", "lunt")
    package.point(b)
    cluster.kill(cluster.copy_on("n3", "lunt").pid)
    await cluster.until(lambda status: any(
        each["name"] == "lunt" and each["state"] == "failed" for each in status["packages"]))
    shown = await cluster.shown("lunt")
    assert "another" in shown["because"] or "is not the package's" in shown["because"], shown
    package.point(a)
    await package.ask("package", "run", "lunt")
    await package.clear()


async def test_another_path_of_the_same_lun_and_a_grown_lun_are_no_other_disk(
    cluster: LiveCluster, loops: list[str], tmp_path: Path,
) -> None:
    a, _, _ = loops
    package = Moving(cluster, tmp_path, "lung")
    package.point(a)
    await package.apply()
    await package.ask("package", "run", "lung")
    await package.ask("package", "halt", "lung")
    alias = run("losetup", "--find", "--show", Path(
        f"/sys/block/{Path(a).name}/loop/backing_file").read_text().strip())
    try:
        package.point(alias)
        await package.ask("package", "run", "lung")
        await package.ask("package", "halt", "lung")
    finally:
        package.point(a)
        run("losetup", "--detach", alias)
    os.truncate(tmp_path / "a.img", 2 * SIZE_BYTES)
    run("losetup", "--set-capacity", a)
    await package.ask("package", "run", "lung")
    told = [each["what"] for each in await cluster.events("lung")]
    assert f"disk {package.link} has grown" in told
    await package.ask("package", "halt", "lung")
    os.truncate(tmp_path / "a.img", SIZE_BYTES)
    run("losetup", "--set-capacity", a)
    await package.ask("package", "run", "lung", fails="disk-is-another")
    await package.clear()


async def test_a_running_guest_is_told_of_a_grown_lun(
    cluster: LiveCluster, loops: list[str], tmp_path: Path,
) -> None:
    package = Moving(cluster, tmp_path, "lunr")
    package.point(loops[0])
    await package.apply()
    await package.ask("package", "resize-disk", "lunr", fails="package-not-running")
    await package.ask("package", "run", "lunr")
    code, told = await vmsg(cluster, "package", "resize-disk", "lunr")
    assert code == 0 and "already" in told
    os.truncate(tmp_path / "a.img", 2 * SIZE_BYTES)
    run("losetup", "--set-capacity", loops[0])
    code, told = await vmsg(cluster, "package", "resize-disk", "lunr", "--dry-run")
    assert code == 0 and any("has grown" in line for line in told["would"]), told
    code, told = await vmsg(cluster, "package", "resize-disk", "lunr")
    assert (code, told["disks"]) == (0, [
        {"path": str(package.link), "before_bytes": SIZE_BYTES, "bytes": 2 * SIZE_BYTES}])
    assert f"disk {package.link} has grown" in [
        each["what"] for each in await cluster.events("lunr")]
    code, told = await vmsg(cluster, "package", "resize-disk", "lunr")
    assert code == 0 and "already" in told
    await package.clear()


async def test_a_daemon_that_comes_back_knows_its_guest_by_what_it_has_open(
    cluster: LiveCluster, loops: list[str], tmp_path: Path,
) -> None:
    a, b, _ = loops
    package = Moving(cluster, tmp_path, "lunb")
    package.point(a)
    await package.apply()
    await package.ask("package", "run", "lunb", "--node", "n2")
    before = cluster.copy_on("n2", "lunb").pid
    package.point(b)
    cluster.kill_daemon("n2")
    await cluster.start_daemon("n2")
    shown = await cluster.until_running("lunb")
    assert shown["node"] == "n2" and cluster.copy_on("n2", "lunb").pid == before
    await package.ask("move", "lunb", "n3", fails="disk-is-another")
    package.point(a)
    await cluster.until_running("lunb")  # a slow machine's daemon may have come back late
    await package.ask("move", "lunb", "n3", "--wait")
    assert (await cluster.shown("lunb"))["node"] == "n3"
    await package.clear()
