"""When a silent owner is shut out of its disks, by whom, and what its answer frees."""

import pytest

from cluster.core import beside, entries, view
from cluster.core.codec import decode_state, encode_state
from cluster.core.coordinator import decide
from cluster.core.duties import Fence, Keep
from cluster.core.fencing import AGAIN_MS, ANSWER_MS
from cluster.core.invariants import broken
from cluster.core.model import PackageRecord, Proof, fencing_of
from packages.core.model import FenceSpec
from packages.core.problem import problem
from packages.core.values import changed
from tests.core.test_apply import ILL, Story

FENCED = FenceSpec(kind="scsi_reservation")
DEAF = problem("storage-fence-failed", "disk:x", what="-", because="No answer.", fix="-")


def record(story: Story) -> PackageRecord:
    assert broken(story.state) == []
    return story.state.packages["p1"]


def orders(story: Story, *, heard: tuple[str, ...] = ("n2", "n3"), later_ms: int = 0, **known):
    asked = story.knowledge(**{
        "heard": frozenset(heard), "suspected": {"n1": "silent for 0.9 s"},
        "now_ms": story.now_ms + later_ms, **known,
    })
    return [each for each in decide(story.state, asked, lambda: next(story.ids))
            if isinstance(each, entries.FenceOrdered)]


def order(story: Story, node: str = "n2", **fields: object) -> str | None:
    return story.say(entries.FenceOrdered, **{
        "id": "f" * 16, "package": "p1", "epoch": 1, "victim": "n1", "node": node, "term": 0,
        **fields})


def answer(story: Story, **fields: object) -> str | None:
    return story.say(entries.FenceAnswered, **{
        "package": "p1", "order": "f" * 16, "by": "n2", "because": "off the list", **fields})


def test_the_next_node_shuts_the_silent_owner_out_and_the_package_is_free():
    story = Story().running(fence=FENCED)
    (wanted,) = orders(story)
    assert (wanted.victim, wanted.node, wanted.epoch) == ("n1", "n2", 1)
    assert order(story) is None
    assert story.duty("n2") is Fence and story.duty("n1") is Keep
    assert orders(story) == [], "it is under way"

    assert answer(story) is None
    proof = Proof(kind="storage", because="off the list", node="n1", at_ms=story.now_ms, by="n2")
    assert (record(story).state, record(story).owner, record(story).proof) == (
        "relocate_wait", None, proof)
    assert story.state.nodes["n1"].state == "running", "nothing is said about the node"
    told = [story.state.events[each] for each in sorted(story.state.events)][-2:]
    assert [each.what for each in told] == ["storage fence ordered", "package relocate_wait"]
    assert told[1].proof == proof and "Proof: storage: off the list" in told[1].because
    assert decode_state(encode_state(story.state)).packages["p1"] == record(story)


@pytest.mark.parametrize("spec", [
    {"fence": FenceSpec()}, {"fence": FENCED, "nodes": ("n1",)},
])
def test_nobody_is_shut_out_where_nothing_is_gained(spec):
    """Without a fence or without another node: the lease decides as ever."""
    assert orders(Story().running(**spec)) == []


def test_nobody_is_shut_out_where_switching_is_off():
    story = Story().running(fence=FENCED)
    assert story.say(entries.SwitchingSet, package="p1", enabled=False) is None
    assert orders(story) == []


def test_an_owner_on_its_way_to_register_is_waited_for():
    story = Story()
    story.running(fence=FENCED)
    story.say(entries.GuestFailed, package="p1", epoch=1, node="n1", problem=ILL)
    story.say(entries.GuestReleased, package="p1", epoch=1, node="n1")
    assert record(story).state == "starting"
    assert orders(story) == [] and order(story, epoch=2) == "stale-order"


def test_one_that_is_heard_is_left_alone():
    assert orders(Story().running(fence=FENCED), suspected={}) == []


