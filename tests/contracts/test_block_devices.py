"""Kinds of devices this machine may not have, read from a tree made like sysfs."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from packages.storage.block_devices import BlockDevices

pytestmark = pytest.mark.live

MakeDevice = Callable[[dict[str, str]], str]

# Numbers of no real device: block major 240 to 254 are free for local use.
DEVICE = os.makedev(240, 7)


@pytest.fixture
def make_device(tmp_path: Path) -> MakeDevice:
    """A device node, and the sysfs folder that goes with it."""

    def make(attributes: dict[str, str]) -> str:
        home = tmp_path / "sys" / "devices" / "made0"
        for name, content in {
            "size": "2048", "ro": "0", "queue/logical_block_size": "512", **attributes,
        }.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(f"{content}\n")
        links = tmp_path / "sys" / "dev" / "block"
        links.mkdir(parents=True)
        (links / "240:7").symlink_to(home)
        node = tmp_path / "made0"
        os.mknod(node, stat.S_IFBLK | 0o600, DEVICE)
        return str(node)

    return make


@pytest.mark.parametrize(("attributes", "kind", "identity"), [
    ({"device/wwid": "naa.6001405abc"}, "whole", "naa.6001405abc"),
    ({"device/wwid": "t10.ATA     DISK   123 "}, "whole", "t10.ATA DISK 123"),
    ({"wwid": "eui.0025385b"}, "whole", "eui.0025385b"),
    ({"serial": "lun-7"}, "whole", "serial:lun-7"),
    ({}, "whole", ""),
    ({"partition": "2", "../device/wwid": "naa.6"}, "partition", "naa.6-part2"),
    ({"dm/uuid": "LVM-abcdef"}, "logical-volume", "LVM-abcdef"),
    ({"dm/uuid": "mpath-36001405abc"}, "whole", "naa.6001405abc"),
    ({"dm/uuid": "part1-mpath-36001405abc"}, "partition", "part1-mpath-36001405abc"),
    ({"dm/uuid": "CRYPT-LUKS2-x"}, "other", "CRYPT-LUKS2-x"),
    ({"dm/uuid": ""}, "other", "dm:made0"),
    ({"md/level": "raid1"}, "other", "md:made0"),
    ({"size": "0", "serial": "x"}, "missing", ""),
], ids=str)
def test_kind_and_identity(
    tmp_path: Path, make_device: MakeDevice, attributes: dict[str, str], kind: str, identity: str,
) -> None:
    seen = BlockDevices(sysfs=tmp_path / "sys").look(make_device(attributes))
    assert (seen.kind, seen.identity) == (kind, identity)


def test_holders_are_named(tmp_path: Path, make_device: MakeDevice) -> None:
    node = make_device({"serial": "x", "holders/dm-3": "", "made0p1/partition": "1",
                        "made0p1/dev": "240:8", "made0p1/holders/md0": ""})
    assert BlockDevices(sysfs=tmp_path / "sys").look(node).held_by == ("dm-3", "made0p1")


def test_a_node_without_a_device_is_missing(tmp_path: Path) -> None:
    node = tmp_path / "stale"
    os.mknod(node, stat.S_IFBLK | 0o600, DEVICE)
    assert BlockDevices(sysfs=tmp_path).look(str(node)).kind == "missing"


async def test_a_device_that_hangs_costs_one_thread(tmp_path: Path) -> None:
    """Opening a FIFO for reading hangs as a dead LUN does, until somebody writes."""
    fifo = tmp_path / "sys" / "dev" / "block" / "240:7" / "size"
    fifo.parent.mkdir(parents=True)
    os.mkfifo(fifo)
    node = tmp_path / "dead"
    os.mknod(node, stat.S_IFBLK | 0o600, DEVICE)
    probe = BlockDevices(sysfs=tmp_path / "sys")
    for _ in range(3):
        seen = await probe.examine(str(node), deadline_s=0.05)
        assert (seen.kind, seen.identity) == ("other", "")
    looking = [each for each in threading.enumerate() if each.name == f"look at {node}"]
    assert len(looking) == 1
    os.close(os.open(fifo, os.O_WRONLY))
    looking[0].join(timeout=30)
    assert not looking[0].is_alive()


async def test_a_path_no_kernel_takes_has_no_answer() -> None:
    assert (await BlockDevices().examine("/dev/\0")).kind == "other"
