"""Entries about keys: nodes that are let in, keys that are changed, operators who come and go.

The rules for them are in cluster/core/admission.py. A file of its own, as the room of entries is
full.
"""

from cluster.core.entry import Entry
from cluster.core.trust import Role, Trust


class TrustFormed(Entry, tag="trust-formed"):
    """The keys the cluster begins with; only the first is taken."""

    trust: Trust


class NodeInvited(Entry, tag="node-invited"):
    """Whoever holds the secret half of `key` may, until then, become this node."""

    node: str
    key: str
    role: Role
    """Of the operator on the new host."""
    until_ms: int


class NodeAdmitted(Entry, tag="node-admitted"):
    """An invited host has made its keys, and they are known from now on."""

    node: str
    invitation: str
    key: str
    operator_key: str
    digest: str
    """Of everything the host asked for: only this very request is answered again."""


class RequestRefused(Entry, tag="request-refused"):
    """A caller asked a node, which this is by, for what its role forbids. `more`: so many refusals
    of the same caller since the last of these entries."""

    caller: str
    asked: str
    address: str = ""
    """Where the caller was; empty: on the node's own host."""
    more: int = 0


class RotationAsked(Entry, tag="rotation-asked"):
    """The node is to make a new key and change over to it."""

    node: str


class NodeKeyOffered(Entry, tag="node-key-offered"):
    """Accepted from now on beside the one in use."""

    node: str
    rotation: str
    key: str


class NodeKeyRetired(Entry, tag="node-key-retired"):
    """The node uses the new key; the old one opens nothing any more."""

    node: str
    rotation: str


class OperatorAdded(Entry, tag="operator-added"):
    name: str
    key: str
    role: Role


class OperatorRemoved(Entry, tag="operator-removed"):
    name: str
