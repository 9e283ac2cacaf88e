"""Starts that a node had no means for: descriptors, memory, processes, room, a guardian, a LUN or a
bridge that it does not see yet. PURE.

That is the node's trouble. The package is started on its next node at once, and on this one again
when nobody else can, after a while; it is not counted against the package, whose switching stays
on however many nodes lack something.
"""

from collections.abc import Iterator

from cluster.core.hold_records import Shortage
from cluster.core.model import PackageRecord, State
from packages.core.failover import WINDOW_MS
from packages.core.problem import Problem, problem
from packages.core.values import changed

AGAIN_MS = 10_000
"""Before a node is tried again that lacked something, when no other is left."""


def noted(record: PackageRecord, node: str, because: str, time_ms: int) -> PackageRecord:
    others = without(record, node).shortages
    return changed(record, shortages=(
        *others, Shortage(node=node, at_ms=time_ms, because=because)))


def without(record: PackageRecord, node: str) -> PackageRecord:
    """It has started there."""
    return changed(record, shortages=tuple(
        each for each in record.shortages if each.node != node))


def lately(record: PackageRecord, time_ms: int) -> tuple[Shortage, ...]:
    return tuple(each for each in record.shortages if time_ms - each.at_ms < WINDOW_MS)


def elsewhere(record: PackageRecord, time_ms: int) -> PackageRecord:
    """One that is not to be started again first where that has just been tried in vain."""
    is_short = record.preferred in {each.node for each in lately(record, time_ms)}
    return changed(record, preferred="") if is_short else record


def too_soon(record: PackageRecord, node: str, time_ms: int) -> bool:
    return any(each.node == node and time_ms - each.at_ms < AGAIN_MS for each in record.shortages)


def in_turn(record: PackageRecord) -> tuple[str, ...]:
    """Its nodes, when each has something against it: who was tried longest ago first, for the next
    one may have by now what the first still lacks; where its guest has failed, last."""
    at_ms = {each.node: each.at_ms for each in record.shortages}
    return tuple(sorted(
        record.spec.nodes, key=lambda each: (each in record.avoid, at_ms.get(each, 0))))


def problems(state: State) -> Iterator[Problem]:
    """One of each node that lacked something lately, for the newest of its starts."""
    newest: dict[str, tuple[int, str, str]] = {}
    for name, record in sorted(state.packages.items()):
        for each in lately(record, state.time_ms):
            if each.node in state.nodes and newest.get(each.node, (-1,))[0] < each.at_ms:
                newest[each.node] = (each.at_ms, name, each.because)
    for node, (_, package, because) in sorted(newest.items()):
        yield problem(
            "node-lacks-means", f"node:{node}", what=f"{node} could not start {package} lately.",
            because=because, severity="warn",
            fix=f"See what uses up descriptors, memory, processes or room on {node}, or which LUN "
                "or bridge it does not see. It is tried there again by itself where no other node "
                "can start it.",
        )
