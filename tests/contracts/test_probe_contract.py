"""What every Probe promises, asked of the fake and of this host's real block devices alike."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from packages.core.facts import DiskFacts
from packages.core.values import changed
from packages.storage.block_devices import BlockDevices
from packages.storage.fake import FakeProbe
from packages.storage.probe import Probe
from tests.partitions import add_partition, delete_partition

MIB = 1024 * 1024
SIZE_BYTES = 16 * MIB


class Rig(Protocol):
    """Makes things for a probe to look at; each returns a path."""

    probe: Probe

    def whole(self) -> str: ...
    def alias_of(self, path: str) -> str: ...
    def partition_of(self, path: str) -> str: ...
    def file(self) -> str: ...
    def directory(self) -> str: ...
    def missing(self) -> str: ...
    def mount(self, path: str) -> str: ...
    def open(self, path: str) -> int: ...


class FakeRig:
    def __init__(self) -> None:
        self.probe = self._fake = FakeProbe()
        self._disks: dict[str, DiskFacts] = {}

    def whole(self) -> str:
        path = f"/dev/fake{len(self._disks)}"
        return self._place(DiskFacts(
            path=path, kind="whole", identity=f"loop:1:{len(self._disks)}:/luns/{path[5:]}",
            size_bytes=SIZE_BYTES, sector_bytes=512, device=f"7:{len(self._disks)}",
        ))

    def alias_of(self, path: str) -> str:
        return self._place(changed(self._disks[path], path=f"{path}-alias"))

    def partition_of(self, path: str) -> str:
        whole = self._disks[path]
        return self._place(changed(
            whole, path=f"{path}p1", kind="partition", identity=f"{whole.identity}-part1",
            size_bytes=4 * MIB,
        ))

    def file(self) -> str:
        return self._place(DiskFacts(
            path="/srv/file", kind="file", identity="file:1:2", size_bytes=SIZE_BYTES,
        ))

    def directory(self) -> str:
        return self._place(DiskFacts(path="/srv", kind="directory", identity="directory:1:1"))

    def missing(self) -> str:
        return "/dev/absent"

    def mount(self, path: str) -> str:
        self._place(changed(self._disks[path], mounted_at=("/mnt",)))
        whole = path.removesuffix("p1")
        if whole != path:
            self._place(changed(self._disks[whole], held_by=(path[5:],)))
        return "/mnt"

    def open(self, path: str) -> int:
        self._place(changed(self._disks[path], opened_by=(4711,)))
        self._fake.open(4711, self._disks[path])
        return 4711

    def _place(self, facts: DiskFacts) -> str:
        self._disks[facts.path] = facts
        self._fake.place(facts)
        return facts.path


class HostRig:
    """Loop devices on files of a temporary folder; everything is undone when the stack closes."""

    def __init__(self, folder: Path, undo: contextlib.ExitStack) -> None:
        self.probe = BlockDevices()
        self._folder = folder
        self._undo = undo

    def whole(self) -> str:
        backing = self.file()
        device = run("losetup", "--find", "--show", backing)
        self._undo.callback(run, "losetup", "--detach", device)
        return device

    def alias_of(self, path: str) -> str:
        alias = self._folder / "by-id"
        alias.symlink_to(path)
        return str(alias)

    def partition_of(self, path: str) -> str:
        partition = add_partition(path, start=2048, sectors=4 * MIB // 512)
        self._undo.callback(delete_partition, path)
        return partition

    def file(self) -> str:
        path = self._folder / f"lun{len(list(self._folder.iterdir()))}.img"
        path.touch()
        os.truncate(path, SIZE_BYTES)
        return str(path)

    def directory(self) -> str:
        return str(self._folder)

    def missing(self) -> str:
        return str(self._folder / "absent")

    def mount(self, path: str) -> str:
        where = self._folder / "mounted here"
        where.mkdir()
        run("mkfs.ext4", "-q", path)
        run("mount", path, str(where))
        self._undo.callback(run, "umount", str(where))
        return str(where)

    def open(self, path: str) -> int:
        with open(path, "rb") as device:
            holder = subprocess.Popen(["sleep", "600"], stdin=device)
        self._undo.callback(holder.wait)
        self._undo.callback(holder.kill)
        return holder.pid


def run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture(params=["fake", pytest.param("host", marks=pytest.mark.live)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with contextlib.ExitStack() as undo:
        yield FakeRig() if request.param == "fake" else HostRig(tmp_path, undo)


async def test_a_whole_device_has_size_sectors_and_an_identity(rig: Rig) -> None:
    seen = await rig.probe.examine(rig.whole())
    assert (seen.kind, seen.size_bytes, seen.sector_bytes) == ("whole", SIZE_BYTES, 512)
    assert seen.identity.startswith("loop:")
    assert not seen.read_only
    assert (seen.mounted_at, seen.held_by, seen.opened_by) == ((), (), ())


async def test_one_device_under_two_names_has_one_identity(rig: Rig) -> None:
    path = rig.whole()
    first = await rig.probe.examine(path)
    second = await rig.probe.examine(rig.alias_of(path))
    assert first.identity == second.identity
    assert first.path != second.path


async def test_two_devices_have_two_identities(rig: Rig) -> None:
    first, second = rig.whole(), rig.whole()
    seen = [await rig.probe.examine(path) for path in (first, second)]
    assert seen[0].identity != seen[1].identity


async def test_a_partition_is_not_whole(rig: Rig) -> None:
    path = rig.whole()
    seen = await rig.probe.examine(rig.partition_of(path))
    whole = await rig.probe.examine(path)
    assert (seen.kind, seen.size_bytes, seen.sector_bytes) == ("partition", 4 * MIB, 512)
    assert seen.identity == f"{whole.identity}-part1"
    assert whole.held_by == ()


async def test_a_file_is_a_file(rig: Rig) -> None:
    seen = await rig.probe.examine(rig.file())
    assert (seen.kind, seen.size_bytes) == ("file", SIZE_BYTES)


async def test_a_directory_is_a_directory(rig: Rig) -> None:
    assert (await rig.probe.examine(rig.directory())).kind == "directory"


async def test_a_missing_path_is_missing(rig: Rig) -> None:
    path = rig.missing()
    assert await rig.probe.examine(path) == DiskFacts(path=path, kind="missing")


async def test_a_mounted_device_says_where(rig: Rig) -> None:
    path = rig.whole()
    where = rig.mount(path)
    assert (await rig.probe.examine(path)).mounted_at == (where,)


async def test_a_mounted_partition_holds_the_whole_device(rig: Rig) -> None:
    path = rig.whole()
    partition = rig.partition_of(path)
    rig.mount(partition)
    seen = await rig.probe.examine(path)
    assert seen.mounted_at == ()
    assert seen.held_by == (Path(partition).name,)


async def test_an_open_device_says_by_whom(rig: Rig) -> None:
    path = rig.whole()
    pid = rig.open(path)
    assert (await rig.probe.examine(path)).opened_by == (pid,)


async def test_what_a_process_has_open_is_told_whatever_its_path_means(rig: Rig) -> None:
    path, other = rig.whole(), rig.whole()
    opened = await rig.probe.opened(rig.open(path), [path, other, rig.missing()])
    assert opened is not None
    first, second, missing = opened.named
    assert [each.identity for each in opened.devices] == [first.identity]
    assert opened.devices[0].device == first.device != second.device
    assert (first.path, missing.kind) == (path, "missing")
    assert first.device == (await rig.probe.examine(path)).device


async def test_a_process_that_is_not_there_has_told_nothing(rig: Rig) -> None:
    assert await rig.probe.opened(1 << 22, [rig.whole()]) is None


async def test_no_answer_in_time_is_no_answer(rig: Rig) -> None:
    path = rig.whole()
    late = await rig.probe.examine(path, deadline_s=0.0)
    assert late == DiskFacts(path=path, kind="other")
    assert (await rig.probe.examine(path)).kind == "whole"
