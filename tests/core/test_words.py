"""An operator's word that a silent node is off: when it counts, and when it is taken back."""

import pytest

from cluster.core import beside, entries, view
from cluster.core.codec import decode_state, encode_entry, encode_state
from cluster.core.coordinator import decide
from cluster.core.invariants import broken
from cluster.core.model import PackageRecord, Proof
from packages.core.values import changed
from tests.core.test_apply import Story

SILENT = {"heard": frozenset({"n2", "n3"}), "suspected": {"n1": "silent for 2.0 s"}}
OVER = {**SILENT, "over": frozenset({"n1"})}


def said(story: Story, incarnation: str = "i1", request: str = "r1") -> str | None:
    return story.say(entries.DeathSaid, id=request, by="ann", because="Its plug is out", node="n1",
                     incarnation=incarnation)


def record(story: Story) -> PackageRecord:
    assert broken(story.state) == []
    return story.state.packages["p1"]


def decided(story: Story, **known: object) -> list[entries.Entry]:
    """What the coordinator proposes about nodes."""
    return [each for each in decide(story.state, story.knowledge(**known), lambda: next(story.ids))
            if isinstance(each, entries.NodeFailed | entries.DeathUnsaid)]


def carried_out(story: Story, **known: object) -> list[str | None]:
    return [outcome.problem.code if outcome.problem else None
            for each in decided(story, **known)
            for outcome in (story.machine.apply(story.state.applied + 1, encode_entry(each)),)]


def told(story: Story, subject: str = "node:n1") -> list[str]:
    return [each.what for _, each in sorted(story.state.events.items()) if each.subject == subject]


def test_the_word_is_recorded_at_once_and_frees_nothing_while_a_lease_may_be_good():
    story = Story().running()
    assert said(story) is None
    assert decided(story, **SILENT) == []
    assert record(story).owner == "n1" and story.state.nodes["n1"].state == "running"
    assert told(story)[-1] == "said to be off"


def test_it_is_the_proof_when_the_lease_is_over():
    story = Story().running()
    assert said(story) is None
    assert carried_out(story, **OVER, dead={"n1": "its lease is over"}) == [None]
    node = story.state.nodes["n1"]
    assert (node.state, node.word) == ("failed", None)
    assert node.proof == record(story).proof == Proof(
        kind="operator", because="Its plug is out", node="n1", at_ms=node.proof.at_ms, by="ann")
    assert record(story).owner is None
    last = [each for _, each in sorted(story.state.events.items())][-1]
    assert last.request.startswith("r1"), "vmsg events --request shows what came of it"


def test_it_frees_what_a_lease_does_not():
    story = Story().running(lease_is_proof=False)
    assert story.fail("n1") is None
    assert record(story).owner == "n1"
    assert said(story) is None
    assert carried_out(story, **OVER) == [None]
    assert record(story).owner is None and record(story).proof.kind == "operator"


def test_a_node_that_stood_apart_while_the_coordinator_itself_did_is_not_called_dead():
    story = Story().running()
    assert said(story) is None
    assert decided(story, heard=frozenset({"n2", "n3"}), over=frozenset({"n1"})) == []


def test_it_is_taken_back_when_the_node_is_heard():
    story = Story().running()
    assert said(story) is None
    assert carried_out(story, over=frozenset({"n1"}), suspected=SILENT["suspected"]) == [None]
    assert story.state.nodes["n1"].word is None and record(story).owner == "n1"
    assert told(story)[-1] == "no longer said to be off"
    assert decided(story, **OVER) == []


def test_another_life_takes_it_back_as_well():
    story = Story().running()
    assert said(story) is None
    assert story.join("n1", incarnation="i2") is None
    assert story.state.nodes["n1"].word is None
    assert "no longer said to be off" in told(story)
    assert said(story, request="r2") == "stale-order"


def test_the_next_coordinator_goes_on_with_it():
    story = Story().running()
    assert said(story) is None
    assert story.say(entries.CoordinatorBegan, node="n2", term=7) is None
    [late] = decided(story, **OVER, term=6)
    refused = story.machine.apply(story.state.applied + 1, encode_entry(late)).problem
    assert refused is not None and refused.code == "stale-order"
    assert carried_out(story, **OVER, term=7) == [None]
    assert record(story).owner is None


def test_an_answer_that_takes_back_names_its_word():
    story = Story().running()
    assert said(story) is None
    assert story.say(entries.DeathUnsaid, node="n1", word="r0") == "stale-order"
    assert story.state.nodes["n1"].word is not None


@pytest.mark.parametrize("kind", ("power", "operator"))
def test_a_stronger_proof_does_not_wait_and_leaves_no_word(kind):
    story = Story().running()
    assert said(story) is None
    assert story.say(entries.NodeFailed, node="n1", incarnation="i1",
                     proof=Proof(kind=kind, because="seen off")) is None
    assert record(story).owner is None and story.state.nodes["n1"].word is None


def test_a_word_waits_on_for_what_another_proof_has_not_freed():
    story = Story().running(lease_is_proof=False)
    assert said(story) is None
    assert story.fail("n1") is None
    assert record(story).owner == "n1" and story.state.nodes["n1"].word is not None
    assert carried_out(story, **OVER) == [None]
    assert record(story).owner is None


def test_nobodys_death_is_said_twice_over():
    story = Story().running()
    assert said(story) is None
    assert carried_out(story, **OVER) == [None]
    assert said(story, request="r2") == "stale-order"


def test_a_word_that_nothing_waits_for_any_more_goes():
    """A guest that its halted node had left alone, and that has gone since."""
    story = Story().running()
    assert story.say(entries.NodeHalted, node="n1", detach=True) is None
    assert said(story) is None
    assert record(story).state == "detached"
    story.machine.state = changed(story.state, packages=story.state.packages.delete("p1"),
                                  placed=story.state.placed.delete("n1"))
    assert [type(each) for each in decided(story, **SILENT)] == [entries.DeathUnsaid]


def test_status_says_whose_word_it_is_and_for_how_long_it_waits():
    story = Story().running()
    assert said(story) is None
    status = view.status(story.state, beside.Surroundings(
        now_ms=story.now_ms, leader="n2", quorum=True, term=1, addresses={},
        silence=beside.Silence(term=1, heard=("n2", "n3"), lease_over_ms={"n1": 4_100},
                               lease_left_ms={"n1": 2_900})))
    word = status["nodes"][0]["word"]
    assert (word["by"], word["because"], word["waits_s"]) == ("ann", "Its plug is out", 2.9)
    [silent] = [each for each in status["problems"] if each["code"] == "node-silent"]
    assert "said to be off by ann" in silent["what"] and "in 2.9 s" in silent["because"]


def test_the_word_outlives_a_snapshot():
    story = Story().running()
    assert said(story) is None
    again = decode_state(encode_state(story.state))
    assert again.nodes["n1"].word == story.state.nodes["n1"].word is not None
