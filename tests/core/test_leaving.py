"""The record of nodes whose hosts go down in order."""

import pytest

from cli.host_jobs import is_end_ordered
from cluster.core import entries
from cluster.core.duties import Destroy, Halt, duties
from cluster.core.errands import errands
from cluster.core.leaving import may_end, next_steps
from cluster.core.model import State
from packages.core.model import DependencySpec
from packages.core.values import changed
from tests.core.test_apply import ILL, Story, package
from tests.core.test_lost_owner import boot, record_of


def leaving(story: Story, *names: str, within_s: float = 100.0) -> None:
    for name in names:
        assert story.say(entries.NodeLeaving, node=name, within_s=within_s) is None


def steps(story: Story, after_s: float = 0.0) -> list[tuple[str, str]]:
    """(kind, package or node) that the coordinator proposes so long after the last entry."""
    found = next_steps(
        story.state, time_ms=story.state.time_ms + int(after_s * 1000), now_ms=story.now_ms,
        by="coordinator", mint=lambda: next(story.ids))
    return [(type(each).__name__, getattr(each, "package", "") or each.node) for each in found]


def let_down(story: Story) -> str | None:
    return story.say(
        entries.PackageLetDown, node="n1", package="p1", epoch=record_of(story).epoch)


def test_what_may_move_has_its_time_for_that() -> None:
    story = Story().running(halt_timeout_s=30.0)
    leaving(story, "n1")
    assert steps(story) == [] and steps(story, 69.0) == []
    assert steps(story, 70.0) == [("PackageLetDown", "p1")], "30 s are kept for its shutdown"


def test_a_long_shutdown_takes_half_of_the_time_at_the_most() -> None:
    story = Story().running(halt_timeout_s=600.0)
    leaving(story, "n1")
    assert steps(story, 49.0) == [] and steps(story, 50.0) != []
    story.now_ms += 50_000
    assert let_down(story) is None
    halt = duties(story.state, "n1")["p1"]
    assert isinstance(halt, Halt) and halt.within_s is not None and 40 < halt.within_s <= 95


@pytest.mark.parametrize("policy,duty", [("halt", Halt), ("leave", Destroy)])
def test_what_is_not_to_move_is_let_down_at_once(policy: str, duty: type) -> None:
    story = Story().running(shutdown_policy=policy, service_restart=0)
    leaving(story, "n1")
    assert steps(story) == [("PackageLetDown", "p1")]
    assert let_down(story) is None and story.duty("n1") is duty
    assert story.say(entries.GuestReleased, package="p1", epoch=1, node="n1") is None
    record = record_of(story)
    assert (record.state, record.owner, record.auto_run) == ("relocate_wait", None, True)
    assert (record.failures_ms, record.avoid, record.preferred) == ((), (), "n1")
    assert steps(story) == [("NodeLeft", "n1")]


def test_what_is_not_to_move_is_not_moved_while_its_dependents_end() -> None:
    story = Story().running(shutdown_policy="halt")
    assert [each.record.name for each in errands(drained(story), story.knowledge(), {})] == ["p1"]
    leaving(story, "n1")
    assert errands(story.state, story.knowledge(), {}) == []


def drained(story: Story) -> State:
    """As it would be in an operator's drain."""
    node = changed(story.state.nodes["n1"], state="draining")
    return changed(story.state, nodes=story.state.nodes.set("n1", node))


def test_dependents_end_first_wherever_they_are_but_not_for_ever() -> None:
    story = Story().running(shutdown_policy="halt")
    web = package(name="web", shutdown_policy="halt", dependencies=(DependencySpec(package="p1"),))
    assert story.say(entries.PackageApplied, spec=web) is None
    assert story.say(entries.PackageAssigned, package="web", node="n2", boot_id="w") is None
    leaving(story, "n1")
    assert steps(story) == [("PackageLetDown", "p1")], "web stays, and goes on without"
    leaving(story, "n2")
    assert steps(story) == [("PackageLetDown", "web")]
    assert steps(story, 91.0) == [("PackageLetDown", "p1"), ("PackageLetDown", "web")]


