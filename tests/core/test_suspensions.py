"""A suspension changes nothing: what fails meanwhile is noted; no hold's end undoes an order."""

import pytest

from cluster.core import entries
from cluster.core.beside import Surroundings
from cluster.core.codec import encode_entry
from cluster.core.coordinator import decide, ended_holds
from cluster.core.model import PackageRecord
from cluster.core.troubles import problems
from tests.core.test_apply import ILL, Story, package

MAINTENANCE = (entries.MaintenanceSet, {"on": True}, {"on": False})
SWITCHING = (entries.SwitchingSet, {"enabled": False}, {"enabled": True})


def record_of(story: Story) -> PackageRecord:
    return story.state.packages["p1"]


def lose(story: Story) -> None:
    """The guest dies, and its node sees it gone."""
    record = record_of(story)
    said = {"package": "p1", "epoch": record.epoch, "node": record.owner}
    assert story.say(entries.GuestFailed, **said, problem=ILL) is None
    assert story.say(entries.GuestReleased, **said) is None


def coordinate(story: Story, **known: object) -> list[entries.Entry]:
    wanted = decide(story.state, story.knowledge(**known), lambda: next(story.ids))
    for entry in wanted:
        story.machine.apply(story.state.applied + 1, encode_entry(entry))
    return wanted


def end_holds(story: Story, at_ms: int) -> None:
    for entry in ended_holds(story.state, at_ms, lambda: next(story.ids)):
        story.machine.apply(story.state.applied + 1, encode_entry(entry))


def order(story: Story, kind: object, **fields: object) -> str | None:
    return story.say(kind, package="p1", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "on", "off"), [MAINTENANCE, SWITCHING])
def test_a_failure_in_a_suspension_is_noted_and_treated_at_its_end(
    kind: object, on: dict[str, bool], off: dict[str, bool],
) -> None:
    story = Story().running("n2")
    assert order(story, kind, **on) is None
    auto_run = record_of(story).auto_run
    lose(story)
    record = record_of(story)
    assert (record.state, record.owner, record.auto_run) == ("failed", None, auto_run)
    assert (record.failures_ms, record.avoid) == ((), ())
    assert record.noted is not None and record.noted.node == "n2"
    assert coordinate(story) == [], "nothing follows while it is suspended"
    around = Surroundings(
        now_ms=story.now_ms, leader="n1", quorum=True, term=1, addresses={})
    (told,) = problems(story.state, around)
    assert told.code == "failure-noted" and "p1" in told.fix
    assert order(story, kind, **off) is None
    coordinate(story)
    record = record_of(story)
    assert (record.state, record.owner, record.auto_run) == ("starting", "n2", True)
    assert len(record.failures_ms) == 1 and record.noted is None


def test_a_noted_failure_fails_over_where_the_package_may_not_restart_on_the_spot() -> None:
    story = Story().running(nodes=("n1", "n2"), service_restart=0)
    assert order(story, entries.MaintenanceSet, on=True, until_ms=story.now_ms + 500) is None
    lose(story)
    end_holds(story, story.now_ms + 1000)
    coordinate(story)
    assert (record_of(story).state, record_of(story).owner) == ("starting", "n2")


def test_one_suspension_that_ends_leaves_the_other_in_force() -> None:
    story = Story().running()
    assert order(story, entries.MaintenanceSet, on=True) is None
    assert order(story, entries.SwitchingSet, enabled=False) is None
    lose(story)
    assert order(story, entries.SwitchingSet, enabled=True) is None
    assert coordinate(story) == [] and record_of(story).noted is not None
    assert order(story, entries.MaintenanceSet, on=False) is None
    coordinate(story)
    assert record_of(story).state == "starting"


def test_an_operators_run_ends_what_was_noted() -> None:
    story = Story().running()
    assert order(story, entries.MaintenanceSet, on=True) is None
    lose(story)
    assert order(story, entries.PackageAssigned, node="n1", boot_id="b2", operator=True) is None
    assert record_of(story).noted is None


