"""A retried proposal is applied once, however much comes in between."""

import pytest

from cluster.core import entries
from cluster.core.codec import decode_state, encode_entry, encode_state
from cluster.core.outcomes import KEPT_MS, record_outcome
from packages.core.values import Map, changed
from tests.core.test_apply import Story, package

T0 = 5_000_000


def told(story: Story, count: int, time_ms: int) -> None:
    for _ in range(count):
        assert story.say(entries.Noted, time_ms=time_ms) is None


def test_a_retry_after_thousands_of_entries_changes_nothing() -> None:
    story = Story().running()
    retried = {"id": "ann-1", "package": "p1", "enabled": False, "time_ms": T0}
    assert story.say(entries.SwitchingSet, **retried) is None
    assert story.say(entries.SwitchingSet, package="p1", enabled=True, time_ms=T0) is None
    told(story, 6_000, T0 + 2_000)
    assert story.say(entries.SwitchingSet, **retried) is None
    assert story.state.packages["p1"].auto_run, "ann's order was undone by the one after it"


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_wall_clock_that_steps_shortens_nobodys_patience(step_ms: int) -> None:
    story = Story()
    assert story.say(entries.Noted, id="r", time_ms=T0) is None
    for number in range(20):
        story.say(entries.Noted, time_ms=T0 + number, at_ms=T0 + step_ms)
    assert "r" in story.state.outcomes


def test_what_nobody_can_ask_for_any_more_is_forgotten() -> None:
    story = Story()
    story.machine.state = changed(
        story.state, outcomes=Map(), outcome_at=Map())  # those of its founding have no time
    told(story, 50, T0)
    told(story, 50, T0 + KEPT_MS + 1)
    assert len(story.state.outcomes) <= 50
    kept = decode_state(encode_state(story.state))
    assert kept.forgotten == story.state.forgotten > 0
    assert set(kept.outcomes) == set(story.state.outcomes)


def test_more_than_can_be_kept_never_means_applied_twice() -> None:
    story = Story().running()
    seen = story.state.applied
    retried = {"id": "ann-1", "package": "p1", "enabled": False, "time_ms": T0, "seen": seen}
    assert story.say(entries.SwitchingSet, **retried) is None
    assert story.say(entries.SwitchingSet, package="p1", enabled=True, time_ms=T0) is None
    for number in range(300):
        noted = entries.Noted(id=f"n{number}", at_ms=T0, by="t", because="")
        state = story.state
        story.machine.state = record_outcome(state, state.applied + 1, noted, None, most=100)
    assert len(story.state.outcomes) == 100
    assert story.say(entries.SwitchingSet, **retried) == "request-forgotten"
    assert story.state.packages["p1"].auto_run


def test_one_id_never_stands_for_two_orders() -> None:
    story = Story().running()
    assert story.say(entries.SwitchingSet, id="r", package="p1", enabled=False) is None
    before = story.state
    for kind, fields in (
        (entries.SwitchingSet, {"package": "p1", "enabled": True}),
        (entries.MaintenanceSet, {"package": "p1", "on": True}),
        (entries.PackageHalted, {"package": "p1"}),
        (entries.PackageApplied, {"spec": package(name="q")}),
    ):
        assert story.say(kind, id="r", **fields) == "request-differs"
    assert (story.state.packages, story.state.outcomes) == (before.packages, before.outcomes)
    assert story.say(entries.SwitchingSet, id="r", package="p1", enabled=False,
                     until_ms=7) is None, "what is reckoned anew is the same order"


def test_a_start_that_is_asked_for_again_may_be_placed_elsewhere_and_is_the_same() -> None:
    story = Story()
    assert story.say(entries.PackageApplied, spec=package()) is None
    for node, life in (("n1", "b1"), ("n2", "b2")):
        assert story.say(entries.PackageAssigned, id="r", package="p1", node=node, boot_id=life,
                         operator=True) is None
    assert story.state.packages["p1"].owner == "n1"


def test_outcomes_of_an_earlier_version_are_found_and_forgotten() -> None:
    story = Story()
    story.machine.state = decode_state(encode_state(story.state))
    raw = encode_entry(entries.Noted(id="0" * 15 + "1", at_ms=1, by="t", because=""))
    assert story.machine.apply(story.state.applied + 1, raw).problem is not None, "formed before"
