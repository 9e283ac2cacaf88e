"""Rules for entries about a node's maintenance: emptied, stuck, cancelled, resumed. PURE.

What is wanted of a node is in its record, with the plan: whoever coordinates goes on from there.
What must never happen here: an arrival on a node that is being emptied; a package stopped because
it could not be moved, unless the operator allowed exactly that.
"""

from cluster.core import entries, refusals
from cluster.core.model import (
    NodeRecord, NodeState, PackageRecord, State, Stuck, packages_of, with_node, with_package
)
from cluster.core.quarantine import is_quarantined, released
from packages.core.problem import Problem
from packages.core.values import changed

CALLED_OFF = ("opened", "copy", "frozen")
"""Stages in which a move may still be asked to end."""


def node_draining(state: State, entry: entries.NodeDraining) -> State | Problem:
    node = _in_state(
        state, entry.node, ("running", "quarantined", "draining"), wanted="be emptied")
    if isinstance(node, Problem):
        return node
    state = _settled(state, node, entry, "draining", changed(
        node, maintained=True, drain=entry.plan or node.drain, returning=(),
        allow_restart=entry.allow_restart,
    ))
    for record in packages_of(state, entry.node):
        if record.move is not None and record.moving and record.move.target == entry.node:
            state = called_off(state, record, f"{entry.node} is being emptied")
    return state


def node_emptied(state: State, entry: entries.NodeEmptied) -> State | Problem:
    held = packages_of(state, entry.node)
    if held:
        return refusals.node_not_empty(entry.node, [each.name for each in held])
    node = _in_state(state, entry.node, ("draining",), wanted="be called empty")
    if isinstance(node, Problem):
        return node
    return _settled(state, node, entry, "maintenance", node)


def drain_cancelled(state: State, entry: entries.DrainCancelled) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.state != "draining":
        return refusals.node_not_draining(entry.node, node.state)
    for record in packages_of(state, entry.node):
        move = record.move
        if move is not None and record.moving and move.source == entry.node and (
                move.purpose == "drain"):
            state = called_off(state, record, entry.because or "its drain was cancelled")
    # A drain does not wipe out why nobody was to be moved there.
    after: NodeState = "quarantined" if is_quarantined(node, state.time_ms) else "running"
    return _settled(state, node, entry, after, changed(
        node, maintained=False, allow_restart=False, leave=None))


def node_resumed(state: State, entry: entries.NodeResumed) -> State | Problem:
    # A node that runs may still have packages to bring home, or be told to leave it at that.
    node = _in_state(
        state, entry.node, ("draining", "maintenance", "running", "quarantined"),
        wanted="be resumed")
    if isinstance(node, Problem):
        return node
    if node.state == "running" and not (entry.returning or node.returning or node.stuck):
        return refusals.node_not_maintained(entry.node)
    return _settled(state, node, entry, "running", changed(
        released(node), maintained=False, allow_restart=False, drain=None, leave=None,
        returning=entry.returning))


def node_stuck(state: State, entry: entries.NodeStuck) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None or node.state != "draining":
        return refusals.stale_order(f"node:{entry.node}", "It is not being drained.")
    return with_node(state, _with_stuck(node, Stuck(
        package=entry.package, problem=entry.problem, tried=entry.tried)))


def still_stuck(state: State, node: NodeRecord) -> list[Stuck]:
    """What cannot leave, or cannot come home; not what has left since."""
    leaves = node.state == "draining"
    return [
        each for each in node.stuck if not leaves
        or (record := state.packages.get(each.package)) is not None and record.owner == node.name
    ]


def return_ended(state: State, entry: entries.ReturnEnded) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None or entry.package not in node.returning:
        return refusals.stale_order(f"node:{entry.node}", "It is not to be brought home any more.")
    node = changed(
        node, returning=tuple(name for name in node.returning if name != entry.package))
    if entry.problem is not None:
        node = _with_stuck(node, Stuck(package=entry.package, problem=entry.problem))
    return with_node(state, node)


def package_relocated(state: State, entry: entries.PackageRelocated) -> State | Problem:
    """Its guest has the time for its own shutdown; once it is gone it is started elsewhere."""
    record, node = state.packages.get(entry.package), state.nodes.get(entry.node)
    if record is None:
        return refusals.unknown_package(entry.package)
    if node is None or node.state != "draining" or not node.allow_restart:
        return refusals.stale_order(f"node:{entry.node}", "Restarts are not allowed any more.")
    if record.owner != entry.node or record.epoch != entry.epoch:
        return refusals.stale_order(f"package:{entry.package}", f"It is on {record.owner}.")
    if record.moving:
        return refusals.package_moving(record)
    if record.state != "running" or not record.auto_run:
        return refusals.not_in_state(record, "be restarted elsewhere")
    return with_package(state, changed(
        record, state="halting", since_ms=entry.at_ms, because=entry.because))


def _in_state(
    state: State, name: str, before: tuple[str, ...], *, wanted: str,
) -> NodeRecord | Problem:
    node = state.nodes.get(name)
    if node is None:
        return refusals.unknown_node(name)
    if node.state in before:
        return node
    if node.state == "maintenance":
        return refusals.node_in_maintenance(name, node.state)
    return refusals.node_not_up(name, node.state, wanted)


def _settled(
    state: State, before: NodeRecord, entry: entries.Entry, after: NodeState, node: NodeRecord,
) -> State:
    """The node in its new state; what was stuck is looked at anew."""
    since_ms = before.since_ms if before.state == after else entry.at_ms
    return with_node(state, changed(
        node, state=after, since_ms=since_ms, because=entry.because, stuck=()))


def _with_stuck(node: NodeRecord, stuck: Stuck) -> NodeRecord:
    others = tuple(each for each in node.stuck if each.package != stuck.package)
    return changed(node, stuck=(*others, stuck))


def called_off(state: State, record: PackageRecord, because: str) -> State:
    """Have its source end the move; one whose switch is decided goes on."""
    move = record.move
    if move is None or move.stage not in CALLED_OFF or move.abort_because:
        return state
    ending = changed(move, abort_because=because, cancelled=True)
    return with_package(state, changed(record, move=ending))