def test_an_operators_halt_stands_when_a_hold_ends() -> None:
    story = Story().running()
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=story.now_ms + 500) is None
    assert order(story, entries.PackageHalted) is None
    assert story.say(entries.GuestReleased, package="p1", epoch=1, node="n1") is None
    end_holds(story, story.now_ms + 1000)
    record = record_of(story)
    assert (record.holds, record.auto_run, record.state) == ((), False, "halted")
    assert coordinate(story) == []


def test_a_halt_before_the_hold_stands_too() -> None:
    story = Story().running()
    assert order(story, entries.PackageHalted) is None
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=story.now_ms + 500) is None
    end_holds(story, story.now_ms + 1000)
    assert not record_of(story).auto_run


def test_a_guest_that_powered_itself_off_stays_off_when_a_hold_ends() -> None:
    story = Story().running()
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=story.now_ms + 500) is None
    assert story.say(
        entries.GuestReleased, package="p1", epoch=1, node="n1", powered_off=True) is None
    end_holds(story, story.now_ms + 1000)
    assert not record_of(story).auto_run and coordinate(story) == []


def test_a_hold_gives_back_what_it_took() -> None:
    story = Story().running()
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=story.now_ms + 500) is None
    assert not record_of(story).auto_run
    end_holds(story, story.now_ms + 1000)
    assert record_of(story).auto_run


@pytest.mark.parametrize(("kind", "fields"), [
    (entries.SwitchingSet, {"enabled": False}),
    (entries.SwitchingSet, {"enabled": False, "node": "n2"}),
    (entries.MaintenanceSet, {"on": True}),
])
def test_what_has_no_end_is_given_none_by_a_second_order(
    kind: object, fields: dict[str, object],
) -> None:
    story = Story().running()
    assert order(story, kind, **fields) is None
    assert order(story, kind, **fields, until_ms=story.now_ms + 500) is None
    end_holds(story, story.now_ms + 1000)
    (held,) = record_of(story).holds
    assert held.until_ms is None
    assert record_of(story).auto_run == (held.kind != "switching")


def test_the_end_of_one_operators_hold_is_not_anothers() -> None:
    story = Story().running()
    soon = story.now_ms + 500
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=soon, by="ann") is None
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=9 * soon, by="bob") is None
    end_holds(story, soon)
    assert [each.by for each in record_of(story).holds] == ["bob"]
    assert not record_of(story).auto_run
    end_holds(story, 9 * soon)
    assert record_of(story).auto_run, "the last one gives back what the first took"


def test_two_orders_of_one_instant_end_one_by_one() -> None:
    story = Story().running()
    now_ms = story.state.time_ms
    story.say(entries.SwitchingSet, package="p1", enabled=False, until_ms=5, at_ms=1)
    story.say(entries.MaintenanceSet, package="p1", on=True, until_ms=9, at_ms=1)
    end_holds(story, now_ms + 4)
    assert [each.kind for each in record_of(story).holds] == ["maintenance"]


def test_a_hold_stands_when_the_file_wants_switching_on() -> None:
    story = Story().running()
    assert story.say(entries.PackageApplied, spec=package(auto_run=False)) is None
    assert not record_of(story).auto_run
    assert order(story, entries.SwitchingSet, enabled=False, until_ms=story.now_ms + 500) is None
    assert story.say(entries.PackageApplied, spec=package(auto_run=True)) is None
    assert not record_of(story).auto_run
    end_holds(story, story.now_ms + 1000)
    assert record_of(story).auto_run


def test_a_halt_is_taken_while_the_cluster_is_halted() -> None:
    story = Story().running()
    assert story.say(entries.ClusterHalted) is None
    assert order(story, entries.PackageHalted) is None, "it is on its way down already"
    assert story.say(entries.GuestReleased, package="p1", epoch=1, node="n1") is None
    assert story.say(entries.ClusterRun) is None
    assert coordinate(story) == [] and record_of(story).state == "halted"


def test_a_halt_is_taken_of_what_is_down_with_its_node() -> None:
    story = Story().running(nodes=("n1",))
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.say(entries.GuestReleased, package="p1", epoch=1, node="n1") is None
    assert record_of(story).state == "relocate_wait"
    assert order(story, entries.PackageHalted) is None
    assert story.say(entries.NodeHalted, node="n1") is None
    assert story.say(entries.NodeRun, node="n1") is None
    assert coordinate(story) == []
