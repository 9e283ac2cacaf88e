"""What would happen if nodes failed, against what the coordinator then does."""

import pytest

from cluster.core import entries
from cluster.core.coordinator import decide
from cluster.core.entries import NodeFailed
from cluster.core.fail_plan import FailPlan, plan_failure
from cluster.core.model import NodeRecord, Proof
from packages.core.limits import Limits
from packages.core.model import DependencySpec, FenceSpec
from packages.core.problem import problem
from packages.core.values import changed
from tests.core.test_apply import Story, package

ROOM = {"n1": 10_000, "n2": 10_000, "n3": 10_000}


def story_of(*specs: dict[str, object]) -> Story:
    """Each runs on the first of its nodes."""
    story = Story()
    for fields in specs:
        spec = package(**fields)
        assert story.say(entries.PackageApplied, spec=spec) is None
        assert story.say(entries.PackageAssigned, package=spec.name, node=spec.nodes[0],
                         boot_id="b1") is None
        assert story.say(entries.GuestStarted, package=spec.name, epoch=1, node=spec.nodes[0],
                         machine="m") is None
    return story


def plan(story: Story, *names: str, **fields: object) -> FailPlan:
    return plan_failure(story.state, names, **{
        "heard": frozenset(story.state.nodes), "free_mib": ROOM, "fenced": (),
        "limits": Limits(), **fields})


def starts(found: FailPlan) -> list[str]:
    return [f"{each.turn} {each.package}>{each.node} by {each.proof}" for each in found.starts]


def stopped(found: FailPlan) -> dict[str, str]:
    return {each.package: each.problem.code for each in found.stopped}


def really_started(story: Story, lost: str) -> list[str]:
    """What the coordinator has started in the end, in the order of its orders."""
    assert story.say(NodeFailed, node=lost, incarnation="i1",
                     proof=Proof(kind="lease", because="-")) is None
    found: list[str] = []
    known = story.knowledge(heard=frozenset(story.state.nodes) - {lost})
    while orders := [each for each in decide(story.state, known, lambda: next(story.ids))
                     if isinstance(each, entries.PackageAssigned)]:
        for each in orders:
            found.append(f"{each.package}>{each.node}")
            assert story.say(entries.PackageAssigned, package=each.package, node=each.node,
                             boot_id=each.boot_id) is None
            epoch = story.state.packages[each.package].epoch
            assert story.say(entries.GuestStarted, package=each.package, epoch=epoch,
                             node=each.node, machine="m") is None
    return found


MANY: tuple[dict[str, object], ...] = (
    {"name": "db", "priority": 50},
    {"name": "web", "priority": 10, "dependencies": (DependencySpec(package="db"),)},
    {"name": "mail", "nodes": ("n1", "n3"), "priority": 5},
    {"name": "other", "nodes": ("n2", "n1")},
)


def test_it_says_what_then_happens() -> None:
    found = plan(story_of(*MANY), "n1")
    assert starts(found) == ["1 mail>n3 by lease", "1 db>n2 by lease", "2 web>n2 by lease"]
    assert [f"{each.package}>{each.node}" for each in found.starts] == really_started(
        story_of(*MANY), "n1")
    assert found.quorum and not found.stopped


def test_limits_make_turns() -> None:
    story = story_of(*({"name": f"p{each}"} for each in range(5)))
    turns = [each.turn for each in plan(story, "n1", limits=Limits(starts_per_node=2)).starts]
    assert turns == [1, 1, 2, 2, 3]


def test_memory_is_given_once_and_the_next_node_tried() -> None:
    story = story_of(*({"name": f"p{each}"} for each in range(3)))
    need = 64 + 10
    found = plan(story, "n1", free_mib={"n2": need * 2, "n3": 0})
    assert len(found.starts) < 3 and set(stopped(found).values()) == {"memory-short"}
    (*_, told) = found.stopped
    assert "n2 and n3" in told.problem.because
    assert starts(plan(story_of({"name": "p1"}), "n1", free_mib={"n2": 0, "n3": 10_000})) == [
        "1 p1>n3 by lease"]


def test_a_node_that_tells_nothing_is_promised_nothing() -> None:
    found = plan(story_of({"name": "p1"}), "n1", free_mib={"n3": 10_000})
    assert starts(found) == ["1 p1>n3 by lease"]
    found = plan(story_of({"name": "p1", "nodes": ("n1", "n2")}), "n1", free_mib={"n3": 10_000})
    assert stopped(found) == {"p1": "no-node-available"}


def test_without_a_majority_everything_stands_still() -> None:
    found = plan(story_of(*MANY), "n1", "n2")
    assert not found.quorum and not found.starts
    assert stopped(found) == dict.fromkeys(("db", "mail", "other", "web"), "quorum-lost")
    assert not plan(story_of(*MANY), "n1", heard=frozenset({"n1", "n2"})).quorum


@pytest.mark.parametrize(("fields", "node", "fenced", "proof"), [
    ({}, {}, (), "lease"),
    ({}, {}, ("n1",), "power"),
    ({"fence": FenceSpec(kind="scsi_reservation")}, {}, ("n1",), "storage"),
    ({"lease_is_proof": False}, {"watchdog_s": 10.0}, (), "watchdog"),
    ({"lease_is_proof": False}, {}, ("n1",), "power"),
    ({"lease_is_proof": False}, {}, (), None),
])
def test_the_proof_is_the_soonest_there_is(
    fields: dict[str, object], node: dict[str, object], fenced: tuple[str, ...], proof: str | None,
) -> None:
    story = story_of({"name": "p1", **fields})
    record: NodeRecord = changed(story.state.nodes["n1"], **node)
    story.machine.state = changed(story.state, nodes=story.state.nodes.set("n1", record))
    found = plan(story, "n1", fenced=fenced)
    if proof is None:
        assert stopped(found) == {"p1": "proof-missing"}
    else:
        assert starts(found) == [f"1 p1>n2 by {proof}"]


def test_what_is_not_wanted_elsewhere_is_said() -> None:
    story = story_of({"name": "p1"}, {"name": "p2", "dependencies": (
        DependencySpec(package="p1"),)})
    story.say(entries.SwitchingSet, package="p1", enabled=False)
    assert stopped(plan(story, "n1")) == {"p1": "package-stays-down", "p2": "dependency-unmet"}
    assert story.say(entries.NodeHalted, node="n1", detach=True) is None
    assert stopped(plan(story, "n1"))["p2"] == "proof-missing"
    assert not plan(story, "n3").stopped and not plan(story, "n3").starts


def test_a_node_that_could_not_start_it_is_not_promised() -> None:
    """Its bridge is gone, or it sees another LUN: what a start there would be refused for."""
    gone = problem("vswitch-missing", "node:n2", what="-", because="bridge", fix="-")
    other = problem("disk-is-another", "package:p1", what="-", because="lun", fix="-")
    story = story_of({"name": "p1", "nodes": ("n1", "n2", "n3")})
    found = plan(story, "n1", against={"p1": {"n2": [gone], "n3": []}})
    assert starts(found) == ["1 p1>n3 by lease"]
    found = plan(story, "n1", against={"p1": {"n2": [gone, other], "n3": [other]}})
    assert starts(found) == [] and stopped(found) == {"p1": "disk-is-another"}
    assert found.stopped[0].problem.severity == "warn"
    found = plan(story, "n1", against={"p1": {"n2": [gone], "n3": []}},
                 free_mib={"n1": 10_000, "n2": 10_000, "n3": 1})
    assert starts(found) == []
