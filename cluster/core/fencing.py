"""Rules for taking a package over by its disks' own fence, without waiting for a lease. PURE.

A node that is silent may be dead, or hang, or run on beyond a broken network. Where the package
asks for a fence, another of its nodes is ordered to shut the silent owner out of its disks; once it
answers that this is done, the owner cannot write any more, whatever it does, and the package is
free. The answer names its order, and the order the epoch that was to be shut out.

What must never happen here: a package freed by an answer to another order; an owner shut out that
has not yet said that its guest runs: it may be on its way to register, and would come in again.
"""

from cluster.core import entries, refusals
from cluster.core.model import (
    UP, Fencing, PackageRecord, Proof, State, fencing_of, packages_of, unproven, with_package
)
from cluster.core.moves import lose_node
from packages.core.fencing import fenced_by
from packages.core.problem import Problem
from packages.core.values import changed

ANSWER_MS = 8_000
"""The storage has five seconds for each step (packages/fencing/fences.py); a node that has not
answered after this may hang itself."""
AGAIN_MS = 5_000
"""After a fence that failed: what it lacked does not come back within moments, and the lease is
over by then where that is proof enough."""


def may_be_fenced(record: PackageRecord) -> bool:
    """Only a guest that is known to run has its registration behind it."""
    return fenced_by(record.spec) and record.state == "running" and record.owner is not None


def fence_ordered(state: State, entry: entries.FenceOrdered) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    subject = f"package:{record.name}"
    if (record.owner, record.epoch) != (entry.victim, entry.epoch) or not may_be_fenced(record):
        return refusals.stale_order(subject, f"It is {record.state} on {record.owner} now.")
    if entry.term != state.coordinator_term:
        return refusals.stale_order(subject, "A later coordinator has begun.")
    if entry.node == entry.victim or entry.node not in record.spec.nodes:
        return refusals.node_not_eligible(record.name, entry.node, record.spec.nodes)
    node = state.nodes.get(entry.node)
    if node is None or node.state not in UP:
        return refusals.node_not_up(entry.node, node.state if node else "unknown")
    return with_package(state, changed(record, fencing=Fencing(
        id=entry.id, victim=entry.victim, epoch=entry.epoch, node=entry.node, at_ms=state.time_ms,
        because=entry.because,
    )))


def fence_answered(state: State, entry: entries.FenceAnswered) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    fencing = fencing_of(record)
    if fencing is None or fencing.id != entry.order or fencing.problem is not None:
        return refusals.stale_order(f"package:{record.name}", "That fence is not wanted any more.")
    if entry.problem is not None:
        return with_package(state, changed(record, fencing=changed(
            fencing, problem=entry.problem, at_ms=state.time_ms)))
    proof = Proof(
        kind="storage", because=entry.because, node=fencing.victim, at_ms=entry.at_ms, by=entry.by)
    # As if its owner had failed, for this package alone.
    return lose_node(state, changed(record, fencing=None), entries.NodeFailed(
        id=entry.id, at_ms=entry.at_ms, by=entry.by, because=fencing.because, node=fencing.victim,
        incarnation="", proof=proof,
    ))


def to_be_fenced(
    state: State, suspected: frozenset[str], heard: frozenset[str], now_ms: int,
) -> list[PackageRecord]:
    """Packages for which a fence is to be ordered now, by name of their owner."""
    found = []
    for name in sorted(suspected & set(state.nodes)):
        is_up = state.nodes[name].state in UP
        held = packages_of(state, name) if is_up else unproven(state, name)
        found += [
            record for record in held
            if record.owner == name and record.auto_run and may_be_fenced(record)
            and not _is_under_way(record, heard, now_ms)
        ]
    return found


def _is_under_way(record: PackageRecord, heard: frozenset[str], now_ms: int) -> bool:
    fencing = fencing_of(record)
    if fencing is None:
        return False
    # The proposers' wall clocks may differ, by a day as easily as by a second.
    since_ms = abs(now_ms - fencing.at_ms)
    if fencing.problem is not None:
        return since_ms < AGAIN_MS
    return fencing.node in heard and since_ms < ANSWER_MS
