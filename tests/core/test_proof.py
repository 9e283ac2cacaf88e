"""What proves a node dead, what each kind of proof frees, and what waits for a better one."""

import pytest

from cluster.core import beside, entries, view
from cluster.core.codec import decode_state, encode_entry, encode_state
from cluster.core.coordinator import decide
from cluster.core.duties import Keep
from cluster.core.entries import GuestReport
from cluster.core.invariants import broken
from cluster.core.model import PackageRecord, Proof
from cluster.deaths import against_death
from packages.core.values import changed
from tests.core.test_apply import LANDING, Story

STRONG = ("storage", "power", "watchdog", "operator")


def record(story: Story) -> PackageRecord:
    assert broken(story.state) == []
    return story.state.packages["p1"]


def fail(story: Story, kind: str, node: str = "n1") -> str | None:
    return story.say(entries.NodeFailed, node=node, incarnation="i1", by="ann",
                     because="It is gone.", proof=Proof(kind=kind, because="seen off"))


def starts(story: Story) -> list[str]:
    known = story.knowledge(heard=frozenset({"n2", "n3"}))
    return [
        each.node for each in decide(story.state, known, lambda: next(story.ids))
        if isinstance(each, entries.PackageAssigned)
    ]


def shown(story: Story, *, heard: tuple[str, ...] = ("n2", "n3"), over_ms: int = 0) -> dict:
    return view.status(story.state, beside.Surroundings(
        now_ms=story.now_ms, leader="n2", quorum=True, term=1, addresses={},
        silence=beside.Silence(term=1, heard=heard, lease_over_ms={"n1": over_ms}),
    ), verbose=True)


@pytest.mark.parametrize("kind", ("lease", *STRONG))
def test_a_takeover_stores_what_proved_the_old_owner_dead(kind):
    story = Story().running()
    assert fail(story, kind) is None
    proof = Proof(kind=kind, because="seen off", node="n1", at_ms=story.now_ms, by="ann")
    assert record(story).proof == story.state.nodes["n1"].proof == proof
    assert starts(story) == ["n2"]
    told = [story.state.events[each] for each in sorted(story.state.events)][-2:]
    assert [each.what for each in told] == ["node failed", "package relocate_wait"]
    assert all(each.proof == proof and f"Proof: {kind}" in each.because for each in told)


def test_a_package_that_no_lease_frees_waits_where_it_is():
    story = Story().running(lease_is_proof=False)
    assert fail(story, "lease") is None
    assert (record(story).state, record(story).owner, record(story).proof) == (
        "running", "n1", None)
    assert starts(story) == []
    refused = story.say(
        entries.PackageAssigned, package="p1", node="n2", boot_id="b2", operator=True)
    assert refused == "proof-missing"


@pytest.mark.parametrize("kind", STRONG)
def test_until_something_stronger_proves_the_same_death(kind):
    story = Story().running(lease_is_proof=False)
    assert fail(story, "lease") is None and fail(story, "lease") == "stale-order"
    assert fail(story, kind) is None
    assert (record(story).state, record(story).proof.kind) == ("relocate_wait", kind)
    assert starts(story) == ["n2"]
    assert fail(story, kind) == "stale-order", "nothing waits for it any more"


def test_a_node_that_comes_back_first_goes_on_with_it():
    story = Story().running(lease_is_proof=False)
    assert fail(story, "lease") is None
    there = (GuestReport(package="p1", epoch=1, boot_id="b1"),)
    assert story.join("n1", incarnation="i2", guests=there) is None
    assert story.duty("n1") is Keep
    assert fail(story, "operator") == "stale-order", "it was said of another life of the node"


def test_the_operator_may_change_the_rule_while_it_waits():
    story = Story().running(lease_is_proof=False)
    assert fail(story, "lease") is None
    spec = changed(record(story).spec, lease_is_proof=True)
    assert story.say(entries.PackageApplied, spec=spec) is None
    assert fail(story, "lease") is None
    assert record(story).state == "relocate_wait"


