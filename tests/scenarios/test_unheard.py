"""An order that a node carries out itself is refused while that node is not heard.

The record calls a node up until its death is proved; what it was told meanwhile it did not hear.
"""

import pytest

from cluster.api import messages as ask
from tests.scenarios.pains.farm import Farm, farm


def cut(told: Farm) -> tuple[str, str]:
    """The node of the guest, which does not coordinate, is cut off and silent; and one that is
    asked."""
    there = told.record().owner
    if told.coordinator().name == there:
        there = next(each for each in ("bee", "cat") if each != there)
        told.move("web", there)
        told.until_settled()
    assert there is not None
    told.cut_off(there)
    told.run(1.5)
    return there, next(name for name in told.hosts if name != there)


@pytest.mark.parametrize("order", ["halt", "drain", "resume"])
def test_what_it_would_have_to_do_itself_is_refused(order: str) -> None:
    with farm() as told:
        there, at = cut(told)
        before = told.record()
        requests = {
            "halt": ask.HaltNode(node=there, detach=True), "drain": ask.DrainNode(node=there),
            "resume": ask.ResumeNode(node=there, bring_back=True),
        }
        answer = told.answer(requests[order], to=at)
        assert [each.code for each in answer.problems] == ["node-not-heard"]
        assert f"vmsg node confirm-dead {there}" in answer.problems[0].fix
        assert told.record() == before


def test_a_cluster_with_a_silent_node_detaches_nothing() -> None:
    with farm() as told:
        there, at = cut(told)
        answer = told.answer(ask.HaltCluster(detach=True), to=at)
        assert [each.code for each in answer.problems] == ["node-not-heard"]
        assert told.record().state == "running" and told.state.running


def test_the_guest_of_a_node_that_was_to_be_left_alone_is_taken_over_by_its_lease() -> None:
    with farm() as told:
        there, at = cut(told)
        told.answer(ask.HaltNode(node=there, detach=True), to=at)
        told.until(lambda: told.running() not in ([], [there]), within_s=15.0, what="taken over")
        assert told.record().proof is not None and told.record().proof.kind == "lease"
