"""A node that fails again and again takes no packages for a time. PURE.

Each failure costs every package there a start elsewhere; a node that comes back in between, takes
packages and fails once more is worse than one that stays away. What must never happen here: a
package without any node although a quarantined one could run it (cluster/core/coordinator.py
places it there as a last resort).
"""

from cluster.core import entries, refusals
from cluster.core.model import UP, NodeRecord, State, with_node
from packages.core.problem import Problem, problem
from packages.core.values import changed

FAILURES = 3
WINDOW_MS = 3_600_000
"""Three failures within an hour are no coincidence any more."""
SITE_MS = 600_000
"""Servers that lose their power together are up again within ten minutes of one another."""
QUARANTINE_MS = 1_800_000
"""Half an hour: for an operator to have a look, and what comes back by itself loses little."""


def with_failure(node: NodeRecord, at_ms: int) -> NodeRecord:
    """The node's record with one more failure; too many lately, and it is quarantined."""
    lately = (*(each for each in node.failures_ms if abs(at_ms - each) < WINDOW_MS), at_ms)
    node = changed(node, failures_ms=lately[-FAILURES:])
    if len(lately) < FAILURES:
        return node
    return changed(node, quarantined_until_ms=at_ms + QUARANTINE_MS)


def counts(node: NodeRecord) -> bool:
    """What an operator works on, or has told to go, may go; so may what leaves with its host."""
    return not node.maintained and node.state != "halting" and node.leave is None


def lost_with_others(state: State, node: NodeRecord) -> bool:
    """All who are up have booted a moment ago, and it has not yet: the whole site was lost, which
    is no failure of one node."""
    others = [each for name, each in state.nodes.items() if name != node.name and each.state in UP]
    return bool(others) and all(
        each.booted_ms > node.booted_ms and state.time_ms - each.booted_ms < SITE_MS
        for each in others)


def is_quarantined(node: NodeRecord, at_ms: int) -> bool:
    return node.quarantined_until_ms is not None and at_ms < node.quarantined_until_ms


def why(node: NodeRecord) -> str:
    return f"it failed {len(node.failures_ms)} times within an hour"


def released(node: NodeRecord) -> NodeRecord:
    """Its failures are forgotten."""
    return changed(node, quarantined_until_ms=None, failures_ms=())


def shown(node: NodeRecord, until: str) -> Problem:
    return problem(
        "node-quarantined", f"node:{node.name}",
        what=f"Node {node.name} is quarantined until {until}.",
        because=f"{node.because}: packages start there only where no other node can run them.",
        fix=f"Find out why, then: vmsg node unquarantine {node.name}", severity="warn",
    )


def node_unquarantined(state: State, entry: entries.NodeUnquarantined) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.quarantined_until_ms is None:
        return problem(
            "node-not-quarantined", f"node:{entry.node}",
            what=f"Node {entry.node} is not quarantined.", because=f"It is {node.state}.",
            fix="Look at: vmsg node list",
        )
    node = released(node)
    if node.state == "quarantined":
        node = changed(node, state="running", since_ms=entry.at_ms, because=entry.because)
    return with_node(state, node)
