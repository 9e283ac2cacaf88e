"""One LUN is one package's: the rule is the record's, whoever asks and however it is named."""

import pytest

from cluster.core import entries
from cluster.core.claims import given_twice
from cluster.core.codec import decode_state, encode_state
from cluster.core.invariants import broken
from packages.core.model import DiskSpec, PackageSpec, VmSpec
from tests.core.test_apply import Story, package


def with_disk(name: str, path: str, wwid: str | None = None) -> PackageSpec:
    return package(name=name, vm=VmSpec(memory_mib=64, disks=(DiskSpec(path=path, wwid=wwid),)))


WWN = "/dev/disk/by-id/wwn-0x600a0b80002a384a"
SAME = [
    (with_disk("a", "/dev/sdb"), with_disk("b", "/dev/sdb")),
    (with_disk("a", "/dev/sdb"), with_disk("b", "/dev//./sdb")),
    (with_disk("a", "/dev/sdb", "naa.600a0b80002a384a"), with_disk("b", WWN)),
    (with_disk("a", WWN), with_disk("b", "/dev/disk/by-id/scsi-3600a0b80002a384a")),
    (with_disk("a", "iscsi://san/t/1"), with_disk("b", "iscsi://san/t/1")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_packages_never_get_one_lun(one: PackageSpec, other: PackageSpec) -> None:
    story = Story()
    assert story.say(entries.PackageApplied, spec=one) is None
    assert story.say(entries.PackageApplied, spec=other) == "disk-claimed"
    assert "b" not in story.state.packages
    kept = decode_state(encode_state(story.state))
    story.machine.state = kept
    assert story.say(entries.PackageApplied, spec=other) == "disk-claimed", "also after a snapshot"
    assert broken(story.state) == []


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_packages_of_one_file_neither(one: PackageSpec, other: PackageSpec) -> None:
    found = given_twice([one, other], Story().state.claims)
    assert [each.code for each in found] == ["disk-claimed"]
    assert given_twice([one], Story().state.claims) == []


def test_one_name_in_two_files_is_refused() -> None:
    again = with_disk("a", "/dev/sdc")
    found = given_twice([with_disk("a", "/dev/sdb"), again], Story().state.claims)
    assert [each.code for each in found] == ["config-duplicate"]


def test_a_disk_that_is_given_up_may_be_anothers() -> None:
    story = Story()
    assert story.say(entries.PackageApplied, spec=with_disk("a", "/dev/sdb")) is None
    assert story.say(entries.PackageApplied, spec=with_disk("a", "/dev/sdb")) is None, "its own"
    assert story.say(entries.PackageApplied, spec=with_disk("a", "/dev/sdc")) is None
    assert story.say(entries.PackageApplied, spec=with_disk("b", "/dev/sdb")) is None
    assert story.say(entries.PackageApplied, spec=with_disk("a", "/dev/sdb")) == "disk-claimed"
    assert story.say(entries.PackageDeleted, package="b") is None
    assert story.say(entries.PackageApplied, spec=with_disk("a", "/dev/sdb")) is None
    assert set(story.state.claims.values()) == {"a"} and broken(story.state) == []
