"""Whatever dies, every move ends, and no package is left to an owner nobody will hear from."""

import pytest

from cluster.core import entries
from cluster.core.coordinator import TRY_AGAIN_MS, decide
from cluster.core.duties import Keep, Send
from cluster.core.entries import GuestReport
from cluster.core.invariants import broken
from cluster.core.model import Figures, PackageRecord, with_package
from packages.core.values import changed
from tests.core.test_apply import ILL, Story


def record(story: Story) -> PackageRecord:
    assert broken(story.state) == []
    return story.state.packages["p1"]


def starts(story: Story, *heard: str) -> list[str]:
    known = story.knowledge(heard=frozenset(heard))
    return [
        entry.node for entry in decide(story.state, known, lambda: next(story.ids))
        if isinstance(entry, entries.PackageAssigned)
    ]


@pytest.mark.parametrize("stage", ["copy", "frozen"])
def test_a_target_that_was_lost_is_never_committed_to(stage):
    """Nobody would hear from it again: the package would have a dead owner for good."""
    story = Story().moving(stage)
    assert story.fail("n2") is None
    late = story.say(entries.MoveCommitted, move="m1", package="p1", figures=Figures())
    assert late == "stale-order"
    assert record(story).owner == "n1" and story.duty("n1") is Send


def test_nor_after_it_came_back_without_its_copy():
    story = Story().moving("frozen")
    story.fail("n2")
    assert story.join("n2", "i2") is None
    late = story.say(entries.MoveCommitted, move="m1", package="p1", figures=Figures())
    assert late == "stale-order"


def test_a_guest_is_not_given_back_to_a_source_that_was_lost():
    story = Story().moving("committed")
    story.fail("n1")
    assert story.say(entries.MoveReturned, move="m1", package="p1") is None
    assert (record(story).state, record(story).owner) == ("relocate_wait", None)
    assert starts(story, "n2", "n3") == ["n2"]


def test_a_guest_given_back_is_the_sources_also_when_its_daemon_was_restarted():
    """Its copy is the last of the memory, and still carries the epoch it had before the move."""
    story = Story().moving("committed")
    story.say(entries.MoveReturned, move="m1", package="p1")
    here = GuestReport(package="p1", epoch=1, boot_id="b1")
    assert story.join("n1", "i2", (here,)) is None
    assert story.duty("n1") is Keep
    other = GuestReport(package="p1", epoch=2, boot_id="b1")
    assert story.join("n1", "i3", (other,)) == "guest-not-given"


def test_a_cluster_halted_between_commit_and_thaw_ends_the_move():
    story = Story().moving("committed")
    assert story.say(entries.ClusterHalted) is None
    assert story.say(entries.GuestReleased, package="p1", epoch=2, node="n2") is None
    now = record(story)
    assert (now.state, now.owner, now.moving, now.freeze) == ("halted", None, False, None)
    assert story.duty("n1") is None


def test_a_halted_node_that_dies_does_not_keep_what_it_was_ending():
    """It is granted no lease since it was halted: that proves it dead like any other. It stays
    halted, and joins anew before it may be run again."""
    story = Story().running()
    story.say(entries.NodeHalted, node="n1", force=True)
    known = story.knowledge(dead={"n1": "silent"}, heard=frozenset({"n2", "n3"}))
    (death,) = decide(story.state, known, lambda: next(story.ids))
    assert isinstance(death, entries.NodeFailed)
    assert story.fail("n1") is None
    assert (record(story).state, record(story).owner) == ("relocate_wait", None)
    node = story.state.nodes["n1"]
    assert (node.state, node.incarnation) == ("halted", "")
    assert starts(story, "n2", "n3") == ["n2"]
    assert story.fail("n1") == "stale-order", "nothing is left to conclude"


def test_nothing_is_concluded_about_a_halted_node_that_holds_nothing_guarded():
    story = Story().running()
    story.say(entries.NodeHalted, node="n1", detach=True)
    assert story.fail("n1") == "stale-order"
    known = story.knowledge(dead={"n1": "silent"})
    assert decide(story.state, known, lambda: next(story.ids)) == []


@pytest.mark.parametrize("ahead_ms", [0, 3_600_000])
def test_a_nodes_clock_that_is_ahead_does_not_keep_its_package_down(ahead_ms):
    story = Story().running(nodes=("n1",), service_restart=0)
    story.now_ms += ahead_ms
    problem = entries.GuestFailed, {"package": "p1", "epoch": 1, "node": "n1", "problem": ILL}
    assert story.say(problem[0], **problem[1]) is None
    assert story.state.packages["p1"].state == "failing"
    state = story.state
    story.now_ms -= ahead_ms
    waiting = changed(state.packages["p1"], state="relocate_wait", owner=None, avoid=("n1",))
    known = story.knowledge(now_ms=story.now_ms + TRY_AGAIN_MS)
    found = decide(with_package(state, waiting), known, lambda: next(story.ids))
    assert [type(each) for each in found] == [entries.PackageAssigned]
