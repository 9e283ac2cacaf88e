"""An operator says that a node is off, and it is merely cut: nothing runs twice.

The judge of the simulation ends a story in which a guest runs in two places.
"""

import pytest

from cluster.api import messages as ask
from tests.scenarios.pains.farm import Farm, farm
from tests.simulation.world import package

TAKEOVER_S = 15.0


def cut(told: Farm) -> str:
    """The node of the guest, which does not coordinate, is cut off and heard no more."""
    there = told.record().owner
    if told.coordinator().name == there:
        there = next(each for each in ("bee", "cat") if each != there)
        told.move("web", there)
        told.until_settled()
    assert there is not None
    told.cut_off(there)
    told.run(1.5)
    return there


def word(node: str, **fields: object) -> ask.ConfirmDead:
    return ask.ConfirmDead(node=node, reason="its plug is out", **fields)


def awake(told: Farm, node: str) -> str:
    return next(name for name in told.hosts if name != node)


def test_the_word_waits_for_the_end_of_the_lease_and_then_is_the_proof() -> None:
    with farm() as told:
        there = cut(told)
        asked = told.answer(word(there, wait=False), to=awake(told, there))
        assert asked.verdict == "done" and 0 < asked.result["waits_s"] < 5
        assert asked.result["state"] == "running" and told.record().owner == there
        status = told.answer(ask.GetStatus(verbose=True), to=awake(told, there)).result
        node = next(each for each in status["nodes"] if each["name"] == there)
        assert node["word"]["because"] == "its plug is out" and node["word"]["waits_s"] > 0
        told.until(lambda: told.running() not in ([], [there]), within_s=TAKEOVER_S, what="taken")
        assert told.record().proof is not None and told.record().proof.kind == "operator"
        assert told.guest(there).is_frozen


def test_who_asks_waits_with_it() -> None:
    with farm() as told:
        there = cut(told)
        asked = told.answer(word(there), to=awake(told, there))
        assert (asked.verdict, asked.result["state"]) == ("done", "failed")
        assert [each.code for each in asked.problems] == ["operator-word"]


def test_a_node_that_is_heard_takes_it_back() -> None:
    with farm() as told:
        there = cut(told)
        told.world.timeline.after(0.3, told.world.network.heal)
        asked = told.answer(word(there), to=awake(told, there))
        assert [each.code for each in asked.problems] == ["word-taken-back"]
        assert told.record().owner == there and told.node(there).word is None
        assert told.told(f"node:{there}")[-1] == "no longer said to be off"


def test_the_next_coordinator_carries_it_out() -> None:
    with farm() as told:
        there = cut(told)
        asked = told.answer(word(there, wait=False), to=awake(told, there))
        assert asked.verdict == "done" and asked.result["waits_s"] > 0
        told.restart_daemon(told.coordinator().name)
        told.until(lambda: told.running() not in ([], [there]), within_s=TAKEOVER_S, what="taken")
        assert told.record().proof is not None and told.record().proof.kind == "operator"


def test_a_word_about_a_node_whose_lease_is_over_acts_at_once() -> None:
    with farm(package("web", ("ape", "bee", "cat"), lease_is_proof=False)) as told:
        told.lose_power("ape")
        told.coordinator()
        told.until(lambda: told.node("ape").state == "failed", within_s=10.0, what="it is dead")
        assert told.record().owner == "ape"
        assert told.answer(word("ape", wait=False)).result["waits_s"] == 0
        told.until(lambda: told.record().owner != "ape", within_s=0.5, what="it is freed")


def test_a_dry_run_tells_for_how_long_it_would_wait() -> None:
    with farm() as told:
        there = cut(told)
        tried = told.answer(word(there, dry_run=True), to=awake(told, there))
        assert tried.result["waits_s"] > 0
        assert f"node:{there}: said to be off" in tried.result["would"]
        assert any("its lease is over in" in each for each in tried.result["would"])
        assert told.node(there).word is None


def test_now_is_done_for_nobody_who_has_not_been_told_what_it_risks() -> None:
    with farm() as told:
        told.lose_power("ape")
        told.coordinator()
        told.run(1.5)
        asked = told.answer(word("ape", now=True, confirmed=False))
        assert [each.code for each in asked.problems] == ["not-confirmed", "death-at-once"]
        assert told.node("ape").state == "running"
        asked = told.answer(word("ape", now=True))
        assert asked.verdict == "done" and told.node("ape").state == "failed"
        assert told.record().proof is not None and told.record().proof.kind == "operator"


@pytest.mark.parametrize("now", [False, True])
def test_nobody_is_said_to_be_off_who_is_heard(now: bool) -> None:
    with farm() as told:
        asked = told.answer(word("ape", now=now))
        assert [each.code for each in asked.problems] == ["node-heard"]


def test_of_a_node_with_a_guest_that_no_lease_stops_it_wants_a_yes() -> None:
    """Found in a lab: two guests wrote one disk after a word that nobody had to think about."""
    with farm() as told:
        there = told.running()[0]
        told.order(ask.HaltNode(node=there, detach=True))
        told.until(lambda: told.node(there).state == "halted", within_s=5.0, what="left alone")
        told.cut_off(there)
        told.run(6.0)
        at = awake(told, there)
        shown = told.answer(word(there, confirmed=False, dry_run=True), to=at)
        assert [each["code"] for each in shown.result["consequences"]] == ["detached-may-run"]
        refused = told.answer(word(there, confirmed=False), to=at)
        assert [each.code for each in refused.problems] == ["not-confirmed", "detached-may-run"]
        assert "web" in refused.problems[1].what
        told.run(6.0)
        assert told.node(there).word is None and told.record().owner == there
        told.world.hosts[there].lose_power()  # its operator did look
        assert told.answer(word(there), to=at).verdict == "done"
        assert told.record().owner != there
