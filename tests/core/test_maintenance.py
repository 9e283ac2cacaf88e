"""A node that is emptied and comes back: by the record alone, whoever coordinates."""

from cluster.core import entries, refusals
from cluster.core.beside import Surroundings
from cluster.core.codec import decode_state, encode_state
from cluster.core.coordinator import decide
from cluster.core.duties import Halt, Keep, Start
from cluster.core.errands import Errand, errands
from cluster.core.invariants import broken
from cluster.core.model import Figures, NodeRecord, PackageRecord, Proof
from cluster.core.troubles import problems
from packages.core.drain_plan import DrainPlan, PlannedMove, Wave
from packages.core.limits import Limits
from tests.core.test_apply import ILL, LANDING, Story, package


def story_of(*names: str, node: str = "n1") -> Story:
    """These packages running on a node."""
    story = Story()
    for name in names:
        assert story.say(entries.PackageApplied, spec=package(name=name)) is None
        assert story.say(
            entries.PackageAssigned, package=name, node=node, boot_id=f"life-{name}") is None
        assert story.say(entries.GuestStarted, package=name, epoch=1, node=node) is None
    return story


def planned(*moves: tuple[str, str]) -> DrainPlan:
    return DrainPlan(node="n1", waves=(Wave(
        moves=tuple(PlannedMove(package=name, target=target, seconds=1.0, because="-")
                    for name, target in moves), seconds=1.0),))


def next_moves(story: Story, **known: object) -> list[str]:
    assert broken(story.state) == []
    found = errands(story.state, story.knowledge(**known), {})
    return [f"{each.record.name}>{' '.join(each.targets)}" for each in found]


def opened(story: Story, name: str, target: str, **fields: object) -> str | None:
    return story.say(entries.MoveOpened, move=f"m-{name}", package=name, target=target,
                     **{"purpose": "drain", **fields})


def moved(story: Story, name: str, target: str) -> None:
    assert opened(story, name, target) is None
    said = {"move": f"m-{name}", "package": name}
    assert story.say(entries.MoveLanded, **said, landing=LANDING) is None
    assert story.say(entries.MoveCommitted, **said, figures=Figures()) is None
    assert story.say(entries.MoveThawed, **said, resumed_at_ms=1.0, monitored_at_ms=1.0) is None


def act(story: Story, **known: object) -> list[str]:
    """Let the coordinator have its way; what it said."""
    found = decide(story.state, story.knowledge(**known), lambda: next(story.ids))
    for entry in found:
        fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
        assert story.say(type(entry), **fields) is None
    return [type(entry).__name__ for entry in found]


def node(story: Story, name: str = "n1") -> NodeRecord:
    return story.state.nodes[name]


def record(story: Story, name: str = "a") -> PackageRecord:
    return story.state.packages[name]


def test_a_drain_goes_by_its_plan_within_the_limits() -> None:
    story = story_of("a", "b", "c")
    plan = planned(("c", "n3"), ("a", "n2"), ("b", "n3"))
    assert story.say(entries.NodeDraining, node="n1", plan=plan) is None
    assert next_moves(story) == ["c>n3 n2", "a>n2 n3"]
    assert opened(story, "c", "n3") is None
    assert next_moves(story) == ["a>n2 n3"]
    assert next_moves(story, limits=Limits(moves_per_node=1)) == []
    assert next_moves(story, limits=Limits(moves_per_node=3, moves_per_link=2)) == [
        "a>n2 n3", "b>n3 n2"]


def test_errands_begun_count_before_the_record_shows_their_moves() -> None:
    story = story_of("a", "b")
    assert story.say(entries.NodeDraining, node="n1") is None
    found = errands(story.state, story.knowledge(limits=Limits(moves_per_node=1)),
                    {"a": ("n1", "n2")})
    assert found == []


def test_a_drain_without_a_plan_as_an_older_version_ordered_it() -> None:
    story = story_of("a")
    assert story.say(entries.NodeDraining, node="n1") is None
    assert next_moves(story) == ["a>n2 n3"]


def test_a_plan_outlives_a_snapshot() -> None:
    story = story_of("a")
    assert story.say(
        entries.NodeDraining, node="n1", plan=planned(("a", "n3")), allow_restart=True) is None
    story.machine.load(encode_state(story.state))
    assert next_moves(story) == ["a>n3 n2"] and node(story).allow_restart
    assert encode_state(decode_state(encode_state(story.state))) == encode_state(story.state)


def test_what_cannot_move_runs_on_and_is_tried_again_where_it_was_not_tried() -> None:
    story = story_of("a")
    assert story.say(entries.NodeDraining, node="n1") is None
    assert story.fail("n3") is None
    assert next_moves(story, heard=frozenset({"n1", "n2"})) == ["a>n2"]
    assert story.say(
        entries.NodeStuck, node="n1", package="a", problem=ILL, tried=("n2",)) is None
    assert next_moves(story) == [] and story.duty_of("a", "n1") is Keep
    around = Surroundings(now_ms=0, leader="n1", quorum=True, term=1, addresses={})
    assert ILL in problems(story.state, around)
    story.join("n3", "i2")
    assert next_moves(story) == ["a>n3"]
    moved(story, "a", "n3")
    assert ILL not in problems(story.state, around), "it has left"


