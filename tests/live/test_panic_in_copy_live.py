"""A guest that panics while it is copied has failed, and is not carried on with elsewhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api.messages import DeletePackage, HaltPackage
from tests.live.live_cluster import live_cluster, one, token
from tests.live.test_disk_identity_live import run

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio]

TICKS_A_S = 18.2
PANICS_AFTER_S = 6.0
"""Of the guest's own clock; time enough for its move to be in its copy."""

BOOT_SECTOR = b"".join((
    bytes.fromhex("31C08ED88ED0BC007CFB"),  # a stack, interrupts on
    bytes.fromhex("B400CD1A89D3"),  # the BIOS's ticks now
    bytes.fromhex("F4B400CD1A29DA81FA"), int(PANICS_AFTER_S * TICKS_A_S).to_bytes(2, "little"),
    bytes.fromhex("72F3"),  # so many later
    bytes.fromhex("BA0505B001EE"),  # pvpanic's port: panicked
    bytes.fromhex("F4EBFD"),
)).ljust(510, b"\0") + b"\x55\xaa"

PACKAGE = """\
name: mv
nodes: [n1, n2, n3]
halt_timeout_s: 1
service_restart: 1000
migration_bandwidth_mib_s: 1
vm:
  memory_mib: 3072
  accel: tcg
  disks:
    - {{path: {disk}, locking: "off"}}
monitors:
  - {{name: process, kind: qemu, interval_s: 1, grace_s: 1}}
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "panics.img"
    file.write_bytes(BOOT_SECTOR)
    os.truncate(file, 16 << 20)
    device = run("losetup", "--find", "--show", str(file))
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


async def test_a_guest_that_panics_in_its_copy_is_restarted_where_it_was(
    tmp_path: Path, disk: str,
) -> None:
    async with live_cluster(tmp_path / "lab", memory_mib=32) as cluster:
        await cluster.apply(PACKAGE.format(disk=disk))
        before = one(await cluster.until(
            lambda status: one(status, "mv")["state"] == "running"), "mv")
        source = before["node"]
        target = next(each for each in cluster.names if each != source)
        move = await cluster.moved(target, package="mv")
        assert move["result"] == "failed", move
        assert move["problem"]["code"] == "guest-panicked", move["problem"]
        after = one(await cluster.until(
            lambda status: one(status, "mv")["state"] == "running"
            and one(status, "mv")["boot_id"] != before["boot_id"]), "mv")
        assert after["node"] == source
        assert [each.node for each in cluster.copies("mv")] == [source]
        await cluster.done(HaltPackage(request=token(), package="mv"))
        await cluster.done(DeletePackage(request=token(), package="mv"))
        await cluster.one_copy()
