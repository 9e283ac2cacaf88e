"""A guest is left alone by its owner's own word: until then the end of its lease frees it.

A node that is cut off just after `halt --detach` was agreed upon never hears of it: its guardian
freezes the guest, which nothing but an operator freed before.
"""

from cluster.core import entries
from cluster.core.apply import apply
from cluster.core.coordinator import Knowledge, decide
from cluster.core.duties import Leave, duties
from cluster.core.model import MoveRecord, Proof, with_package
from packages.core.values import changed
from tests.core.test_apply import Story


def detached(*, lets_go: bool = True) -> Story:
    story = Story().running("n1")
    guest = entries.GuestReport(package="p1", epoch=1, boot_id="b")
    assert story.say(entries.NodeJoined, node="n1", incarnation="i1", version="0.2.0",
                     guests=(guest,), lets_go=lets_go) is None
    assert story.say(entries.NodeHalted, node="n1", detach=True) is None
    return story


def fail(story: Story) -> str | None:
    return story.say(
        entries.NodeFailed, node="n1", incarnation="i1", proof=Proof(kind="lease", because="-"))


def let_go(story: Story, **fields: object) -> str | None:
    return story.say(entries.GuestLetGo, **{"package": "p1", "epoch": 1, "node": "n1", **fields})


def settle(story: Story) -> list[entries.Entry]:
    known = Knowledge(now_ms=1, term=1, heard=frozenset({"n1", "n2", "n3"}), dead={})
    return [each for each in decide(story.state, known, lambda: "00000000000000ff")
            if isinstance(each, entries.NodeHalted)]


def test_the_node_keeps_its_lease_until_its_guests_are_left_alone():
    story = detached()
    assert story.state.nodes["n1"].state == "halting"
    assert settle(story) == []
    assert let_go(story) is None
    assert len(settle(story)) == 1


def test_until_its_owner_lets_it_go_the_end_of_the_lease_frees_it_to_be_started_elsewhere():
    story = detached()
    assert fail(story) is None
    record = story.state.packages["p1"]
    assert (record.state, record.owner) == ("relocate_wait", None)


def test_after_that_nothing_that_rests_on_a_lease_does():
    story = detached()
    assert let_go(story) is None
    fail(story)
    record = story.state.packages["p1"]
    assert (record.state, record.owner) == ("detached", "n1")


def test_it_is_let_go_by_its_owner_in_its_epoch_alone():
    story = detached()
    assert let_go(story, node="n2") == "stale-order"
    assert let_go(story, epoch=2) == "stale-order"
    assert story.state.packages["p1"].guarded


def test_its_duty_is_to_say_so_and_to_guard_it_until_that_is_agreed():
    story = detached()
    assert story.duty("n1") is Leave
    assert not duties(story.state, "n1")["p1"].is_unguarded
    let_go(story)
    assert duties(story.state, "n1")["p1"].is_unguarded


def test_a_daemon_of_a_release_that_says_nothing_lets_go_at_once():
    story = detached(lets_go=False)
    assert story.state.nodes["n1"].state == "halted"
    assert not story.state.packages["p1"].guarded


def test_whoever_is_run_again_is_guarded_as_running():
    story = detached()
    let_go(story)
    story.say(entries.NodeHalted, node="n1", detach=True)
    story.say(entries.NodeRun, node="n1")
    assert story.say(entries.GuestStarted, package="p1", epoch=1, node="n1", machine="m") is None
    assert not story.state.packages["p1"].guarded


def test_a_committed_move_ends_with_its_owner_also_while_the_package_is_halted():
    """Found by the simulation: the cluster was halted between the commit and the thaw, then the
    target failed: the move stayed committed for ever, and nobody could start the package."""
    story = Story().running("n1")
    record = story.state.packages["p1"]
    move = MoveRecord(
        id="m", package="p1", source="n2", target="n1", epoch=0, boot_id="b", machine="m",
        opened_at_ms=1, by="-", stage="committed")
    halting = with_package(story.state, changed(record, state="halting", move=move))
    died = entries.NodeFailed(
        id="f", at_ms=2, by="-", because="-", node="n1", incarnation="i1",
        proof=Proof(kind="lease", because="-"))
    after = apply(halting, story.state.applied + 1, died).packages["p1"]
    assert (after.owner, after.moving) == (None, False)


def test_a_daemon_that_starts_again_while_its_node_is_halting_attaches_nothing():
    """Found by the simulation: it was taken up again, and its node stayed halting for good."""
    story = detached()
    guest = entries.GuestReport(package="p1", epoch=1, boot_id="b")
    assert story.say(entries.NodeJoined, node="n1", incarnation="i2", version="0.2.0",
                     guests=(guest,), lets_go=True) is None
    assert story.duty("n1") is Leave
    assert let_go(story) is None
    assert len(settle(story)) == 1