def test_a_node_that_would_not_have_it_is_not_asked_again_while_the_next_has_no_room() -> None:
    story = story_of("a", "b")
    plan = planned(("a", "n2"), ("b", "n3"))
    assert story.say(entries.NodeDraining, node="n1", plan=plan) is None
    assert opened(story, "b", "n3") is None
    known = story.knowledge()
    assert errands(story.state, known, {}, {"a": ("n2",)}) == []
    assert [each.targets for each in errands(story.state, known, {})] == [("n2", "n3")]
    (told,) = errands(story.state, known, {}, {"a": ("n2", "n3")})
    assert told.targets == (), "nobody is left, and that has to be said"


def test_nothing_arrives_at_a_node_that_is_being_emptied() -> None:
    story = story_of("a")
    assert opened(story, "a", "n2", purpose="ordered") is None
    assert story.say(entries.NodeDraining, node="n2") is None
    move = record(story).move
    assert move is not None and move.abort_because, "what is on its way is called back"
    assert story.say(entries.PackageApplied, spec=package(name="b")) is None
    assert story.say(
        entries.PackageAssigned, package="b", node="n2", boot_id="x") == "node-in-maintenance"


def test_an_empty_node_is_in_maintenance_also_after_its_host_was_down() -> None:
    story = Story()
    assert story.say(entries.NodeDraining, node="n1") is None
    assert act(story) == ["NodeEmptied"] and node(story).state == "maintenance"
    assert story.fail("n1") is None
    story.join("n1", "i2")
    assert node(story).state == "maintenance"
    assert story.say(entries.NodeResumed, node="n1") is None
    assert story.say(entries.NodeFailed, node="n1", incarnation="i2",
                     proof=Proof(kind="lease", because="-")) is None
    story.join("n1", "i3")
    assert node(story).state == "running"


def test_a_node_that_dies_while_it_is_emptied_comes_back_empty_and_in_maintenance() -> None:
    story = story_of("a")
    assert story.say(entries.NodeDraining, node="n1") is None
    assert story.fail("n1") is None
    act(story, heard=frozenset({"n2", "n3"}))
    assert record(story).owner == "n2"
    story.join("n1", "i2")
    assert node(story).state == "maintenance"


def test_a_cancelled_drain_calls_back_what_it_moves_and_nothing_else() -> None:
    story = story_of("a", "b")
    assert story.say(entries.NodeDraining, node="n1") is None
    assert opened(story, "a", "n2") is None
    assert opened(story, "b", "n3", purpose="ordered") is None
    assert story.say(entries.DrainCancelled, node="n1") is None
    ours, theirs = record(story, "a").move, record(story, "b").move
    assert ours is not None and ours.abort_because and ours.cancelled
    assert theirs is not None and not theirs.abort_because
    assert node(story).state == "running" and next_moves(story) == []
    assert story.say(entries.DrainCancelled, node="n1") == "node-not-draining"


def test_a_package_is_restarted_elsewhere_only_where_that_is_allowed() -> None:
    story = story_of("a")
    relocated = {"node": "n1", "package": "a", "epoch": 1}
    assert story.say(entries.NodeDraining, node="n1") is None
    assert story.say(entries.PackageRelocated, **relocated) == "stale-order"
    assert story.say(entries.NodeDraining, node="n1", allow_restart=True) is None
    assert story.say(entries.PackageRelocated, **{**relocated, "epoch": 7}) == "stale-order"
    assert story.say(entries.PackageRelocated, **relocated) is None
    assert story.duty_of("a", "n1") is Halt, "its guest has the time for its own shutdown"
    assert story.say(entries.GuestReleased, package="a", epoch=1, node="n1") is None
    assert record(story).state == "relocate_wait"
    assert act(story) == ["PackageAssigned", "NodeEmptied"]
    assert story.duty_of("a", "n2") is Start


def test_a_package_whose_switching_is_off_is_not_restarted_elsewhere() -> None:
    story = story_of("a")
    assert story.say(entries.NodeDraining, node="n1", allow_restart=True) is None
    assert story.say(entries.SwitchingSet, package="a", enabled=False) is None
    assert story.say(
        entries.PackageRelocated, node="n1", package="a", epoch=1) == "package-running"


