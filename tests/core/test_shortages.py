"""A start that a node had no means for is the node's trouble: told as that, and never counted."""

import errno

import pytest

from cluster.core import entries
from cluster.core.invariants import broken
from cluster.core.shortages import AGAIN_MS
from packages.core.failover import WINDOW_MS
from packages.core.means import is_want, tells_of_want
from packages.core.problem import problem
from tests.core.test_apply import Story
from tests.core.test_lost_owner import coordinate, record_of, shown

SHORT = problem(
    "node-lacks-means", "package:p1", what="the node could not start the guest",
    because="the host is short of something: Too many open files", fix="see what has them")


def started_in_vain(story: Story, node: str) -> None:
    record = record_of(story)
    assert (record.state, record.owner) == ("starting", node)
    said = {"package": "p1", "epoch": record.epoch, "node": node}
    assert story.say(entries.GuestFailed, **said, problem=SHORT, short=True) is None
    assert story.say(entries.GuestReleased, **said) is None


def assigned() -> Story:
    story = Story()
    story.running()
    story.say(entries.GuestFailed, package="p1", epoch=1, node="n1", problem=SHORT, blameless=True)
    story.say(entries.GuestReleased, package="p1", epoch=1, node="n1")
    coordinate(story)
    return story


def test_it_is_started_on_its_next_node_at_once_and_nothing_is_counted() -> None:
    story = assigned()
    started_in_vain(story, "n1")
    coordinate(story)
    record = record_of(story)
    assert (record.state, record.owner) == ("starting", "n2")
    assert (record.failures_ms, record.avoid, record.auto_run) == ((), (), True)
    assert broken(story.state) == []


def test_where_every_node_lacks_something_it_waits_and_is_not_called_failed() -> None:
    story = assigned()
    for node in ("n1", "n2", "n3"):
        started_in_vain(story, node)
        coordinate(story)
    record = record_of(story)
    assert (record.state, record.owner, record.auto_run) == ("relocate_wait", None, True)
    assert coordinate(story) == [], "not again and again without a pause"
    story.now_ms += AGAIN_MS
    coordinate(story)
    assert (record_of(story).state, record_of(story).owner) == ("starting", "n1")
    assert record_of(story).failures_ms == ()


def test_it_is_a_problem_of_the_node_until_it_starts_there() -> None:
    story = assigned()
    assert lacking(story) == []
    started_in_vain(story, "n1")
    coordinate(story)
    epoch = record_of(story).epoch
    assert story.say(entries.GuestStarted, package="p1", epoch=epoch, node="n2") is None
    assert lacking(story) == ["node:n1"]
    assert any(each.subject == "node:n1" and each.what == "start of p1 given up"
               and "Too many open files" in each.because for each in story.state.events.values())
    story.now_ms += WINDOW_MS
    assert story.say(entries.GuestFailed, package="p1", epoch=epoch, node="n2", problem=SHORT) is (
        None)
    assert lacking(story) == []


def test_an_operators_order_to_run_it_there_forgets_what_was_lacking() -> None:
    story = assigned()
    started_in_vain(story, "n1")
    assert record_of(story).shortages
    assert story.say(entries.PackageAssigned, package="p1", node="n1", boot_id="b9",
                     operator=True) is None
    assert record_of(story).shortages == ()


def test_a_guest_that_ran_has_failed_whatever_its_agent_says() -> None:
    story = Story().running(service_restart=0)
    said = {"package": "p1", "epoch": 1, "node": "n1"}
    assert story.say(entries.GuestFailed, **said, problem=SHORT, short=True) is None
    assert story.say(entries.GuestReleased, **said) is None
    assert len(record_of(story).failures_ms) == 1 and record_of(story).shortages == ()


def lacking(story: Story) -> list[str]:
    problems = shown(story)["problems"]
    assert isinstance(problems, list)
    return [each["subject"] for each in problems if each["code"] == "node-lacks-means"]


@pytest.mark.parametrize(("failure", "is_it"), [
    (OSError(errno.EMFILE, "files"), True), (OSError(errno.ENFILE, "files"), True),
    (OSError(errno.ENOMEM, "memory"), True), (OSError(errno.EAGAIN, "fork"), True),
    (OSError(errno.ENOSPC, "room"), True), (OSError(errno.ENOENT, "QEMU"), False),
    (OSError(errno.EACCES, "QEMU"), False), (ValueError("a bug"), False),
])
def test_what_a_host_lacks_is_told_apart(failure: Exception, is_it: bool) -> None:
    assert is_want(failure) is is_it


def test_a_hypervisors_last_words_tell_it_too() -> None:
    assert tells_of_want(
        "the process ended with 1: cannot set up guest memory 'pc.ram': Cannot allocate memory")
    assert not tells_of_want("the process ended with 1: Could not open '/dev/sdb': No such file")