def test_a_fencer_that_falls_silent_is_replaced_and_its_late_answer_ignored():
    story = Story().running(fence=FENCED)
    assert order(story) is None
    (again,) = orders(story, heard=("n3",))
    assert again.node == "n3"
    assert order(story, "n3", id="e" * 16) is None
    assert story.duty("n2") is None and story.duty("n3") is Fence
    assert answer(story) == "stale-order"
    assert answer(story, order="e" * 16, by="n3") is None
    assert answer(story, order="e" * 16, by="n3") == "stale-order"


def test_a_fencer_that_is_heard_and_does_nothing_is_replaced_as_well():
    story = Story().running(fence=FENCED)
    assert order(story) is None
    assert orders(story, later_ms=ANSWER_MS - 100) == []
    assert len(orders(story, later_ms=ANSWER_MS + 100)) == 1


def test_a_fence_that_failed_frees_nothing_and_is_tried_again_later():
    story = Story().running(fence=FENCED)
    assert order(story) is None
    assert answer(story, problem=DEAF) is None
    assert (record(story).owner, record(story).state) == ("n1", "running")
    assert story.duty("n2") is None
    assert orders(story) == []
    assert len(orders(story, later_ms=AGAIN_MS + 100)) == 1
    told = story.state.events[max(story.state.events)]
    assert (told.what, told.because) == ("storage fence failed", "No answer.")
    assert story.fail("n1") is None
    assert record(story).proof.kind == "lease"


def test_an_order_to_shut_out_an_earlier_owner_says_nothing_about_the_next():
    story = Story().running(fence=FENCED)
    assert order(story) is None
    assert story.fail("n1") is None
    assert story.say(entries.PackageAssigned, package="p1", node="n3", boot_id="b2") is None
    assert fencing_of(record(story)) is None and story.duty("n2") is None
    assert answer(story) == "stale-order"
    assert record(story).owner == "n3"


@pytest.mark.parametrize("fields", [{"term": 7}, {"epoch": 2}, {"victim": "n3"}])
def test_an_order_that_rests_on_the_past_is_refused(fields):
    assert order(Story().running(fence=FENCED), **fields) == "stale-order"


def test_a_move_whose_source_was_shut_out_is_over():
    story = Story().moving("copy")
    assert story.say(entries.PackageApplied, spec=record(story).spec) == "package-moving"
    story = Story().running(fence=FENCED)
    assert story.say(entries.MoveOpened, move="m1", package="p1", target="n2") is None
    assert order(story) is None and story.duty("n2") is Fence
    assert answer(story) is None
    assert not record(story).moving and record(story).owner is None


def test_one_that_only_fences_for_the_cluster_may_be_halted():
    story = Story().running(fence=FENCED)
    assert order(story) is None
    assert story.say(entries.NodeHalted, node="n2") is None
    assert record(story).state == "running"


def test_what_a_lease_does_not_free_a_fence_does():
    story = Story().running(fence=FENCED, lease_is_proof=False)
    assert story.fail("n1") is None
    assert record(story).owner == "n1"
    assert order(story) is None and answer(story) is None
    assert (record(story).owner, record(story).proof.kind) == (None, "storage")


def test_the_fence_of_a_guest_that_runs_is_not_exchanged():
    story = Story().running(fence=FENCED)
    spec = record(story).spec
    for fence in (FenceSpec(), changed(FENCED, initiator="iqn.2026-01.other")):
        assert story.say(
            entries.PackageApplied, spec=changed(spec, fence=fence)) == "package-running"
    assert story.say(entries.PackageApplied, spec=changed(spec, description="web")) is None


def test_status_says_that_the_storage_is_asked():
    story = Story().running(fence=FENCED)
    shown = view.status(story.state, beside.Surroundings(
        now_ms=story.now_ms, leader="n2", quorum=True, term=1, addresses={},
        silence=beside.Silence(term=1, heard=("n2", "n3"), lease_over_ms={"n1": 5}),
    ))
    assert shown["nodes"][0]["awaited"]["for"] == ["storage", "lease", "operator"]