def test_what_a_drain_took_away_is_brought_home_one_way_or_the_other() -> None:
    story = story_of("a", "b", "c")
    assert story.say(entries.NodeDraining, node="n1") is None
    for name in "abc":
        moved(story, name, "n2")
    act(story)
    assert story.say(entries.NodeResumed, node="n1", returning=("a", "b", "c")) is None
    assert next_moves(story) == ["a>n1"]
    moved_home = {"move": "m-home", "package": "a"}
    assert story.say(entries.MoveOpened, **moved_home, target="n1", purpose="return") is None
    assert act(story) == [], "it is not home before the move is over"
    assert story.say(entries.MoveLanded, **moved_home, landing=LANDING) is None
    assert story.say(entries.MoveCommitted, **moved_home, figures=Figures()) is None
    assert story.say(
        entries.MoveThawed, **moved_home, resumed_at_ms=1.0, monitored_at_ms=1.0) is None
    assert act(story) == ["ReturnEnded"] and node(story).returning == ("b", "c")
    assert story.say(entries.ReturnEnded, node="n1", package="b", problem=ILL) is None
    assert node(story).stuck[0].package == "b"
    assert story.say(entries.PackageHalted, package="c") is None
    assert story.say(entries.GuestReleased, package="c", epoch=2, node="n2") is None
    assert act(story) == ["ReturnEnded"] and node(story).returning == ()
    assert story.say(entries.NodeResumed, node="n1") is None, "it is left at that"
    assert node(story).stuck == ()


def test_a_move_beyond_the_limits_is_refused_by_the_record_and_waits_in_it() -> None:
    story = story_of("a", "b", "c")
    one = Limits(moves_per_node=1)
    assert opened(story, "a", "n2", limits=one) is None
    assert opened(story, "b", "n3", limits=one) == "move-limit-reached"
    queued = {"move": "q1", "package": "b", "target": "n3"}
    assert story.say(entries.MoveQueued, **queued) is None
    assert story.say(entries.MoveQueued, **queued) == "package-moving"
    assert next_moves(story, limits=one) == []
    story.machine.load(encode_state(story.state))
    assert next_moves(story) == ["b>n3"]
    assert story.say(entries.MoveOpened, move="q1", package="b", target="n3") is None
    assert record(story, "b").queued is None


def test_a_move_that_is_called_off_while_it_waits_has_an_end() -> None:
    story = story_of("a")
    assert story.say(entries.MoveQueued, move="q1", package="a", target="n2") is None
    assert story.say(
        entries.MoveUnqueued, move="q2", package="a", problem=ILL) == "stale-order"
    assert story.say(
        entries.MoveUnqueued, move="q1", package="a", problem=ILL, operator=True) is None
    move = record(story).move
    assert move is not None and (move.id, move.result, move.problem) == ("q1", "aborted", ILL)
    assert not record(story).moving and next_moves(story) == []


def test_a_move_that_waits_for_a_package_that_stopped_is_told_of() -> None:
    story = story_of("a")
    assert story.say(entries.MoveQueued, move="q1", package="a", target="n2") is None
    assert story.say(entries.PackageHalted, package="a") is None
    (errand,) = errands(story.state, story.knowledge(), {})
    assert isinstance(errand, Errand) and errand.targets == () and errand.move == "q1"


def test_a_node_that_is_halted_lets_its_guests_shut_down_and_has_them_started_elsewhere() -> None:
    """Stop and start, as Serviceguard does it: the halt has its time, under the node's lease."""
    story = story_of("a")
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.duty_of("a", "n1") is Halt and node(story).state == "halting"
    assert act(story) == []
    assert story.say(entries.GuestReleased, package="a", epoch=1, node="n1") is None
    assert (record(story).state, record(story).avoid) == ("relocate_wait", ())
    assert act(story) == ["PackageAssigned", "NodeHalted"]
    assert node(story).state == "halted" and record(story).owner == "n2"


def test_a_node_that_dies_while_it_halts_stays_halted() -> None:
    story = story_of("a")
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.fail("n1") is None
    story.join("n1", "i2")
    assert node(story).state == "halted" and record(story).state == "relocate_wait"


def test_a_halted_package_stays_halted_on_a_node_that_halts() -> None:
    story = story_of("a")
    assert story.say(entries.PackageHalted, package="a") is None
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.say(entries.GuestReleased, package="a", epoch=1, node="n1") is None
    assert record(story).state == "halted"


def test_each_order_that_comes_at_the_wrong_time_names_what_ends_that_time() -> None:
    story = story_of("a")
    fixes = {
        "running": "it runs", "draining": "--cancel", "maintenance": "vmsg node resume n1",
        "quarantined": "vmsg node unquarantine n1", "halting": "vmsg node run n1",
        "halted": "vmsg node run n1", "failed": "joins by itself", "unknown": "joins by itself",
    }
    for state, fix in fixes.items():
        assert fix in refusals.node_fix("n1", state)
    assert story.say(entries.NodeDraining, node="n2") is None
    assert act(story) == ["NodeEmptied"]
    assert story.say(entries.NodeDraining, node="n2") == "node-in-maintenance"
    assert story.say(entries.NodeRun, node="n2") == "node-not-halted"
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    for kind in (entries.NodeDraining, entries.NodeResumed, entries.NodeHalted):
        assert story.say(kind, node="n1") == ("node-not-up" if kind is not entries.NodeHalted
                                              else "node-not-empty")
