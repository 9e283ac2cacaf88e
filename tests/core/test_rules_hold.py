"""Every refusal of the record, met by the one entry that it is there for.

Each test is named after a line that could be broken, and everything else stay green, before it was
written (tests/mutants/list/record_rules.py).
"""

from collections.abc import Callable

import pytest

from cluster.core import entries
from cluster.core.entries import GuestReport
from cluster.core.model import Figures, Proof
from packages.core.limits import Limits
from packages.core.model import VmSpec
from packages.core.values import changed
from tests.core.test_apply import ILL, LANDING, Story, package


def refused(story: Story, kind: Callable[..., entries.Entry], **fields: object) -> str:
    """The code of the refusal; nothing about packages and nodes has changed."""
    before = story.state
    code = story.say(kind, **fields)
    assert code is not None, f"{kind.__name__} was taken: {fields}"
    assert story.state.packages is before.packages and story.state.nodes is before.nodes
    return code


def applied(**spec: object) -> Story:
    story = Story()
    assert story.say(entries.PackageApplied, spec=package(**spec)) is None
    return story


def failed_once(story: Story) -> None:
    """Its guest fails and is gone."""
    record = story.state.packages["p1"]
    said = {"package": "p1", "epoch": record.epoch, "node": record.owner}
    assert story.say(entries.GuestFailed, **said, problem=ILL) is None
    assert story.say(entries.GuestReleased, **said) is None


# what an owner answers

def test_the_same_node_answers_late_for_its_guest_before_the_restart() -> None:
    story = Story().running("n1", service_restart=3)
    failed_once(story)
    record = story.state.packages["p1"]
    assert (record.state, record.owner, record.epoch) == ("starting", "n1", 2)
    assert record.boot_id not in ("", "b1"), "a restart is a new life"
    late = {"package": "p1", "epoch": 1, "node": "n1"}
    assert refused(story, entries.GuestStarted, **late) == "stale-order"
    assert refused(story, entries.GuestFailed, **late, problem=ILL) == "stale-order"
    assert story.say(entries.PackageHalted, package="p1") is None
    assert refused(story, entries.GuestReleased, **late) == "stale-order"


def test_an_answer_that_the_packages_state_does_not_wait_for_changes_nothing() -> None:
    story = Story().running("n1")
    said = {"package": "p1", "epoch": 1, "node": "n1"}
    assert refused(story, entries.GuestStarted, **said) == "stale-order"
    assert refused(story, entries.GuestReleased, **said) == "stale-order"
    assert story.say(entries.PackageHalted, package="p1") is None
    assert refused(story, entries.GuestFailed, **said, problem=ILL) == "stale-order"


def test_a_restart_is_for_a_node_that_takes_packages() -> None:
    story = Story().running("n1", service_restart=3)
    assert story.say(entries.NodeDraining, node="n1") is None
    failed_once(story)
    record = story.state.packages["p1"]
    assert (record.state, record.owner) == ("relocate_wait", None)


# starts

def test_nothing_is_started_where_it_may_not_be() -> None:
    story = applied(nodes=("n1", "n2"))
    start = {"package": "p1", "boot_id": "b1"}
    assert refused(story, entries.PackageAssigned, **start, node="n3") == "node-not-eligible"
    assert story.say(entries.NodeHalted, node="n2") is None
    assert refused(story, entries.PackageAssigned, **start, node="n2") == "node-not-up"
    assert story.say(entries.NodeDraining, node="n1") is None
    assert refused(story, entries.PackageAssigned, **start, node="n1") == "node-in-maintenance"


def test_nothing_is_started_in_a_cluster_that_is_halted() -> None:
    story = applied()
    assert story.say(entries.ClusterHalted) is None
    code = refused(story, entries.PackageAssigned, package="p1", node="n1", boot_id="b1")
    assert code == "cluster-halted"


def test_nothing_is_started_where_switching_is_off() -> None:
    story = applied()
    start = {"package": "p1", "boot_id": "b1"}
    assert story.say(entries.SwitchingSet, package="p1", node="n2", enabled=False) is None
    code = refused(story, entries.PackageAssigned, **start, node="n2", operator=True)
    assert code == "node-switching-disabled"
    assert story.say(entries.SwitchingSet, package="p1", enabled=False) is None
    assert refused(story, entries.PackageAssigned, **start, node="n1") == "stale-order"
    assert story.say(entries.PackageAssigned, **start, node="n1", operator=True) is None


# what stands while it has an owner

@pytest.mark.parametrize("change", [
    {"vm": VmSpec(memory_mib=128, disks=package().vm.disks)},
    {"nodes": ("n2", "n3")},
], ids=["its machine", "its nodes"])
def test_a_running_packages_file_is_not_changed_below_it(change: dict[str, object]) -> None:
    story = Story().running("n1")
    assert refused(story, entries.PackageApplied, spec=package(**change))


def test_a_package_with_an_owner_is_not_deleted() -> None:
    story = Story().running("n1")
    assert refused(story, entries.PackageDeleted, package="p1")
    assert story.say(entries.PackageHalted, package="p1") is None
    assert refused(story, entries.PackageDeleted, package="p1")


# who may join, and who is dead

def test_the_source_of_a_committed_move_may_come_back_with_its_copy() -> None:
    """It holds it until the target runs, and ends it then."""
    story = Story().moving("committed")
    held = GuestReport(package="p1", epoch=1, boot_id="b1")
    assert story.join("n1", "i2", guests=(held,)) is None