def test_a_move_from_a_node_that_may_come_back_is_left_as_it_is():
    story = Story()
    story.running(lease_is_proof=False)
    assert story.say(entries.MoveOpened, move="m1", package="p1", target="n2") is None
    assert story.say(entries.MoveLanded, move="m1", package="p1", landing=LANDING) is None
    assert fail(story, "lease") is None
    assert record(story).moving and record(story).owner == "n1"
    assert fail(story, "power") is None
    assert not record(story).moving and record(story).owner is None


def test_a_halt_waits_for_the_proof_and_then_is_one():
    story = Story().running(lease_is_proof=False)
    assert fail(story, "lease") is None
    assert story.say(entries.PackageHalted, package="p1") is None
    assert record(story).state == "halting"
    assert fail(story, "operator") is None
    assert (record(story).state, record(story).owner) == ("halted", None)


def test_status_says_what_is_waited_for_and_until_when():
    story = Story().running()
    [node, *_] = shown(story, over_ms=4_100)["nodes"]
    assert node["status"] == "unknown" and node["awaited"] == {
        "for": ["lease", "operator"], "until": "1970-01-01T00:00:04.100Z", "packages": ["p1"]}
    [package] = shown(story)["packages"]
    assert package["status"] == "unknown", "whose node is silent is not up"
    assert shown(story, heard=("n1", "n2", "n3"))["nodes"][0]["awaited"] is None


def test_status_says_so_after_the_lease_too():
    story = Story().running(lease_is_proof=False)
    silent = shown(story, over_ms=4_100)["nodes"][0]["awaited"]
    assert silent == {"for": ["operator"], "until": None, "packages": ["p1"]}
    assert fail(story, "lease") is None
    status = shown(story)
    assert status["nodes"][0]["awaited"] == silent
    assert status["packages"][0]["status"] == "unknown"
    assert [each["code"] for each in status["problems"]] == ["proof-missing", "node-failed"]
    assert "confirm-dead n1" in status["problems"][0]["fix"]


def test_nobody_is_called_dead_by_word_who_is_heard():
    story = Story().running()
    known = beside.Silence(term=1, heard=("n1", "n2", "n3"))
    assert against_death(story.state, known, "n1", "operator").code == "node-heard"
    assert against_death(story.state, known, "n1", "power") is None, "it has been seen off since"
    silent = beside.Silence(term=1, heard=("n2",))
    assert against_death(story.state, silent, "n1", "operator") is None
    assert fail(story, "lease") is None
    assert against_death(story.state, silent, "n1", "operator").code == "nothing-to-prove"


def test_the_proof_outlives_a_snapshot():
    story = Story().running()
    assert fail(story, "power") is None
    again = decode_state(encode_state(story.state))
    assert again.packages["p1"].proof == record(story).proof
    assert again.events == story.state.events


def test_a_watchdog_frees_what_a_lease_does_not():
    story = Story().running(lease_is_proof=False)
    assert story.say(entries.WatchdogChanged, node="n1", incarnation="i1", name="iTCO_wdt",
                     proves_s=10.0) is None
    silent = shown(story, over_ms=4_000)["nodes"][0]["awaited"]
    assert silent["for"] == ["watchdog", "operator"]
    assert silent["until"] == "1970-01-01T00:00:14.000Z"
    known = story.knowledge(
        heard=frozenset({"n2", "n3"}), dead={"n1": "silent"}, reset={"n1": "reset since"})
    said = [
        (each.proof.kind, story.machine.apply(story.state.applied + 1, encode_entry(each)).problem)
        for each in decide(story.state, known, lambda: next(story.ids))
        if isinstance(each, entries.NodeFailed)
    ]
    assert said == [("lease", None), ("watchdog", None)]
    assert record(story).proof.kind == "watchdog" and record(story).owner is None


def test_a_node_that_joins_anew_has_said_nothing_of_a_watchdog_yet():
    story = Story()
    said = {"node": "n1", "name": "iTCO_wdt", "proves_s": 10.0}
    assert story.say(entries.WatchdogChanged, incarnation="i1", **said) is None
    assert story.join("n1", incarnation="i2") is None
    assert story.state.nodes["n1"].watchdog_s == 0.0
    assert story.say(entries.WatchdogChanged, incarnation="i1", **said) == "stale-order"
