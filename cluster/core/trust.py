"""Who is trusted: public keys of nodes and operators, and who may still come in. PURE.

Secrets are never here. A node is known by one key, and by a second one while it changes over; an
invitation is known by the public half of a key made for it alone, whose secret half is what the
new host proves. What must never happen: one key that stands for two.
"""

from typing import Literal

from packages.core.values import Value, changed

Role = Literal["monitor", "package-admin", "full-admin"]
"""Of an operator's key; the same words as in keys.yaml."""


class NodeKeys(Value):
    """`next_key` is accepted beside `key` from its offer until the old one is retired."""

    node: str
    key: str
    next_key: str = ""
    rotation: str = ""
    """The order to change its key that is not carried out yet."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """The one in use so far first."""
        return tuple(key for key in (self.key, self.next_key) if key)


class OperatorKey(Value):
    name: str
    key: str
    role: Role


class Invitation(Value):
    """`id` is its entry's. `used` is the digest of the one request it let in: that request may be
    repeated, because its answer may have been lost, and no other."""

    id: str
    node: str
    key: str
    role: Role
    until_ms: int
    by: str
    used: str = ""


class Trust(Value):
    """Few and rarely changed, hence plain tuples, each in the order of its names."""

    nodes: tuple[NodeKeys, ...] = ()
    operators: tuple[OperatorKey, ...] = ()
    invitations: tuple[Invitation, ...] = ()

    def node(self, name: str) -> NodeKeys | None:
        return next((each for each in self.nodes if each.node == name), None)

    def operator(self, name: str) -> OperatorKey | None:
        return next((each for each in self.operators if each.name == name), None)

    def invitation(self, id: str) -> Invitation | None:
        return next((each for each in self.invitations if each.id == id), None)

    def is_known(self, key: str) -> bool:
        """Whether somebody is known by this key already."""
        return (
            any(key in each.accepted for each in self.nodes)
            or any(key == each.key for each in self.operators)
            or any(key == each.key for each in self.invitations)
        )


def operator_of_host(node: str) -> str:
    """The operator who works on that host as root."""
    return f"root@{node}"


def with_node(trust: Trust, keys: NodeKeys) -> Trust:
    others = [each for each in trust.nodes if each.node != keys.node]
    nodes = sorted([*others, keys], key=lambda each: each.node)
    return changed(trust, nodes=tuple(nodes))


def with_operator(trust: Trust, operator: OperatorKey) -> Trust:
    others = [each for each in trust.operators if each.name != operator.name]
    return changed(
        trust, operators=tuple(sorted([*others, operator], key=lambda each: each.name)))


def without_operator(trust: Trust, name: str) -> Trust:
    return changed(
        trust, operators=tuple(each for each in trust.operators if each.name != name))


def with_invitation(trust: Trust, invitation: Invitation, *, now_ms: int) -> Trust:
    """One for each node: a new one ends the earlier, and those whose time is over go too."""
    others = [
        each for each in trust.invitations
        if each.node != invitation.node and each.until_ms > now_ms
    ]
    return changed(trust, invitations=tuple(
        sorted([*others, invitation], key=lambda each: each.node)))


def without_invitation(trust: Trust, node: str) -> Trust:
    if all(each.node != node for each in trust.invitations):
        return trust
    return changed(
        trust, invitations=tuple(each for each in trust.invitations if each.node != node))


def without_node(trust: Trust, name: str) -> Trust:
    """Nothing that was given to that host opens a door any more."""
    kept = tuple(each for each in trust.nodes if each.node != name)
    trust = without_operator(without_invitation(trust, name), operator_of_host(name))
    return changed(trust, nodes=kept)
