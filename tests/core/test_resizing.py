"""A LUN that was grown under a running guest: when it may be told, and what is recorded."""

from cluster.answers.resizing import against, grown_disks
from cluster.core import entries
from packages.core.facts import DiskFacts
from packages.core.known_disks import KnownDisk, by_path
from packages.core.values import changed
from tests.core.test_apply import Story, package

WAS = KnownDisk(path="/dev/a", identity="wwn-1", size_bytes=1 << 30, sector_bytes=512, node="n1")


def seen(size_bytes: int) -> dict[str, DiskFacts]:
    return {"/dev/a": DiskFacts(path="/dev/a", kind="whole", identity="wwn-1",
                                size_bytes=size_bytes, sector_bytes=512)}


def story() -> Story:
    made = Story()
    assert made.say(entries.PackageApplied, spec=package()) is None
    assert made.say(entries.PackageAssigned, package="p1", node="n1", boot_id="b1") is None
    assert made.say(entries.GuestStarted, package="p1", epoch=1, node="n1",
                    machine="pc-q35-7.2", disks=(WAS,)) is None
    return made


def test_what_has_grown_is_what_the_owners_guest_has_open() -> None:
    record = story().state.packages["p1"]
    (grown,) = grown_disks(record, seen(2 << 30), "n1")
    assert (grown.path, grown.size_bytes, grown.node) == ("/dev/a", 2 << 30, "n1")
    assert grown_disks(record, seen(1 << 30), "n1") == ()
    assert grown_disks(record, seen(1 << 20), "n1") == (), "smaller is not grown"


def test_no_guest_is_told_that_could_start_on_a_smaller_disk() -> None:
    record = story().state.packages["p1"]
    grown = grown_disks(record, seen(2 << 30), "n1")
    assert against(record, grown, {"n1": seen(2 << 30), "n2": seen(2 << 30)}) == []
    (refused,) = against(record, grown, {"n1": seen(2 << 30), "n2": seen(1 << 30)})
    assert (refused.code, "n2" in refused.what) == ("disk-not-grown", True)


def test_it_is_recorded_and_told_in_the_history() -> None:
    told = story()
    grown = changed(WAS, size_bytes=2 << 30)
    assert told.say(entries.DisksGrown, package="p1", node="n1", epoch=1, disks=(grown,)) is None
    assert by_path(told.state.packages["p1"].disks)["/dev/a"].size_bytes == 2 << 30
    assert told.state.events[told.state.next_event - 1].what == "disk /dev/a has grown"


def test_nothing_is_recorded_of_another_life_or_another_disk() -> None:
    told = story()
    grown = changed(WAS, size_bytes=2 << 30)
    assert told.say(entries.DisksGrown, package="p1", node="n2", epoch=1, disks=(grown,)) == (
        "stale-order")
    assert told.say(entries.DisksGrown, package="p1", node="n1", epoch=7, disks=(grown,)) == (
        "stale-order")
    other = changed(grown, identity="wwn-2")
    assert told.say(entries.DisksGrown, package="p1", node="n1", epoch=1, disks=(other,)) is None
    assert told.state.packages["p1"].disks == (WAS,)
