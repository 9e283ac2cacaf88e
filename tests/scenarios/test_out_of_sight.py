"""What is not heard is told as that: guests that nobody watches, nodes that may run and do not, a
detaching that the end of a lease came before, orders about a node that is silent."""

import pytest

from cluster.api import messages as ask
from cluster.core.outlook import not_known_to
from tests.scenarios.pains.farm import Farm, farm


def detached(told: Farm) -> str:
    there = told.running()[0]
    told.order(ask.HaltNode(node=there, detach=True))
    told.until(lambda: told.node(there).state == "halted", within_s=5.0, what="left alone")
    return there


def on_a_follower(told: Farm) -> str:
    """Where the guest runs, once that is no coordinator's."""
    there = told.running()[0]
    if told.coordinator().name == there:
        told.move("web", awake(told, there))
        told.until_settled()
        there = told.running()[0]
    return there


def awake(told: Farm, there: str) -> str:
    return next(name for name in told.hosts if name != there)


def seen_by(told: Farm, at: str) -> dict[str, ask.Any]:
    reply = told.answer(ask.GetStatus(verbose=True), to=at)
    return {each["code"]: each for each in reply.result["problems"]}


def test_a_guest_that_was_left_alone_on_a_host_that_is_gone_is_told_of() -> None:
    """Found by an attack: its host had no power, and status said nothing at all."""
    with farm() as told:
        there = detached(told)
        at = awake(told, there)
        told.run(6.0)
        assert "detached-unheard" not in seen_by(told, at)
        told.lose_power(there)
        told.until(lambda: "detached-unheard" in seen_by(told, at), within_s=15.0, what="told")
        shown = seen_by(told, at)["detached-unheard"]
        assert shown["subject"] == "package:web"
        assert f"confirm-dead {there}" in shown["fix"] and "--yes" in shown["fix"]
        word = ask.ConfirmDead(node=there, reason="it is off", confirmed=True)
        assert told.answer(word, to=at).verdict == "done"
        told.until(lambda: there not in told.running() and told.running(), within_s=15.0,
                   what="it runs elsewhere")
        assert "detached-unheard" not in seen_by(told, at)


def test_a_node_that_is_not_heard_may_run_and_is_not_said_to() -> None:
    with farm() as told:
        told.order(ask.HaltNode(node="cat"))
        at = awake(told, "cat")
        told.lose_power("cat")
        told.run(6.0)
        answer = told.answer(ask.RunNode(node="cat"), to=at)
        assert answer.verdict == "done"
        assert [(each.code, each.severity) for each in answer.problems] == [("node-silent", "warn")]


def test_a_node_that_is_heard_just_runs() -> None:
    with farm() as told:
        told.order(ask.HaltNode(node="cat"))
        told.run(3.0)
        assert not told.answer(ask.RunNode(node="cat")).problems


def test_a_detaching_that_ended_in_a_takeover_is_no_success() -> None:
    """The order was agreed upon, and its node fell silent before it had heard of it."""
    with farm() as told:
        there = on_a_follower(told)
        at = awake(told, there)
        told.as_soon_as(lambda: told.record().state == "detached", lambda: told.cut_off(there))
        answer = told.answer(ask.HaltNode(node=there, detach=True), to=at)
        assert answer.verdict == "failed" and answer.result["detached"] == []
        assert [each.code for each in answer.problems] == ["node-failed"]
        assert "web" in answer.problems[0].what


@pytest.mark.parametrize("order", ["move", "remove"])
def test_what_cannot_be_done_with_a_silent_node_is_told_by_its_silence(order: str) -> None:
    """A drain, or a look at what the node did not tell, helps nobody here."""
    with farm() as told:
        there = on_a_follower(told)
        at = awake(told, there)
        other = next(name for name in told.hosts if name not in (there, at))
        told.cut_off(there)
        told.run(1.5)
        request = {
            "move": ask.MovePackage(package="web", node=other),
            "remove": ask.RemoveNode(node=there, confirmed=True)}[order]
        answer = told.answer(request, to=at)
        assert [each.code for each in answer.problems] == ["node-not-heard"]
        assert f"confirm-dead {there}" in answer.problems[0].fix


def test_a_request_that_the_history_has_nothing_of_is_said_to_be_that() -> None:
    with farm() as told:
        nothing = told.answer(ask.GetEvents(of_request="nonsense"))
        assert nothing.verdict == "done" and nothing.result["events"] == []
        assert [each.code for each in nothing.problems] == ["unknown-request"]
        asked = told.answer(ask.SetMaintenance(package="web"))
        known = told.answer(ask.GetEvents(of_request=asked.request))
        assert known.result["events"] and not known.problems


def test_whom_nobody_knows_any_more_is_told_so() -> None:
    found = not_known_to("ape", {"cat", "bee"})
    assert (found.code, found.subject) == ("node-not-known", "node:ape")
    assert "bee, cat" in found.what and "vmsg node list" in found.fix
