"""Rules for moves that wait for their turn, because a node takes part in as many as it may. PURE.

The queue is in the record: whoever coordinates opens what waits, in the order in which it was
asked for. What must never happen here: a move that waits for ever, with nobody told why.
"""

from cluster.core import entries, refusals
from cluster.core.model import QueuedMove, State, with_package
from cluster.core.moves import against_opening, asked_for, just_opened
from packages.core.problem import Problem, problem
from packages.core.values import changed


def move_queued(state: State, entry: entries.MoveQueued) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    refused = against_opening(state, record, entry.target)
    if refused is not None:
        return refused
    if record.queued is not None:
        return already_queued(record.name, record.queued)
    return with_package(state, changed(record, queued=asked_for(entry)))


def move_unqueued(state: State, entry: entries.MoveUnqueued) -> State | Problem:
    """Its end is told as that of a move that was opened: whoever follows it looks there."""
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    queued = record.queued
    if queued is None or queued.id != entry.move or record.moving:
        return refusals.stale_order(f"package:{entry.package}", "That move does not wait.")
    ended = changed(
        just_opened(record, queued), stage="done", problem=entry.problem,
        result="aborted" if entry.operator else "failed",
    )
    return with_package(state, changed(record, queued=None, move=ended))


def already_queued(package: str, queued: QueuedMove) -> Problem:
    return problem(
        "package-moving", f"package:{package}", what=f"Package {package} is to be moved already.",
        because=f"A move to {queued.target} waits for its turn.",
        fix=f"Wait for it, or end it with: vmsg move {package} --abort",
    )
