"""Where a package may run, and why not elsewhere. PURE.

`configured_node` of Serviceguard: the first node of the package's list that may take it. Each
refusal is kept, so that a package that stays without a node says why for each of them.
"""

from collections.abc import Mapping

from packages.core.values import Value


class NodeView(Value):
    """One node as placement sees it."""

    name: str
    state: str
    heard: bool = True
    """Its lease was answered lately; a silent node is not chosen, though nobody calls it dead."""
    load: int = 0
    is_guarded: bool = True
    """Its guardian answers it; without one it renews no lease, and what it took would be lost."""


class Choice(Value):
    node: str | None
    because: str
    refused: tuple[tuple[str, str], ...] = ()
    """(node, reason) for each node that was passed over."""


def choose(
    wanted: tuple[str, ...], nodes: Mapping[str, NodeView], *, blocked: frozenset[str],
    avoid: tuple[str, ...], exclude: frozenset[str] = frozenset(), last_resort: bool = False,
    lacking: tuple[str, ...] = (),
) -> Choice:
    """The first node of `wanted` that takes part, is heard and is not blocked; as a last resort
    also one that has failed too often lately. `lacking`: nodes that had no means to start it."""
    refused: list[tuple[str, str]] = []
    for name in wanted:
        reason = _reason_against(name, nodes.get(name), blocked=blocked, avoid=avoid,
                                 exclude=exclude, last_resort=last_resort)
        if reason is None and name in lacking:
            reason = "it lacked the means to start it lately"
        if reason is None:
            place = "its primary node" if name == wanted[0] else "the next of its nodes that can"
            return Choice(node=name, because=f"{name} is {place}", refused=tuple(refused))
        refused.append((name, reason))
    told = "; ".join(f"{name}: {reason}" for name, reason in refused)
    return Choice(node=None, because=told or "its node list is empty", refused=tuple(refused))


def _reason_against(
    name: str, node: NodeView | None, *, blocked: frozenset[str], avoid: tuple[str, ...],
    exclude: frozenset[str], last_resort: bool,
) -> str | None:
    if node is None:
        return "not in the cluster"
    if name in exclude:
        return "the package is there now"
    if node.state != "running" and not (last_resort and node.state == "quarantined"):
        return node.state
    if not node.heard:
        return "unheard"
    if not node.is_guarded:
        return "its guardian does not answer"
    if name in blocked:
        return "switching is disabled there"
    if name in avoid:
        return "the package failed there lately"
    return None
