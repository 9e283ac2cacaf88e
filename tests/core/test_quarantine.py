"""A node that fails again and again is left alone for a time, unless nothing else is left."""

from cluster.core import entries
from cluster.core.codec import decode_state, encode_state
from cluster.core.coordinator import candidates, decide, node_views, place
from cluster.core.model import NodeRecord, Proof
from cluster.core.quarantine import QUARANTINE_MS, WINDOW_MS
from tests.core.test_apply import LANDING, Story, package
from tests.core.test_maintenance import act, story_of

EVERY = frozenset({"n1", "n2", "n3"})


def node(story: Story, name: str = "n1") -> NodeRecord:
    return story.state.nodes[name]


def fail_and_come_back(story: Story, name: str = "n1", times: int = 3) -> None:
    for _ in range(times):
        before = node(story, name).incarnation
        assert story.say(
            entries.NodeFailed, node=name, incarnation=before,
            proof=Proof(kind="lease", because="silent")) is None
        assert story.join(name, f"{before}+") is None


def test_the_third_failure_within_an_hour_quarantines_it() -> None:
    story = Story()
    fail_and_come_back(story, times=2)
    assert node(story).state == "running"
    fail_and_come_back(story, times=1)
    assert node(story).state == "quarantined" and "3 times" in node(story).because
    assert decode_state(encode_state(story.state)).nodes["n1"] == node(story)


def test_failures_of_long_ago_do_not_count() -> None:
    story = Story()
    fail_and_come_back(story, times=2)
    story.now_ms += WINDOW_MS
    fail_and_come_back(story, times=2)
    assert node(story).state == "running"


def test_its_time_ends_by_itself_and_its_failures_are_forgotten() -> None:
    story = Story()
    fail_and_come_back(story)
    assert act(story) == []
    story.now_ms += QUARANTINE_MS
    assert act(story) == ["NodeUnquarantined"]
    assert (node(story).state, node(story).failures_ms) == ("running", ())


def test_an_operator_ends_it_at_once() -> None:
    story = Story()
    assert story.say(entries.NodeUnquarantined, node="n1") == "node-not-quarantined"
    fail_and_come_back(story)
    assert story.say(entries.NodeUnquarantined, node="n1") is None
    assert node(story).state == "running"
    fail_and_come_back(story, times=2)
    assert node(story).state == "running", "counting begins anew"


def test_nothing_is_moved_to_it_and_nothing_started_that_can_run_elsewhere() -> None:
    story = story_of("a", node="n2")
    fail_and_come_back(story)
    views = node_views(story.state, EVERY)
    assert candidates(story.state.packages["a"], views) == ("n3",)
    assert story.say(entries.MoveOpened, move="m", package="a", target="n1") == "node-quarantined"
    assert story.say(entries.PackageApplied, spec=package(name="b")) is None
    assert place(story.state.packages["b"], views).node == "n2"


def test_it_runs_what_nobody_else_can_run() -> None:
    story = Story()
    fail_and_come_back(story)
    assert story.say(entries.PackageApplied, spec=package(name="b", nodes=("n1",))) is None
    assert act(story) == ["PackageAssigned"]
    assert story.state.packages["b"].owner == "n1"


def test_a_node_that_fails_on_its_way_out_or_while_down_is_not_counted() -> None:
    story = story_of("a")
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.fail("n1") is None
    assert node(story).failures_ms == ()


def test_one_in_maintenance_stays_there_and_is_released_with_it() -> None:
    story = Story()
    assert story.say(entries.NodeDraining, node="n1") is None
    act(story)
    fail_and_come_back(story)
    assert node(story).state == "maintenance"
    assert story.say(entries.NodeResumed, node="n1") is None
    assert (node(story).state, node(story).quarantined_until_ms) == ("running", None)


def test_what_runs_on_it_can_be_drained_away() -> None:
    story = Story()
    fail_and_come_back(story)
    assert story.say(entries.NodeDraining, node="n1") is None
    assert node(story).state == "draining"


def test_it_is_resumed_like_any_node_that_takes_nothing() -> None:
    story = Story()
    fail_and_come_back(story)
    assert story.say(entries.NodeDraining, node="n1") is None
    assert story.say(entries.DrainCancelled, node="n1") is None
    assert node(story).state == "quarantined", "a drain that is cancelled releases nobody"
    assert story.say(entries.NodeResumed, node="n1") is None
    assert (node(story).state, node(story).quarantined_until_ms) == ("running", None)
    assert story.say(entries.NodeResumed, node="n1") == "node-not-maintained"


def test_a_detach_leaves_nothing_alone_that_is_not_simply_running() -> None:
    story = story_of("a")
    detach = {"node": "n1", "detach": True}
    assert story.say(entries.MaintenanceSet, package="a", on=True) is None
    assert story.say(entries.NodeHalted, **detach) == "package-in-maintenance"
    assert story.say(entries.ClusterHalted, detach=True) == "package-in-maintenance"
    assert story.say(entries.MaintenanceSet, package="a", on=False) is None
    assert story.say(entries.MoveOpened, move="m", package="a", target="n2") is None
    assert story.say(entries.MoveLanded, move="m", package="a", landing=LANDING) is None
    assert story.say(entries.NodeHalted, **detach) == "package-moving"
    assert story.say(entries.PackageApplied, spec=package(name="b")) is None
    assert story.say(entries.PackageAssigned, package="b", node="n3", boot_id="x") is None
    assert story.say(entries.NodeHalted, node="n3", detach=True) == "package-running"
    assert decide(story.state, story.knowledge(), lambda: next(story.ids)) == []
