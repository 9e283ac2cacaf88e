"""The record beside what is seen: a difference is its own state, and nothing starts beside it."""

from cluster.core import beside, entries, view
from cluster.core.codec import decode_state, encode_state
from cluster.core.coordinator import decide
from packages.core.sightings import Sighting, Stranger, by_hand, lasting
from packages.vm.qemu.command_line import guest_uuid, identity
from tests.core.test_apply import Story, package

HAND = Sighting(package="p1", kind="by-hand", pid=99, because="it has /dev/disk/by-id/x open")
GONE = Sighting(package="p1", kind="nowhere", because="its process is not there")


def see(story: Story, node: str, *sightings: Sighting, incarnation: str = "i1") -> str | None:
    return story.say(entries.SightingsChanged, node=node, incarnation=incarnation,
                     sightings=sightings)


def shown(story: Story) -> tuple[dict, list[str]]:
    status = view.status(story.state, beside.Surroundings(
        now_ms=story.now_ms, leader="n1", quorum=True, term=1, addresses={}))
    return status["packages"][0], [each["code"] for each in status["problems"]]


def starts(story: Story) -> list[entries.Entry]:
    return [each for each in decide(story.state, story.knowledge(), lambda: next(story.ids))
            if isinstance(each, entries.PackageAssigned)]


def test_a_guest_seen_twice_is_not_up():
    story = Story().running()
    assert see(story, "n2", HAND) is None
    found, codes = shown(story)
    assert (found["status"], found["state"], codes) == ("twice", "twice", ["guest-twice"])
    assert found["seen"] == [{
        "node": "n2", "package": "p1", "kind": "by-hand", "pid": 99, "because": HAND.because,
        "stuck": False, "unasked": False}]
    assert see(story, "n2") is None
    assert (shown(story)[0]["status"], shown(story)[1]) == ("up", [])


def test_nothing_is_started_beside_a_guest_that_was_started_by_hand():
    story = Story()
    assert story.say(entries.PackageApplied, spec=package()) is None
    assert see(story, "n3", HAND) is None
    assert shown(story)[0]["status"] == "misplaced" and shown(story)[1] == ["guest-misplaced"]
    assert starts(story) == []
    refused = story.say(entries.PackageAssigned, package="p1", node="n1", boot_id="b1",
                        operator=True)
    assert refused == "guest-misplaced"
    assert see(story, "n3") is None
    assert [each.node for each in starts(story)] == ["n1"]


def test_a_guest_that_a_monitor_has_no_way_to_is_up_and_said_to_be_unasked():
    story = Story().running()
    deaf = Sighting(package="p1", kind="nowhere", because="no route", unasked=True)
    assert see(story, "n1", deaf) is None
    found, codes = shown(story)
    assert (found["status"], found["state"], codes) == ("up", "running", ["check-not-made"])
    assert see(story, "n1", deaf, GONE) is None
    assert shown(story)[0]["status"] == "nowhere"


def test_a_guest_seen_nowhere_is_not_up():
    story = Story().running()
    assert see(story, "n1", GONE) is None
    assert shown(story)[0]["status"] == "nowhere" and shown(story)[1] == ["guest-nowhere"]


def test_what_another_life_of_the_daemon_saw_counts_no_more():
    story = Story().running()
    assert see(story, "n2", HAND, incarnation="i0") == "stale-order"
    assert see(story, "n2", HAND) is None
    assert story.join("n2", incarnation="i2") is None
    assert shown(story)[0]["status"] == "up"


def test_each_sighting_is_told_and_outlives_a_snapshot():
    story = Story().running()
    assert see(story, "n2", HAND) is None and see(story, "n2") is None
    told = [story.state.events[each].what for each in sorted(story.state.events)]
    assert told[-2:] == ["seen by-hand on n2", "no longer seen by-hand on n2"]
    assert see(story, "n2", HAND) is None
    assert decode_state(encode_state(story.state)).nodes["n2"].sightings == (HAND,)


def test_a_stranger_is_known_by_its_disks_its_uuid_or_its_name():
    specs, uuids = {"p1": package()}, {guest_uuid("p1"): "p1"}
    for stranger in (
        Stranger(pid=7, disks=("/dev/disk/by-id/x",)), Stranger(pid=7, uuid=guest_uuid("p1")),
        Stranger(pid=7, name=identity("p1", 3, "life")),
    ):
        [found] = by_hand([stranger], specs, uuids)
        assert (found.package, found.kind, found.pid) == ("p1", "by-hand", 7)
    others = [Stranger(pid=8, name="mine", uuid="-", disks=("/dev/sdz",)), Stranger(pid=9)]
    assert by_hand(others, specs, uuids) == []


def test_only_what_is_seen_twice_in_a_row_is_said():
    assert lasting([], [HAND]) == ()
    assert lasting([HAND, GONE], [HAND]) == (HAND,)
