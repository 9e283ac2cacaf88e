"""Rules for entries about keys: inviting and admitting nodes, changing keys, operators. PURE.

The founder of a cluster applies the same rules to its own file until the cluster can agree
(cluster/founding.py). What must never happen here: a key that stands for two; an invitation that
lets in two; a cluster left without anybody who may do everything.
"""

from cluster.core import entries, refusals
from cluster.core.model import State
from cluster.core.trust import (
    Invitation, NodeKeys, OperatorKey, Trust, operator_of_host, with_invitation, with_node,
    with_operator, without_operator
)
from packages.core.problem import Problem, problem
from packages.core.values import changed


def trust_formed(state: State, entry: entries.TrustFormed) -> State | Problem:
    if state.trust.nodes:
        return refusals.stale_order("cluster", "Its keys are in the record already.")
    return _trusting(state, entry.trust)


def node_invited(state: State, entry: entries.NodeInvited) -> State | Problem:
    record = state.nodes.get(entry.node)
    if record is None:
        return refusals.unknown_node(entry.node)
    if not state.trust.nodes:
        return _not_formed()
    if state.trust.node(entry.node) is not None and record.incarnation:
        return problem(
            "node-known", f"node:{entry.node}", what=f"Node {entry.node} is not invited.",
            because="It has keys and has taken part in the cluster.",
            fix=f"A lost journal is mended with: vmsg node rejoin {entry.node}; new keys are made "
                f"with: vmsg node rotate {entry.node}; a lost host is removed from the cluster "
                "first.",
        )
    if entry.until_ms <= entry.at_ms:
        return _invalid(entry.node, "Its time would be over already.")
    if state.trust.is_known(entry.key):
        return _key_known(f"node:{entry.node}")
    return _trusting(state, with_invitation(state.trust, Invitation(
        id=entry.id, node=entry.node, key=entry.key, role=entry.role, until_ms=entry.until_ms,
        by=entry.by,
    ), now_ms=entry.at_ms))


def node_admitted(state: State, entry: entries.NodeAdmitted) -> State | Problem:
    trust = state.trust
    if entry.node not in state.nodes:
        return refusals.unknown_node(entry.node)
    invitation = trust.invitation(entry.invitation)
    if invitation is None or invitation.node != entry.node:
        return _invalid(entry.node, "There is no such invitation any more.")
    if invitation.used == entry.digest:
        return state  # the same request again: its answer was lost
    if invitation.used:
        return _invalid(entry.node, "It was used before, for other keys.")
    if entry.at_ms >= invitation.until_ms:
        return _invalid(entry.node, "Its time is over.")
    if entry.key == entry.operator_key or trust.is_known(entry.key) or trust.is_known(
        entry.operator_key
    ):
        return _key_known(f"node:{entry.node}")
    trust = with_node(trust, NodeKeys(node=entry.node, key=entry.key))
    trust = with_operator(trust, OperatorKey(
        name=operator_of_host(entry.node), key=entry.operator_key, role=invitation.role))
    used = changed(invitation, used=entry.digest)
    return _trusting(state, with_invitation(trust, used, now_ms=entry.at_ms))


def rotation_asked(state: State, entry: entries.RotationAsked) -> State | Problem:
    keys = state.trust.node(entry.node)
    if keys is None:
        return refusals.unknown_node(entry.node) if state.trust.nodes else _not_formed()
    if keys.rotation:
        return problem(
            "node-rotating", f"node:{entry.node}",
            what=f"Node {entry.node} is changing its key already.",
            because="An earlier order is not carried out yet: every other node must know the new "
                    "key first.",
            fix="Start the nodes that are down; then it ends by itself.",
        )
    return _trusting(state, with_node(state.trust, changed(keys, rotation=entry.id)))


def node_key_offered(state: State, entry: entries.NodeKeyOffered) -> State | Problem:
    keys = state.trust.node(entry.node)
    if keys is None or not keys.rotation or keys.rotation != entry.rotation:
        return refusals.stale_order(f"node:{entry.node}", "That order was carried out or ended.")
    if keys.next_key == entry.key:
        return state
    if state.trust.is_known(entry.key):
        return _key_known(f"node:{entry.node}")
    return _trusting(state, with_node(state.trust, changed(keys, next_key=entry.key)))


def node_key_retired(state: State, entry: entries.NodeKeyRetired) -> State | Problem:
    keys = state.trust.node(entry.node)
    if keys is None or not keys.next_key or keys.rotation != entry.rotation:
        return refusals.stale_order(f"node:{entry.node}", "That order was carried out or ended.")
    return _trusting(
        state, with_node(state.trust, NodeKeys(node=entry.node, key=keys.next_key)))


def operator_added(state: State, entry: entries.OperatorAdded) -> State | Problem:
    if not state.trust.nodes:
        return _not_formed()
    if state.trust.operator(entry.name) is not None:
        return problem(
            "operator-known", f"operator:{entry.name}",
            what=f"There is an operator {entry.name} already.",
            because="One name is one key.",
            fix=f"Choose another name, or remove it first: vmsg operator remove {entry.name}",
        )
    if state.trust.is_known(entry.key):
        return _key_known(f"operator:{entry.name}")
    return _trusting(state, with_operator(
        state.trust, OperatorKey(name=entry.name, key=entry.key, role=entry.role)))


def operator_removed(state: State, entry: entries.OperatorRemoved) -> State | Problem:
    if state.trust.operator(entry.name) is None:
        return problem(
            "unknown-operator", f"operator:{entry.name}",
            what=f"There is no operator {entry.name}.", because="No key of that name is known.",
            fix="List the operators with: vmsg operator list",
        )
    trust = without_operator(state.trust, entry.name)
    if all(each.role != "full-admin" for each in trust.operators):
        return problem(
            "last-admin", f"operator:{entry.name}",
            what=f"Operator {entry.name} is not removed.",
            because="Nobody would be left who may do everything.",
            fix="Add another first: vmsg operator add NAME --role full-admin --out DIR",
        )
    return _trusting(state, trust)


def node_rejoining(state: State, entry: entries.NodeRejoining) -> State | Problem:
    """Changes nothing: that it was agreed upon without the node is what matters."""
    return state if entry.node in state.nodes else refusals.unknown_node(entry.node)


def _trusting(state: State, trust: Trust) -> State:
    return changed(state, trust=trust)


def _invalid(node: str, because: str) -> Problem:
    return problem(
        "invitation-invalid", f"node:{node}", what="The invitation does not let this host in.",
        because=because, fix=f"Make a new one on any node with: vmsg node invite {node}",
    )


def _key_known(subject: str) -> Problem:
    return problem(
        "key-known", subject, what="The key is not taken.",
        because="Somebody is known by the same key already.",
        fix="Make a new pair of keys: one key is one node, operator or invitation.",
    )


def _not_formed() -> Problem:
    return problem(
        "trust-not-formed", "cluster", what="The cluster's keys are not in the record yet.",
        because="The node whose keys.yaml names every node has not taken part so far.",
        fix="Start the node the cluster was founded on, or those whose keys.yaml is complete.",
    )
