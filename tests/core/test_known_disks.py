"""What the record knows of disks: held against what is seen, learnt, forgotten."""

import pytest

from cluster.core import entries
from cluster.core.model import Figures
from packages.core import disks
from packages.core.disks import DiskQuestion
from packages.core.facts import DiskFacts
from packages.core.known_disks import KnownDisk, as_opened, difference, learnt, opened_for
from packages.core.model import DiskSpec
from packages.core.values import changed
from tests.core.test_apply import LANDING, Story, package

KNOWN = KnownDisk(path="/dev/a", identity="naa.6001", size_bytes=1 << 30, sector_bytes=512,
                  device="8:16", node="n1")
SEEN = DiskFacts(path="/dev/a", kind="whole", identity="naa.6001", size_bytes=1 << 30,
                 sector_bytes=512, device="8:32")
BLIND = changed(KNOWN, identity="")


@pytest.mark.parametrize(("known", "seen", "node"), [
    (KNOWN, SEEN, "n2"),
    (KNOWN, changed(SEEN, path="/dev/b"), "n2"),
    (KNOWN, changed(SEEN, size_bytes=2 << 30), "n2"),
    (KNOWN, changed(SEEN, identity="36001"), "n2"),
    (BLIND, changed(SEEN, identity=""), "n1"),
])
def test_the_same_lun_is_the_same_disk(known: KnownDisk, seen: DiskFacts, node: str) -> None:
    assert difference(known, seen, node) is None


@pytest.mark.parametrize(("known", "seen", "node"), [
    (KNOWN, changed(SEEN, identity="naa.6002"), "n1"),
    (KNOWN, changed(SEEN, size_bytes=1), "n1"),
    (KNOWN, changed(SEEN, sector_bytes=4096), "n1"),
    (KNOWN, changed(SEEN, identity=""), "n1"),
    (BLIND, SEEN, "n1"),
    (BLIND, changed(SEEN, identity=""), "n2"),
    (BLIND, changed(SEEN, identity="", size_bytes=2 << 30), "n1"),
])
def test_what_is_not_provably_the_same_lun_is_another(
    known: KnownDisk, seen: DiskFacts, node: str,
) -> None:
    assert difference(known, seen, node)
    found = disks.disk_is_another(DiskQuestion(
        package="web", node=node, disk=DiskSpec(path="/dev/a"), seen=seen, known=known))
    assert found is not None and found.code == "disk-is-another"
    assert "--new-disk web:/dev/a" in found.fix


def test_a_refusal_shows_what_was_recorded_and_what_was_found() -> None:
    found = disks.disk_is_another(DiskQuestion(
        package="web", node="n2", disk=DiskSpec(path="/dev/a"), known=KNOWN,
        seen=changed(SEEN, identity="naa.6002")))
    assert found is not None
    assert "naa.6001" in found.because and "naa.6002" in found.because
    assert f"{1 << 30} bytes" in found.because and "n1" in found.because


def test_another_lun_is_never_learnt_over_a_known_one() -> None:
    other = changed(KNOWN, identity="naa.6002")
    assert learnt((KNOWN,), (other,)) == (KNOWN,)
    grown = changed(KNOWN, size_bytes=2 << 30, node="n2", device="8:48")
    assert learnt((KNOWN,), (grown,)) == (grown,)
    assert learnt((grown,), (KNOWN,)) == (grown,)
    assert learnt((), (KNOWN,)) == (KNOWN,)


A, B, C = (DiskFacts(path=f"/dev/loop{n}", kind="whole", identity=f"loop:{n}", device=f"7:{n}")
           for n in (1, 2, 3))


def named(path: str, lun: DiskFacts) -> DiskFacts:
    return changed(lun, path=path)


def test_what_a_guest_has_open_is_found_by_device_by_record_and_by_being_left_over() -> None:
    known = {"/a": changed(KNOWN, path="/a", identity=A.identity)}
    straight = opened_for([named("/a", A), named("/b", B)], [A, B], {})
    assert {path: each.device for path, each in straight.items()} == {"/a": "7:1", "/b": "7:2"}
    moved_on = opened_for([named("/a", C), named("/b", B)], [A, B], known)
    assert (moved_on["/a"].identity, moved_on["/a"].path) == (A.identity, "/a")
    unknown = opened_for([named("/a", C), named("/b", B)], [A, B], {})
    assert unknown["/a"].identity == A.identity
    assert opened_for([named("/a", C), named("/b", C)], [A, B], {}) == {}


