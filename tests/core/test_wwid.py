"""One disk, however its identity is written; two disks, however alike."""

import pytest

from packages.core import disks
from packages.core.disks import DiskQuestion
from packages.core.facts import DiskFacts
from packages.core.model import DiskSpec
from packages.core.wwid import bare_identity, same_identity

NAA = "naa.60014051234567890123456789abcdef"
FORMS = {
    NAA: (
        "360014051234567890123456789abcdef", "scsi-360014051234567890123456789abcdef",
        "dm-uuid-mpath-360014051234567890123456789abcdef", "0x60014051234567890123456789ABCDEF",
        "mpath-360014051234567890123456789abcdef", "wwn-0x60014051234567890123456789abcdef",
        "60014051234567890123456789abcdef", " NAA.60014051234567890123456789ABCDEF ",
        "/dev/disk/by-id/scsi-360014051234567890123456789abcdef",
        "/dev/mapper/360014051234567890123456789abcdef",
    ),
    "naa.600140512345678aa": (
        "3600140512345678aa", "scsi-3600140512345678aa", "dm-uuid-mpath-3600140512345678aa"),
    "naa.5000c500a1b2c3d4": ("35000c500a1b2c3d4", "wwn-0x5000c500a1b2c3d4", "5000C500A1B2C3D4"),
    "naa.3333333000001388": ("33333333000001388", "wwn-0x3333333000001388", "3333333000001388"),
    "eui.0025385b71b0a2d1": (
        "nvme-eui.0025385b71b0a2d1", "20025385b71b0a2d1", "EUI.0025385B71B0A2D1",
        "dm-uuid-mpath-eui.0025385b71b0a2d1", "scsi-20025385b71b0a2d1"),
    "t10.ATA     QEMU HARDDISK   QM00001": (
        "1ATA_QEMU_HARDDISK_QM00001", "scsi-1ATA_QEMU_HARDDISK_QM00001",
        "ata-QEMU_HARDDISK_QM00001", "1ATA     QEMU HARDDISK   QM00001"),
    "uuid.6d9a2c1e-5b0f-4f6e-9d53-0d3a5d1c7b41": (
        "nvme-uuid.6d9a2c1e-5b0f-4f6e-9d53-0d3a5d1c7b41", "6d9a2c1e5b0f4f6e9d530d3a5d1c7b41"),
    "serial:3512ABCD": ("3512abcd", "virtio-3512ABCD"),
}
PAIRS = [(one, other) for one, others in FORMS.items() for other in others]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_form_of_one_identity_is_the_same(one: str, other: str) -> None:
    assert same_identity(one, other) and same_identity(other, one)
    if not one.startswith("serial:"):
        assert bare_identity(one) == bare_identity(other)


def test_forms_of_different_disks_differ() -> None:
    """Also where one is the other with a digit before it, or cut by one."""
    for one, others in FORMS.items():
        for other in FORMS:
            for form in (other, *FORMS[other]):
                assert same_identity(one, form) == (one == other), (one, form)
    assert not same_identity("naa.3600140512345678aa", "naa.600140512345678aa")
    assert not same_identity("loop:1:2:/luns/a.img", "loop:1:3:/luns/a.img")


@pytest.mark.parametrize(("one", "other"), [("", ""), ("", NAA), (NAA, ""), (" ", " ")])
def test_what_has_no_identity_is_never_the_same(one: str, other: str) -> None:
    assert not same_identity(one, other)


@pytest.mark.parametrize(("here", "there"), [("", ""), (NAA, ""), ("", NAA)])
def test_luns_without_wwid_and_serial_never_count_as_one(here: str, there: str) -> None:
    def seen(identity: str) -> DiskFacts:
        return DiskFacts(path="/dev/a", kind="whole", identity=identity, size_bytes=1 << 30,
                         sector_bytes=512)
    found = disks.disk_identity_differs(DiskQuestion(
        package="web", node="n2", disk=DiskSpec(path="/dev/a"), seen=seen(here),
        at_source=seen(there)))
    assert found is not None and "neither WWID nor serial" in found.because


def test_another_packages_disk_is_known_in_every_form() -> None:
    for form in FORMS[NAA]:
        found = disks.disk_in_use(DiskQuestion(
            package="web", node="n2", disk=DiskSpec(path="/dev/a"),
            seen=DiskFacts(path="/dev/a", kind="whole", identity=NAA), claimed_disks={form: "db"}))
        assert found is not None and "a disk of package db" in found.because
