"""As tests/core/test_rules_hold.py, of fences, drains, keys and what a coordinator proposes."""

import pytest

from cluster.core import entries
from cluster.core.codec import Garbled, decode_entry, encode_entry
from cluster.core.coordinator import decide
from cluster.core.duties import Fence, Halt
from cluster.core.model import Member, NodeRecord
from cluster.core.roles import roles
from cluster.core.trust import (
    Invitation, NodeKeys, OperatorKey, Trust, with_invitation, without_node
)
from cluster.nodes.lease import LeaseHolder
from packages.core.failover import after_failure
from packages.core.placement import NodeView, choose
from tests.core.test_apply import Story, package
from tests.core.test_fence_orders import DEAF, FENCED, answer, order
from tests.core.test_rules_hold import refused

# a move that is over


def test_a_source_has_given_its_copy_up_with_the_commit() -> None:
    story = Story().moving("committed")
    assert story.state.packages["p1"].not_runnable_on == "n1"


def test_a_package_halted_after_the_commit_is_halted_at_the_target() -> None:
    story = Story().moving("committed")
    assert story.say(entries.ClusterHalted) is None
    assert story.state.packages["p1"].state == "halting"
    assert story.duty("n2") is Halt


# fences

def test_whom_a_fence_is_not_ordered_of() -> None:
    story = Story().running("n1", fence=FENCED, nodes=("n1", "n2"))
    assert order(story, id="1", node="n1") == "node-not-eligible", "nobody shuts itself out"
    assert order(story, id="2", node="n3") == "node-not-eligible"
    assert story.say(entries.NodeHalted, node="n2") is None
    assert order(story, id="3", node="n2") == "node-not-up"


def test_a_fence_that_failed_is_over() -> None:
    """What it does afterwards may have happened before somebody came in again."""
    story = Story().running("n1", fence=FENCED)
    assert order(story) is None
    assert story.duty("n2") is Fence
    assert answer(story, problem=DEAF) is None
    assert story.duty("n2") is None
    assert refused(story, entries.FenceAnswered, package="p1", order="f" * 16) == "stale-order"


# what a coordinator proposes

def test_a_death_names_the_term_of_who_saw_it() -> None:
    story = Story().running("n1")
    known = story.knowledge(term=7, dead={"n1": "silent"})
    (death, *_) = decide(story.state, known, lambda: next(story.ids))
    assert isinstance(death, entries.NodeFailed)
    assert (death.node, death.term, death.incarnation) == ("n1", 7, "i1")


def test_a_node_is_called_empty_when_it_is() -> None:
    story = Story().running("n1")
    assert story.say(entries.NodeDraining, node="n1") is None
    found = decide(story.state, story.knowledge(), lambda: next(story.ids))
    assert not [each for each in found if isinstance(each, entries.NodeEmptied)]
    assert refused(story, entries.NodeEmptied, node="n1") == "node-not-empty"


VIEWS = {name: NodeView(name=name, state="running") for name in ("n1", "n2")}


@pytest.mark.parametrize(("against", "why"), [
    ({"blocked": frozenset({"n1"})}, "switching is disabled there"),
    ({"avoid": ("n1",)}, "the package failed there lately"),
    ({"exclude": frozenset({"n1"})}, "the package is there now"),
])
def test_a_node_that_may_not_have_it_is_passed_over(against: dict[str, object], why: str) -> None:
    told = {"blocked": frozenset(), "avoid": (), **against}
    choice = choose(("n1", "n2"), VIEWS, **told)  # type: ignore[arg-type]
    assert choice.node == "n2" and choice.refused == (("n1", why),)


@pytest.mark.parametrize("view", [
    NodeView(name="n1", state="running", heard=False), NodeView(name="n1", state="failed"),
    NodeView(name="n1", state="quarantined"),
])
def test_a_node_that_is_not_well_is_passed_over(view: NodeView) -> None:
    choice = choose(("n1", "n2"), {**VIEWS, "n1": view}, blocked=frozenset(), avoid=())
    assert choice.node == "n2"


@pytest.mark.parametrize(("fields", "choice"), [
    ({}, "restart"), ({"auto_run": False}, "stop"), ({"may_stay": False}, "relocate"),
    ({"started": False}, "relocate"), ({"failures_ms": (1, 2, 3)}, "relocate"),
    ({"started": False, "avoid": ("n2", "n3"), "failures_ms": (1, 2)}, "stop"),
])
def test_what_follows_a_failure(fields: dict[str, object], choice: str) -> None:
    said = {"node": "n1", "failures_ms": (1,), "avoid": (), "now_ms": 5, "started": True,
            "may_stay": True, "auto_run": True, **fields}
    remedy = after_failure(package(service_restart=2), **said)  # type: ignore[arg-type]
    assert remedy.choice == choice


# keys and votes

def test_an_order_to_change_keys_is_answered_by_its_own_name() -> None:
    story = Story()
    trust = Trust(nodes=(NodeKeys(node="n1", key="old"), NodeKeys(node="n2", key="two")))
    assert story.say(entries.TrustFormed, trust=trust) is None
    assert story.say(entries.RotationAsked, id="order", node="n1") is None
    other, own = {"node": "n1", "rotation": "another"}, {"node": "n1", "rotation": "order"}
    assert refused(story, entries.NodeKeyOffered, **other, key="new") == "stale-order"
    assert story.say(entries.NodeKeyOffered, **own, key="new") is None
    assert refused(story, entries.NodeKeyRetired, **other) == "stale-order"
    assert story.say(entries.NodeKeyRetired, **own) is None


def test_nothing_of_a_removed_host_opens_a_door() -> None:
    trust = Trust(
        nodes=(NodeKeys(node="n1", key="1"), NodeKeys(node="n2", key="2")),
        operators=(OperatorKey(name="ann", key="3", role="full-admin"),
                   OperatorKey(name="root@n2", key="4", role="full-admin")),
        invitations=(invitation("n2", until_ms=9),))
    after = without_node(trust, "n2")
    assert [each.node for each in after.nodes] == ["n1"]
    assert [each.name for each in after.operators] == ["ann"]
    assert after.invitations == ()


def invitation(node: str, *, until_ms: int) -> Invitation:
    return Invitation(
        id=f"for-{node}", node=node, key=node, role="monitor", until_ms=until_ms, by="ann")


def test_an_invitation_whose_time_is_over_goes_with_the_next() -> None:
    trust = with_invitation(Trust(), invitation("n1", until_ms=5), now_ms=1)
    trust = with_invitation(trust, invitation("n2", until_ms=99), now_ms=5)
    assert [each.node for each in trust.invitations] == ["n2"]


def test_seven_vote_and_whoever_follows_goes_on_following_until_there_is_room() -> None:
    members = tuple(Member(name=f"n{number}") for number in range(1, 9))
    before = {each.name: NodeRecord(
        name=each.name, role="follower" if each.name == "n1" else "voter") for each in members}
    found = roles(members, before)
    assert found["n1"] == "follower" and list(found.values()).count("voter") == 7


def test_an_entry_of_another_encoding_is_not_guessed_at() -> None:
    raw = encode_entry(entries.Noted(id="a", at_ms=1, by="t", because=""))
    assert decode_entry(raw) is not None
    with pytest.raises(Garbled, match="version"):
        decode_entry(b"\x09" + raw[1:])


def test_a_lease_is_over_at_its_end() -> None:
    holder = LeaseHolder(lease_s=3.5, next_number=1, expiry_s=10.0)
    assert not holder.is_over(9.999) and holder.is_over(10.0)
