"""A host goes down in order: its node is emptied, and halted until its next boot. PURE.

What may move is moved, by the rules of a drain (errands.py). What cannot, or is not to, is shut
down while there is time for that, dependents first, and is started elsewhere where its switching
allows it. Where every host goes down nothing moves, and the record has it all for the return.

What must never happen here: a node that comes back by itself although an operator halted it or
works on it; a host that ends under a guest that had the time to end before.
"""

from collections.abc import Callable, Iterable

from cluster.core import entries, refusals
from cluster.core.leave_records import Leave
from cluster.core.maintenance import CALLED_OFF, called_off
from cluster.core.membership import is_left_alone
from cluster.core.model import (
    UP, NodeRecord, PackageRecord, State, packages_of, with_node, with_package
)
from packages.core.problem import Problem
from packages.core.start_order import dependencies
from packages.core.values import changed

SLACK_MS = 5_000
"""Between the end of the last guest and the end of its host's patience: to agree on it."""
LATE_MS = 10_000
"""So long before that end nobody waits for its dependents any more."""
MAY_LEAVE: tuple[str, ...] = ("running", "quarantined", "draining", "maintenance")


def node_leaving(state: State, entry: entries.NodeLeaving) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.leave is not None:
        return refusals.stale_order(f"node:{entry.node}", "It leaves already.")
    if node.state not in MAY_LEAVE:
        return refusals.node_not_up(entry.node, node.state, "leave")
    held, within_ms = held_by(state, entry.node), int(entry.within_s * 1000)
    slowest_s = max((each.spec.halt_timeout_s for each in held), default=0.0)
    until_ms = state.time_ms + within_ms
    state = with_node(state, changed(
        node, state="draining", because=entry.because, stuck=(), returning=(),
        since_ms=entry.at_ms if node.state != "draining" else node.since_ms,
        leave=Leave(host_boot=node.host_boot, until_ms=until_ms,
                    move_until_ms=until_ms - min(int(slowest_s * 1000), within_ms // 2)),
    ))
    for record in packages_of(state, entry.node):
        if record.move is not None and record.moving and record.move.target == entry.node:
            state = called_off(state, record, f"the host of {entry.node} goes down")
    return state


def package_let_down(state: State, entry: entries.PackageLetDown) -> State | Problem:
    record, node = state.packages.get(entry.package), state.nodes.get(entry.node)
    if record is None:
        return refusals.unknown_package(entry.package)
    if node is None or node.leave is None:
        return refusals.stale_order(f"node:{entry.node}", "It does not leave any more.")
    if (record.owner, record.epoch) != (entry.node, entry.epoch):
        return refusals.stale_order(f"package:{entry.package}", f"It is on {record.owner}.")
    if record.moving:
        return called_off(state, record, entry.because)
    if record.state not in ("starting", "running"):
        return refusals.stale_order(f"package:{entry.package}", f"It is {record.state} already.")
    record = changed(
        record, since_ms=entry.at_ms, because=entry.because, preferred=entry.node)
    if record.spec.shutdown_policy == "leave":
        # Ended, not left running: what its host ends last may have been frozen, and would go on.
        return with_package(state, changed(record, state="failing", blameless=True))
    left_s = (node.leave.until_ms - state.time_ms - SLACK_MS) / 1000
    if dependencies(record.spec):
        left_s /= 2  # the ones that it depends on come after it
    return with_package(state, changed(
        record, state="halting",
        halt_within_s=max(1.0, min(record.spec.halt_timeout_s, left_s))))


def node_left(state: State, entry: entries.NodeLeft) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.leave is None or node.state != "draining":
        return refusals.stale_order(f"node:{entry.node}", f"It is {node.state}.")
    held = held_by(state, entry.node)
    if held:
        return refusals.node_not_empty(entry.node, [each.name for each in held])
    return with_node(state, changed(
        node, state="halted", since_ms=entry.at_ms, because=entry.because, stuck=()))


def held_by(state: State, node: str) -> list[PackageRecord]:
    """What a node that leaves has to part with first; a detached guest nobody orders about."""
    return [each for each in packages_of(state, node)
            if not is_left_alone(each) and (each.owner == node or each.moving)]


def leavers(state: State) -> list[NodeRecord]:
    """Nodes on their way out with their hosts."""
    return [node for _, node in sorted(state.nodes.items())
            if node.leave is not None and node.state == "draining"]


def may_end(state: State, name: str) -> bool:
    """Whether the host may go down now: its node is out, and no other one that is on its way out
    needs its vote, for a guest without a lease stands still in the middle of its shutdown."""
    node = state.nodes.get(name)
    if node is None or node.state not in UP:
        return not leavers(state) or _are_enough(state, _staying(state, name))
    return node.leave is None and node.state != "halting"


def costs_majority(state: State, name: str) -> bool:
    """Whether guests of nodes that stay would stand frozen without this one."""
    staying = _staying(state, name)
    return not _are_enough(state, staying) and any(held_by(state, each.name) for each in staying)


def _staying(state: State, name: str) -> list[NodeRecord]:
    return [each for _, each in sorted(state.nodes.items())
            if each.state in UP and each.leave is None and each.name != name]


def _are_enough(state: State, nodes: list[NodeRecord]) -> bool:
    voters = [each for each in state.nodes.values() if each.role != "follower"]
    return 2 * len([each for each in nodes if each.role != "follower"]) > len(voters)


def next_steps(
    state: State, *, time_ms: int, now_ms: int, by: str, mint: Callable[[], str],
) -> list[entries.Entry]:
    """What the coordinator proposes about nodes on their way out. `time_ms` is the cluster's."""
    found: list[entries.Entry] = []
    leaving = leavers(state)
    awaited = {name for node in leaving for each in held_by(state, node.name)
               for name in dependencies(each.spec)}
    for node in leaving:
        assert node.leave is not None
        held = held_by(state, node.name)
        if not held:
            found.append(entries.NodeLeft(
                id=mint(), at_ms=now_ms, by=by, node=node.name,
                because="its host goes down; it comes back at its next boot"))
        late = time_ms >= node.leave.until_ms - LATE_MS
        for record in _to_be_let_down(node, held, time_ms):
            if late or record.name not in awaited:
                found.append(entries.PackageLetDown(
                    id=mint(), at_ms=now_ms, by=by, node=node.name, package=record.name,
                    epoch=record.epoch, because=f"the host of {node.name} goes down"))
    return found


def _to_be_let_down(
    node: NodeRecord, held: Iterable[PackageRecord], time_ms: int,
) -> list[PackageRecord]:
    """What runs there and moves nowhere, or has had the time for it."""
    assert node.leave is not None
    over, stuck = time_ms >= node.leave.move_until_ms, {each.package for each in node.stuck}
    found = []
    for record in held:
        if record.owner != node.name or record.state not in ("starting", "running"):
            continue
        if record.moving:
            move = record.move
            if over and move is not None and move.stage in CALLED_OFF and not move.abort_because:
                found.append(record)
        elif over or record.name in stuck or record.spec.shutdown_policy != "move":
            found.append(record)
    return found