def test_a_target_comes_back_with_this_moves_copy_alone() -> None:
    story = Story().moving("copy")
    other = GuestReport(package="p1", epoch=7, boot_id="b1")
    assert story.join("n2", "i2", guests=(other,)) == "guest-not-given"
    own = GuestReport(package="p1", epoch=2, boot_id="b1")
    assert story.join("n2", "i2", guests=(own,)) is None


def test_a_coordinator_begins_once() -> None:
    story = Story()
    assert story.say(entries.CoordinatorBegan, node="n1", term=3) is None
    assert story.say(entries.CoordinatorBegan, node="n2", term=3) == "stale-order"
    assert story.say(entries.CoordinatorBegan, node="n2", term=2) == "stale-order"


def test_a_death_of_an_older_coordinators_term_is_refused() -> None:
    """It rests on a promise to grant no more, which the next one never gave."""
    story = Story().running("n1")
    assert story.say(entries.CoordinatorBegan, node="n2", term=5) is None
    death = {"node": "n1", "incarnation": "i1", "proof": Proof(kind="lease", because="silent")}
    assert refused(story, entries.NodeFailed, **death, term=4) == "stale-order"
    assert story.say(entries.NodeFailed, **death, term=5) is None


def test_what_was_said_of_a_nodes_earlier_life_says_nothing_of_this_one() -> None:
    story = Story().running("n1")
    before = {"node": "n1", "incarnation": "i0"}
    proof = Proof(kind="lease", because="silent")
    assert refused(story, entries.NodeFailed, **before, proof=proof) == "stale-order"
    assert refused(story, entries.PowerFenceFailed, **before, level=1, problem=ILL) == "stale-order"
    assert refused(story, entries.WatchdogChanged, **before, name="x") == "stale-order"


# moves

def test_an_entry_of_another_move_changes_nothing() -> None:
    story = Story().moving("frozen")
    other = {"move": "m0", "package": "p1"}
    assert refused(story, entries.MoveCommitted, **other, figures=Figures()) == "stale-order"
    assert refused(story, entries.MoveAborted, **other, problem=ILL, figures=Figures()) == (
        "stale-order")


def test_after_the_commit_a_move_is_not_called_off() -> None:
    story = Story().moving("committed")
    said = {"move": "m1", "package": "p1"}
    for kind in (entries.MoveAborted, entries.MoveAborting, entries.MoveAbortAsked):
        fields = {"problem": ILL, "figures": Figures()} if kind is entries.MoveAborted else {}
        assert refused(story, kind, **said, **fields) == "stale-order"


def test_after_an_abort_was_agreed_nothing_is_committed() -> None:
    story = Story().moving("frozen")
    said = {"move": "m1", "package": "p1"}
    assert story.say(entries.MoveAborting, **said) is None
    assert refused(story, entries.MoveCommitted, **said, figures=Figures()) == "stale-order"


def test_where_a_package_is_not_moved_to() -> None:
    story = Story().running("n1", nodes=("n1", "n2"))
    order = {"move": "m1", "package": "p1"}
    assert refused(story, entries.MoveOpened, **order, target="n1") == "package-already-there"
    assert refused(story, entries.MoveOpened, **order, target="n3") == "node-not-eligible"
    assert story.say(entries.NodeDraining, node="n2") is None
    assert refused(story, entries.MoveOpened, **order, target="n2") == "node-in-maintenance"
    assert story.say(entries.DrainCancelled, node="n2") is None
    assert story.say(entries.NodeHalted, node="n2") is None
    assert refused(story, entries.MoveOpened, **order, target="n2") == "node-not-up"


def test_a_package_that_does_not_run_is_not_moved() -> None:
    story = applied()
    code = refused(story, entries.MoveOpened, move="m1", package="p1", target="n2")
    assert code == "package-not-running"


def test_no_more_moves_at_once_than_the_limits_allow() -> None:
    story = Story().moving("copy")
    assert story.say(entries.PackageApplied, spec=package(name="p2")) is None
    assert story.say(entries.PackageAssigned, package="p2", node="n1", boot_id="b2") is None
    assert story.say(entries.GuestStarted, package="p2", epoch=1, node="n1") is None
    order = {"move": "m2", "package": "p2", "target": "n2"}
    code = refused(story, entries.MoveOpened, **order, limits=Limits())
    assert code == "move-limit-reached"
    wide = changed(Limits(), moves_per_link=2)
    assert story.say(entries.MoveOpened, **order, limits=wide) is None


# once is once

def test_a_retry_after_a_hundred_entries_is_still_the_same_entry() -> None:
    """A proposer that never heard the answer asks again for as long as it waits."""
    story = applied()
    entry = entries.SwitchingSet(
        id="a" * 16, at_ms=1, by="t", because="", package="p1", enabled=False)
    again = {name: getattr(entry, name) for name in entry.__struct_fields__}
    assert story.say(entries.SwitchingSet, **again) is None
    assert story.say(entries.SwitchingSet, package="p1", enabled=True) is None
    for _ in range(100):
        story.say(entries.Noted)
    before = story.state.packages
    story.say(entries.SwitchingSet, **again)
    assert story.state.packages is before


def test_the_landing_is_the_one_that_was_told() -> None:
    story = Story().moving("copy")
    move = story.state.packages["p1"].move
    assert move is not None and move.landing == LANDING