def test_a_move_that_is_late_is_called_off_and_one_that_is_decided_goes_on() -> None:
    story = Story().moving("copy")
    leaving(story, "n1")
    assert steps(story) == [] and steps(story, 60.0) == [("PackageLetDown", "p1")]
    assert let_down(story) is None
    assert record_of(story).move.abort_because  # type: ignore[union-attr]
    assert steps(story, 60.0) == []
    story = Story().moving("committed")
    leaving(story, "n1")
    assert steps(story, 60.0) == [], "its source keeps the copy until the target runs"


def test_no_host_goes_down_while_another_needs_its_vote() -> None:
    story = Story().running("n3", nodes=("n3",))
    leaving(story, "n1", "n2", "n3")
    for name in ("n1", "n2"):
        assert not may_end(story.state, name)
        assert story.say(entries.NodeLeft, node=name) is None
    assert not may_end(story.state, "n1"), "n3 has a guest yet"
    assert story.say(entries.NodeLeft, node="n3") == "node-not-empty"
    story.machine.state = changed(story.state, placed=story.state.placed.set("n3", type(
        story.state.placed)()))
    assert story.say(entries.NodeLeft, node="n3") is None
    assert all(may_end(story.state, name) for name in ("n1", "n2", "n3"))


def test_a_host_goes_down_when_the_others_are_enough() -> None:
    story = Story().running("n2", nodes=("n2",))
    leaving(story, "n1")
    assert story.say(entries.NodeLeft, node="n1") is None
    assert may_end(story.state, "n1")
    leaving(story, "n2")
    assert not may_end(story.state, "n1"), "n3 alone is no majority"


@pytest.mark.parametrize("before,after", [
    (None, "running"), (entries.NodeDraining, "maintenance"),
])
def test_the_next_boot_brings_it_back_as_it_was(before: type | None, after: str) -> None:
    story = Story()
    boot(story, "n1", "first")
    if before is not None:
        assert story.say(before, node="n1") is None
    leaving(story, "n1")
    assert story.say(entries.NodeLeft, node="n1") is None
    boot(story, "n1", "first")
    assert story.state.nodes["n1"].state == "halted", "a restart of its daemon is no boot"
    boot(story, "n1", "second")
    node = story.state.nodes["n1"]
    assert (node.state, node.leave, node.failures_ms) == (after, None, ())


def test_what_an_operator_has_halted_is_not_to_leave() -> None:
    story = Story()
    assert story.say(entries.NodeHalted, node="n1") is None
    assert story.say(entries.NodeLeaving, node="n1", within_s=9.0) == "node-not-up"
    boot(story, "n1", "another")
    assert story.state.nodes["n1"].state == "halted"


def test_a_halt_of_an_operator_meanwhile_stands() -> None:
    story = Story()
    boot(story, "n1", "first")
    leaving(story, "n1")
    assert story.say(entries.NodeHalted, node="n1") is None
    boot(story, "n1", "second")
    assert story.state.nodes["n1"].state == "halted"


def test_one_that_goes_down_too_early_is_counted_by_nobody() -> None:
    story = Story().running()
    for number in range(4):
        leaving(story, "n1")
        assert story.fail("n1") is None
        boot(story, "n1", f"{number}")
        node = story.state.nodes["n1"]
        assert (node.state, node.failures_ms, node.leave) == ("running", (), None)
        story.machine.state = changed(story.state, nodes=story.state.nodes.set(
            "n1", changed(node, incarnation="i1")))


@pytest.mark.parametrize("jobs,is_end", [
    ("", False), ("No jobs running.\n", False),
    ("1234 reboot.target start waiting\n 99 vmsgd.service stop running\n", True),
    ("7 poweroff.target start waiting\n", True), ("7 halt.target start waiting\n", True),
    ("99 vmsgd.service stop running\n", False), ("7 reboot.target stop waiting\n", False),
    ("7 multi-user.target start waiting\n", False),
])
def test_only_a_job_to_end_the_host_is_its_end(jobs: str, is_end: bool) -> None:
    assert is_end_ordered(jobs) is is_end


def test_a_guest_that_fails_while_its_host_goes_down_has_not_failed() -> None:
    story = Story().running(service_restart=0)
    leaving(story, "n1")
    said = {"package": "p1", "epoch": 1, "node": "n1"}
    assert story.say(entries.GuestFailed, **said, problem=ILL) is None
    assert story.say(entries.GuestReleased, **said) is None
    record = record_of(story)
    assert (record.failures_ms, record.avoid, record.auto_run) == ((), (), True)
