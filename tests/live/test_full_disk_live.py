"""A disk that is full or read-only: its node says so, the others go on, and it comes back alone."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.api.messages import ApplyCluster, GetConfig
from tests.live.hosts import Hosts, hosts
from tests.live.live_cluster import live_cluster, token, until_gone

pytestmark = [pytest.mark.live, pytest.mark.acceptance]

ROOM = "16m"
LONG, TIMES = 100_000, 24
"""Of a cluster file, in characters, and how often another is applied: more than what a journal has
taken ahead of need. A file has at most 128 KiB."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            return ballast  # full
    raise AssertionError("a disk without an end")


def is_out(status: Any) -> bool:
    found = [each["code"] for each in status["problems"]]
    return "journal-not-writable" in found and not status["cluster"]["quorum"]


async def use_up(farm: Hosts, name: str) -> None:
    """Agree on so much that the journal outgrows the room it has taken ahead of need."""
    plain = farm.file.read_text()
    for number in range(TIMES):
        farm.file.write_text(f"{plain}# {number} {'x' * LONG}\n")
        await farm.done("cluster", "apply", str(farm.file))
    await farm.status_until(is_out, on=name)


async def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        with small_disk(tmp_path / "disk") as disk:
            farm.libs["n3"] = disk
            await farm.found()
            farm.start(*farm.names)
            await farm.until_up(*farm.names)
            ballast, daemon = fill(disk), farm.daemons["n3"]
            # The journal has some room of its own: it is used up, then nothing is promised.
            await use_up(farm, "n3")
            await farm.status_until(lambda status: state_of(status, "n3") == "failed")
            ballast.unlink()
            await farm.until_up(*farm.names)
            await farm.status_until(lambda status: not status["problems"], on="n3")
            assert daemon.poll() is None  # the very same process
            farm.close()


async def test_a_read_only_disk_is_waited_out(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        with small_disk(tmp_path / "disk") as disk:
            farm.libs["n2"] = disk
            await farm.found()
            farm.start(*farm.names)
            await farm.until_up(*farm.names)
            await farm.end("n2")
            remount(disk, "ro")
            farm.start("n2")
            await farm.status_until(is_out, on="n2")
            remount(disk, "rw")
            await farm.until_up(*farm.names, on="n2")
            farm.close()


async def test_guests_of_a_node_with_a_full_disk_run_once(tmp_path: Path) -> None:
    """Under what is left of the lease there, then elsewhere; never on both."""
    async with live_cluster(tmp_path / "lab", nodes=3, packages=1) as cluster:
        name = (await cluster.until_running())["node"]
        lib = Path(cluster.node(name).folder, "lib")
        cluster.kill_daemon(name)
        await until_gone(cluster.daemon(name))
        lib.rename(lib.with_name("lib.before"))
        with small_disk(lib):
            shutil.copytree(lib.with_name("lib.before"), lib, dirs_exist_ok=True)
            await cluster.start_daemon(name)
            await cluster.one_copy()
            ballast = fill(lib)
            other = next(each for each in cluster.names if each != name)
            text = (await cluster.done(GetConfig(), node=other))["text"]
            for number in range(TIMES):
                await cluster.done(ApplyCluster(
                    request=token(), text=f"{text}# {number} {'x' * LONG}\n"), node=other)
            cluster.away.add(name)
            await cluster.until(lambda status: state_of(status, name) == "failed")
            moved = await cluster.one_copy()
            assert moved["node"] != name
            ballast.unlink()
            cluster.away.discard(name)
            await cluster.until(lambda status: state_of(status, name) == "running")
            await cluster.one_copy()
            cluster.kill_daemon(name)
            await until_gone(cluster.daemon(name))


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


def state_of(status: Any, name: str) -> str:
    return next(str(each["state"]) for each in status["nodes"] if each["name"] == name)


def short_of_room(status: Any) -> list[str]:
    return [each["subject"] for each in status["problems"] if each["code"] == "room-short"]


async def test_full_disks_are_told_by_the_healthy_node_before_and_after(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        with small_disk(tmp_path / "two") as two, small_disk(tmp_path / "three") as three:
            farm.libs |= {"n2": two, "n3": three}
            await farm.found()
            farm.start(*farm.names)
            await farm.until_up(*farm.names)
            ballast = [fill(two), fill(three)]
            both = ["node:n2", "node:n3"]
            shown = await farm.status_until(lambda status: short_of_room(status) == both)
            assert shown["cluster"]["quorum"]  # a warning: nothing is lost yet
            plain = farm.file.read_text()
            for number in range(2 * TIMES):
                farm.file.write_text(f"{plain}# {number} {'x' * LONG}\n")
                said = await farm.vmsg("cluster", "apply", str(farm.file), "--timeout", "3s")
                if said.code != 0:
                    break
            shown = await farm.status_until(lambda status: not status["cluster"]["quorum"])
            assert shown["problems"][0]["code"] == "no-quorum" and short_of_room(shown) == both
            told = [each["because"] for each in shown["problems"] if each["code"] == "room-short"]
            assert all(f"{disk} (state folder) has 0.0 of 16.0 MiB" in said
                       for disk, said in zip((two, three), told, strict=True)), told
            for each in ballast:
                each.unlink()
            await farm.until_up(*farm.names)
            await farm.status_until(lambda status: not status["problems"])
            farm.close()
