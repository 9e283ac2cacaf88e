"""Each rule about a disk: what it refuses, and what it lets pass."""

import pytest

from packages.core import disks
from packages.core.disks import DiskQuestion, DiskRule
from packages.core.facts import DiskFacts
from packages.core.model import DiskBus, DiskSpec, FenceSpec
from packages.core.values import changed

GOOD = DiskFacts(
    path="/dev/a", kind="whole", identity="naa.6001", size_bytes=1 << 30, sector_bytes=512,
)
ASKED = DiskQuestion(
    package="web", node="n2", disk=DiskSpec(path="/dev/a"), seen=GOOD,
    at_source=changed(GOOD, opened_by=(7,)),
)


def seen(**fields: object) -> DiskQuestion:
    return changed(ASKED, seen=changed(GOOD, **fields))


def declared(wwid: str) -> DiskQuestion:
    return changed(ASKED, disk=DiskSpec(path="/dev/a", wwid=wwid))


CASES: list[tuple[DiskRule, str, list[DiskQuestion], list[DiskQuestion]]] = [
    (
        disks.disk_not_visible, "disk-not-visible",
        [seen(kind="missing"), seen(kind="other", identity="")],
        [seen(kind="file"), seen(kind="other", identity="md:md0")],
    ),
    (
        disks.disk_not_whole, "disk-not-whole",
        [seen(kind="partition"), seen(kind="directory"), seen(kind="other", identity="md:md0")],
        [seen(kind="missing"), seen(kind="other", identity=""), seen(kind="file")],
    ),
    (
        disks.disk_is_logical_volume, "disk-is-logical-volume",
        [seen(kind="logical-volume")], [seen(kind="partition")],
    ),
    (disks.disk_is_file, "disk-is-file", [seen(kind="file")], [seen(kind="directory")]),
    (
        disks.disk_read_only, "disk-read-only",
        [seen(read_only=True)], [seen(kind="file", read_only=True)],
    ),
    (
        disks.disk_identity_differs, "disk-identity-differs",
        [
            seen(identity="naa.6002"), seen(identity=""), seen(size_bytes=1),
            seen(sector_bytes=4096),
            changed(ASKED, at_source=changed(GOOD, identity="")), declared("naa.6002"),
        ],
        [
            changed(ASKED, at_source=None), declared("0x6001"), declared("NAA.6001"),
            changed(seen(identity=""), at_source=None), seen(kind="missing", identity=""),
            changed(ASKED, at_source=DiskFacts(path="/dev/a", kind="missing")),
        ],
    ),
    (
        disks.disk_in_use, "disk-in-use",
        [
            seen(mounted_at=("/mnt",)), seen(held_by=("dm-0",)), seen(opened_by=(9,)),
            changed(seen(opened_by=(8, 9)), own_pid=8),
            changed(ASKED, claimed_disks={"/dev/a": "db"}),
            changed(ASKED, claimed_disks={"naa.6001": "db"}),
        ],
        [
            changed(seen(opened_by=(8,)), own_pid=8),
            changed(ASKED, claimed_disks={"/dev/a": "web", "naa.6001": "web", "/dev/b": "db"}),
            changed(seen(identity=""), claimed_disks={"": "db"}),
        ],
    ),
]


@pytest.mark.parametrize(("rule", "code", "bad", "good"), CASES, ids=[case[1] for case in CASES])
def test_each_rule_refuses_and_lets_pass(
    rule: DiskRule, code: str, bad: list[DiskQuestion], good: list[DiskQuestion],
) -> None:
    for asked in bad:
        found = rule(asked)
        assert found is not None and found.code == code
        assert found.subject == "package:web"
        assert "/dev/a" in found.what and "n2" in found.what
    for asked in [ASKED, *good]:
        assert rule(asked) is None


@pytest.mark.parametrize(("bus", "movable"), [
    ("virtio-blk", True), ("virtio-scsi", True), ("ide", False), ("sata", False),
    ("scsi", False), ("floppy", False),
])
def test_only_paravirtual_disks_move(bus: DiskBus, movable: bool) -> None:
    found = disks.disk_not_paravirtual("web", DiskSpec(path="/dev/a", bus=bus))
    assert (found is None) == movable


def test_a_disk_that_cannot_be_fenced_as_asked_is_refused_with_its_reason() -> None:
    asked = changed(ASKED, fence=FenceSpec(kind="scsi_reservation"))
    for unfenced, because in ((None, "n2 did not say"), ("no such command", "no such command")):
        found = disks.storage_fence_unavailable(
            changed(asked, seen=changed(GOOD, unfenced=unfenced)))
        assert found is not None and found.code == "storage-fence-unavailable"
        assert because in found.because
    assert disks.storage_fence_unavailable(changed(asked, seen=changed(GOOD, unfenced=""))) is None
    assert disks.storage_fence_unavailable(ASKED) is None


def test_every_user_of_a_disk_is_named() -> None:
    found = disks.disk_in_use(changed(
        seen(mounted_at=("/mnt",), held_by=("dm-0",), opened_by=(9,)),
        claimed_disks={"/dev/a": "db", "naa.6001": "db"},
    ))
    assert found is not None
    assert found.because == (
        "it is mounted at /mnt, held by dm-0, opened by process 9, a disk of package db"
    )


def test_every_difference_is_named() -> None:
    found = disks.disk_identity_differs(seen(identity="naa.6002", size_bytes=5))
    assert found is not None
    assert "naa.6002 here" in found.because
    assert "size in bytes is 5 here and 1073741824 on the source" in found.because


def test_two_devices_that_nothing_tells_apart_are_not_one_disk() -> None:
    """Same size, same sectors, no WWID, no serial, on either side: that is no identity."""
    blank = changed(GOOD, identity="")
    found = disks.disk_identity_differs(changed(seen(identity=""), at_source=blank))
    assert found is not None and found.code == "disk-identity-differs"
    assert "neither WWID nor serial" in found.because
