"""Who comes in, who changes keys, who is let go: the rules, on states made for each case."""

import pytest

from cluster.core import entries
from cluster.core.apply import apply
from cluster.core.codec import decode_entry, decode_state, encode_entry, encode_state
from cluster.core.model import NodeRecord, State, with_node
from cluster.core.trust import NodeKeys, OperatorKey, Trust

HOUR_MS = 3_600_000
FOUNDED = Trust(
    nodes=(NodeKeys(node="n1", key="key-1"),),
    operators=(OperatorKey(name="root", key="root-key", role="full-admin"),),
)


class Story:
    """A state, and entries proposed one after another."""

    def __init__(self, trust: Trust = FOUNDED) -> None:
        self.state = State(name="shop", trust=trust)
        for name in ("n1", "n2"):
            self.state = with_node(self.state, NodeRecord(name=name))
        self._index = 0
        self.now_ms = 1_000

    def say(self, kind: type[entries.Entry], **fields: object) -> str:
        """Apply it; the code of its refusal, or nothing."""
        self._index += 1
        entry = kind(**{
            "id": f"e{self._index}", "at_ms": self.now_ms, "by": "root", "because": "", **fields})
        self.state = apply(self.state, self._index, decode_entry(encode_entry(entry)))
        refused = self.state.outcomes[entry.id].problem
        return refused.code if refused else ""

    def invite(self, id: str = "inv", key: str = "once") -> str:
        return self.say(
            entries.NodeInvited, id=id, node="n2", key=key, role="monitor",
            until_ms=self.now_ms + HOUR_MS,
        )

    def admit(self, digest: str = "d", **fields: object) -> str:
        return self.say(entries.NodeAdmitted, **{
            "node": "n2", "invitation": "inv", "key": "key-2", "operator_key": "op-2",
            "digest": digest, **fields,
        })

    def told(self) -> list[tuple[str, str]]:
        return [(each.subject, each.what) for _, each in sorted(self.state.events.items())]


def test_an_invited_host_becomes_the_node_and_its_operator() -> None:
    story = Story()
    assert story.invite() == "" and story.admit() == ""
    assert story.state.trust.node("n2") == NodeKeys(node="n2", key="key-2")
    assert story.state.trust.operator("root@n2") == OperatorKey(
        name="root@n2", key="op-2", role="monitor")
    assert story.told() == [
        ("node:n2", "node invited"), ("node:n2", "key known"),
        ("operator:root@n2", "operator added"),
    ]


def test_an_invitation_lets_in_one_and_answers_that_one_again() -> None:
    story = Story()
    story.invite()
    assert story.admit("one") == ""
    assert story.admit("one") == ""
    assert story.admit("other", key="key-3", operator_key="op-3") == "invitation-invalid"
    assert story.state.trust.node("n2").key == "key-2"


@pytest.mark.parametrize("fields, code", [
    ({"invitation": "no such"}, "invitation-invalid"),
    ({"node": "n1"}, "invitation-invalid"),
    ({"at_ms": 1_000 + HOUR_MS}, "invitation-invalid"),
    ({"key": "key-1"}, "key-known"),
    ({"key": "once"}, "key-known"),
    ({"operator_key": "root-key"}, "key-known"),
    ({"operator_key": "key-2"}, "key-known"),
])
def test_who_is_not_let_in(fields: dict[str, object], code: str) -> None:
    story = Story()
    story.invite()
    assert story.admit(**fields) == code
    assert story.state.trust.node("n2") is None


def test_an_invitation_ends_with_the_next_and_with_the_node_taking_part() -> None:
    story = Story()
    story.invite()
    assert story.invite("inv2", "again") == ""
    assert story.admit() == "invitation-invalid"
    assert story.admit(invitation="inv2") == ""
    assert story.say(entries.NodeJoined, node="n2", incarnation="i", version="0.2.0") == ""
    assert story.state.trust.invitations == ()
    assert story.invite("inv3", "late") == "node-known"


@pytest.mark.parametrize("fields, code", [
    ({"node": "n9"}, "unknown-node"), ({"key": "key-1"}, "key-known"),
    ({"until_ms": 1_000}, "invitation-invalid"),
])
def test_what_is_no_invitation(fields: dict[str, object], code: str) -> None:
    asked = {"node": "n2", "key": "once", "role": "monitor", "until_ms": HOUR_MS, **fields}
    assert Story().say(entries.NodeInvited, **asked) == code


def test_both_keys_are_accepted_until_the_old_one_is_retired() -> None:
    story = Story()
    assert story.say(entries.RotationAsked, id="turn", node="n1") == ""
    assert story.say(entries.RotationAsked, node="n1") == "node-rotating"
    assert story.say(entries.NodeKeyRetired, node="n1", rotation="turn") == "stale-order"
    assert story.say(entries.NodeKeyOffered, node="n1", rotation="turn", key="new") == ""
    assert story.state.trust.node("n1").accepted == ("key-1", "new")
    assert story.say(entries.NodeKeyOffered, node="n1", rotation="turn", key="new") == ""
    assert story.say(entries.NodeKeyRetired, node="n1", rotation="turn") == ""
    assert story.state.trust.node("n1") == NodeKeys(node="n1", key="new")
    assert story.say(entries.NodeKeyOffered, node="n1", rotation="turn", key="x") == "stale-order"
    assert [what for _, what in story.told()] == [
        "new key ordered", "new key offered, both are accepted", "key changed"]


def test_operators_come_and_go_but_never_the_last_who_may_do_everything() -> None:
    story = Story()
    add = {"name": "ann", "key": "ann-key", "role": "monitor"}
    assert story.say(entries.OperatorAdded, **add) == ""
    assert story.say(entries.OperatorAdded, **add) == "operator-known"
    assert story.say(entries.OperatorAdded, **{**add, "name": "bob"}) == "key-known"
    assert story.say(entries.OperatorRemoved, name="root") == "last-admin"
    assert story.say(entries.OperatorRemoved, name="ann") == ""
    assert story.say(entries.OperatorRemoved, name="ann") == "unknown-operator"


def test_keys_are_formed_once_and_nothing_is_done_before() -> None:
    story = Story(Trust())
    assert story.invite() == "trust-not-formed"
    assert story.say(entries.RotationAsked, node="n1") == "trust-not-formed"
    assert story.say(
        entries.OperatorAdded, name="a", key="k", role="monitor") == "trust-not-formed"
    assert story.say(entries.TrustFormed, trust=FOUNDED) == ""
    assert story.say(entries.TrustFormed, trust=Trust()) == "stale-order"
    assert story.state.trust == FOUNDED


def test_a_node_that_is_removed_leaves_no_key_behind() -> None:
    story = Story()
    story.invite()
    story.admit()
    assert story.say(
        entries.ClusterFormed, name="shop", nodes=("n1",), config_text="nodes: n1") == ""
    assert story.state.trust == FOUNDED


def test_a_rejoin_is_told_and_changes_nothing() -> None:
    story = Story()
    before = story.state.nodes
    assert story.say(entries.NodeRejoining, node="n2") == ""
    assert story.say(entries.NodeRejoining, node="n9") == "unknown-node"
    assert story.state.nodes is before
    assert story.told() == [("node:n2", "journal set aside, begins again empty")]


def test_keys_are_in_the_snapshot() -> None:
    story = Story()
    story.invite()
    assert decode_state(encode_state(story.state)).trust == story.state.trust