def test_what_is_open_counts_and_not_what_the_path_means_by_now() -> None:
    told = as_opened(changed(SEEN, opened_by=(7,), unfenced=""), changed(SEEN, identity="naa.9",
                                                                         device="8:99"))
    assert (told.identity, told.opened_by, told.unfenced) == ("naa.9", (), "")
    assert as_opened(SEEN, SEEN) is SEEN


# the record

def started(story: Story, *seen: KnownDisk) -> Story:
    assert story.say(entries.PackageApplied, spec=package()) is None
    assert story.say(entries.PackageAssigned, package="p1", node="n1", boot_id="b1") is None
    assert story.say(entries.GuestStarted, package="p1", epoch=1, node="n1", disks=seen) is None
    return story


def halted(story: Story) -> Story:
    story.say(entries.PackageHalted, package="p1")
    story.say(entries.GuestReleased, package="p1", epoch=1, node="n1")
    assert story.state.packages["p1"].state == "halted"
    return story


PATH = package().vm.disks[0].path
MINE = changed(KNOWN, path=PATH)


def known_of(story: Story) -> tuple[KnownDisk, ...]:
    return story.state.packages["p1"].disks


def test_a_disk_is_learnt_at_its_first_start_and_told() -> None:
    story = started(Story(), MINE)
    assert known_of(story) == (MINE,)
    told = [each.what for each in story.state.events.values()]
    assert f"disk {PATH} is known" in told


def test_a_disk_stays_known_through_every_apply_that_does_not_say_otherwise() -> None:
    story = halted(started(Story(), MINE))
    disk = package().vm.disks[0]
    for spec in (package(), package(description="web"),
                 package(vm=changed(package().vm, disks=(changed(disk, wwid="naa.6001"),)))):
        assert story.say(entries.PackageApplied, spec=spec) is None
        assert known_of(story) == (MINE,)


def test_a_disk_is_forgotten_by_an_apply_that_says_so() -> None:
    disk = package().vm.disks[0]
    story = halted(started(Story(), MINE))
    assert story.say(entries.PackageApplied, spec=package(), new_disks=(PATH,)) is None
    assert known_of(story) == ()
    told = [each.what for each in story.state.events.values()]
    assert f"disk {PATH} is learnt anew at the next start" in told
    for other in (changed(disk, path="/dev/elsewhere"),):
        story = halted(started(Story(), MINE))
        spec = package(vm=changed(package().vm, disks=(other,)))
        assert story.say(entries.PackageApplied, spec=spec) is None
        assert known_of(story) == ()
    story = halted(started(Story(), MINE))
    for wwid in ("naa.6001", "naa.6002"):
        spec = package(vm=changed(package().vm, disks=(changed(disk, wwid=wwid),)))
        assert story.say(entries.PackageApplied, spec=spec) is None
        assert known_of(story) == ((MINE,) if wwid == "naa.6001" else ())


def test_a_running_package_gets_no_other_disk() -> None:
    story = started(Story(), MINE)
    assert story.say(entries.PackageApplied, spec=package(), new_disks=(PATH,)) is not None
    assert known_of(story) == (MINE,)


def test_a_target_says_what_it_has_open() -> None:
    story = started(Story())
    assert story.say(entries.MoveOpened, move="m1", package="p1", target="n2") is None
    assert story.say(entries.MoveLanded, move="m1", package="p1", landing=LANDING) is None
    assert story.say(entries.MoveCommitted, move="m1", package="p1", figures=Figures()) is None
    assert story.say(entries.MoveThawed, move="m1", package="p1", resumed_at_ms=9.0,
                     monitored_at_ms=9.0, disks=(changed(MINE, node="n2"),)) is None
    assert known_of(story) == (changed(MINE, node="n2"),)
