"""Rules for entries about moves: the table of what may follow what, and what it changes.

The stages are drawn in docs/moves.md from `STAGES`. The point of no return is `move-committed`:
before it the source's copy counts, from it on the target's. What must never happen here: a commit
after an abort was agreed, a claim of a target's copy that the source may have outlived.
"""

from collections.abc import Callable

from cluster.core import entries, refusals
from cluster.core.floor import V0_2, floor_allows
from cluster.core.model import (
    UP, Freeze, LostOwner, MoveRecord, MoveStage, PackageRecord, PackageState, Proof, QueuedMove,
    State, suffices, with_package
)
from cluster.core.suspensions import is_suspended, noted
from packages.core.known_disks import learnt
from packages.core.limits import Route, crowded
from packages.core.problem import Problem, problem
from packages.core.values import changed

STAGES: dict[tuple[MoveStage, str], MoveStage] = {
    ("opened", "move-landed"): "copy",
    ("copy", "move-frozen"): "frozen",
    ("copy", "move-committed"): "committed",
    ("frozen", "move-committed"): "committed",
    ("orphaned", "move-committed"): "committed",
    ("opened", "move-abort-asked"): "opened",
    ("copy", "move-abort-asked"): "copy",
    ("frozen", "move-abort-asked"): "frozen",
    ("copy", "move-aborting"): "aborting",
    ("frozen", "move-aborting"): "aborting",
    ("opened", "move-aborted"): "done",
    ("copy", "move-aborted"): "done",
    ("frozen", "move-aborted"): "done",
    ("aborting", "move-aborted"): "done",
    ("orphaned", "move-aborted"): "done",
    ("committed", "move-thawed"): "done",
    ("committed", "move-returned"): "done",
}
"""(stage, entry) -> next stage. What is absent is refused: a late answer changes nothing."""

MoveEntry = (
    entries.MoveLanded | entries.MoveFrozen | entries.MoveAbortAsked | entries.MoveAborting
    | entries.MoveAborted | entries.MoveCommitted | entries.MoveThawed | entries.MoveReturned
)


def kind_of(entry: entries.Entry) -> str:
    return str(type(entry).__struct_config__.tag)


def move_opened(state: State, entry: entries.MoveOpened) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    refused = against_opening(state, record, entry.target)
    if refused is not None:
        return refused
    assert record.owner is not None
    route = (record.owner, entry.target)
    reason = crowded(routes(state), route, entry.limits) if entry.limits else ""
    if reason:
        return refusals.move_limit_reached(record.name, reason)
    move = changed(just_opened(record, asked_for(entry)), purpose=entry.purpose)
    return with_package(state, changed(record, move=move, queued=None))


def asked_for(entry: entries.MoveOpened | entries.MoveQueued) -> QueuedMove:
    return QueuedMove(
        id=entry.move, target=entry.target, at_ms=entry.at_ms, by=entry.by, because=entry.because)


def just_opened(record: PackageRecord, asked: QueuedMove) -> MoveRecord:
    """A move at its beginning; one that waits may do so for a package that has no node now."""
    return MoveRecord(
        id=asked.id, package=record.name, source=record.owner or "", target=asked.target,
        epoch=record.epoch, boot_id=record.boot_id, machine=record.machine, accel=record.accel,
        opened_at_ms=asked.at_ms, by=asked.by, because=asked.because,
    )


def routes(state: State) -> list[Route]:
    """Where the moves under way go from and to, by package."""
    moves = (state.packages[name].move for name in sorted(state.moves))
    return [
        (move.source, move.target) for move in moves
        if move is not None and move.stage != "done"
    ]


def against_opening(state: State, record: PackageRecord, target: str) -> Problem | None:
    node = state.nodes.get(target)
    if node is None:
        return refusals.unknown_node(target)
    if record.moving:
        return refusals.package_moving(record)
    if record.state != "running":
        return refusals.not_in_state(record, "be moved")
    if record.owner == target:
        return refusals.already_there(record.name, target)
    if target not in record.spec.nodes:
        return refusals.node_not_eligible(record.name, target, record.spec.nodes)
    if node.state in ("draining", "maintenance"):
        return refusals.node_in_maintenance(target, node.state)
    if node.state == "quarantined":
        return refusals.node_quarantined(target)
    if node.state != "running":
        return refusals.node_not_up(target, node.state)
    if node.guardian_silent:
        return refusals.guardian_unreachable(target)
    return None


def move_entry(state: State, entry: MoveEntry) -> State | Problem:
    """Every entry of a move that is open goes through the table."""
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    move = record.move
    if move is None or move.id != entry.move:
        return refusals.stale_order(f"package:{entry.package}", "That move is over.")
    stage = STAGES.get((move.stage, kind_of(entry)))
    if stage is None:
        return refusals.stale_order(
            f"package:{entry.package}", f"The move is {move.stage}: {kind_of(entry)} came late.",
        )
    record = changed(record, move=changed(move, stage=stage))
    record = EFFECTS[type(entry)](record, entry)
    if stage == "done" and record.owner is not None and state.nodes[record.owner].state not in UP:
        record = _left_by_both(record)
    return with_package(state, record)


def _move(record: PackageRecord) -> MoveRecord:
    assert record.move is not None
    return record.move


def _landed(record: PackageRecord, entry: entries.MoveLanded) -> PackageRecord:
    return changed(record, move=changed(_move(record), landing=entry.landing))


def _frozen(record: PackageRecord, entry: entries.MoveFrozen) -> PackageRecord:
    freeze = Freeze(move=entry.move, since_ms=int(entry.stopped_at_ms), until_ms=entry.until_ms)
    move = changed(_move(record), stopped_at_ms=entry.stopped_at_ms)
    return changed(record, move=move, freeze=freeze)


def _abort_asked(record: PackageRecord, entry: entries.MoveAbortAsked) -> PackageRecord:
    move = changed(
        _move(record), abort_because=entry.because or "it was cancelled", cancelled=entry.operator,
    )
    return changed(record, move=move)


def _aborting(record: PackageRecord, entry: entries.MoveAborting) -> PackageRecord:
    return changed(record, move=changed(
        _move(record), abort_because=_move(record).abort_because or entry.because,
    ))


def _aborted(record: PackageRecord, entry: entries.MoveAborted) -> PackageRecord:
    figures = changed(
        entry.figures, total_ms=max(0.0, float(entry.at_ms - _move(record).opened_at_ms)),
    )
    record = changed(record, move=changed(_move(record), figures=figures))
    target = _move(record).target
    if entry.target_hangs and target not in record.avoid:
        record = changed(record, avoid=(*record.avoid, target))
    if record.owner is None and not record.auto_run:
        record = changed(record, state="failed")  # nobody would start it: it waits for an operator
    return end_move(record, entry.problem)


def _committed(record: PackageRecord, entry: entries.MoveCommitted) -> PackageRecord:
    move = changed(_move(record), figures=entry.figures)
    return changed(
        record, move=move, owner=move.target, epoch=move.epoch + 1, state="running",
        since_ms=entry.at_ms, because=f"moved from {move.source}", not_runnable_on=move.source,
    )


def _thawed(record: PackageRecord, entry: entries.MoveThawed) -> PackageRecord:
    move = _move(record)
    stopped = move.stopped_at_ms or entry.resumed_at_ms
    # Two hosts' wall clocks: where they disagree more than the freeze was long, the difference
    # could be negative; it is shown as zero rather than as nonsense.
    freeze_ms = max(0.0, entry.resumed_at_ms - stopped)
    figures = changed(
        move.figures, freeze_ms=freeze_ms,
        frozen_ms=max(0.0, freeze_ms - move.figures.io_quiesce_ms),
        monitoring_suspended_ms=max(0.0, entry.monitored_at_ms - stopped),
        total_ms=max(0.0, entry.resumed_at_ms - move.opened_at_ms),
    )
    move = changed(move, result="completed", figures=figures)
    disks = learnt(record.disks, entry.disks)
    return changed(record, move=move, freeze=None, avoid=(), disks=disks)


def _returned(record: PackageRecord, entry: entries.MoveReturned) -> PackageRecord:
    move = _move(record)
    record = end_move(record, problem(
        "move-failed", f"package:{record.name}",
        what=f"The move of {record.name} to {move.target} failed at the last step.",
        because=entry.because, fix=f"Look at {move.target}, then move it again.",
    ))
    return changed(
        record, owner=move.source, epoch=record.epoch + 1, not_runnable_on=move.target,
        because=f"the copy on {move.target} died before it ran",
    )


def _left_by_both(record: PackageRecord) -> PackageRecord:
    """Given back to a source that was proven dead meanwhile: nobody has its memory any more."""
    return changed(record, owner=None, state="relocate_wait" if record.auto_run else "failed")


EFFECTS: dict[type[entries.Entry], Callable[..., PackageRecord]] = {
    entries.MoveLanded: _landed,
    entries.MoveFrozen: _frozen,
    entries.MoveAbortAsked: _abort_asked,
    entries.MoveAborting: _aborting,
    entries.MoveAborted: _aborted,
    entries.MoveCommitted: _committed,
    entries.MoveThawed: _thawed,
    entries.MoveReturned: _returned,
}


def end_move(record: PackageRecord, because: Problem) -> PackageRecord:
    """The move is over without having moved the package; monitoring is on again."""
    move = record.move
    if move is None or move.stage == "done" and move.result is not None:
        return record
    result = "aborted" if move.cancelled else "failed"
    ended = changed(move, stage="done", result=result, problem=because)
    return changed(record, move=ended, freeze=None)


def lose_node(state: State, record: PackageRecord, entry: entries.NodeFailed) -> State:
    """A node that took part in this package is proven dead."""
    move = record.move if record.moving else None
    if record.owner is None and record.lost is not None:
        return state  # lost before, by another proof
    if record.owner != entry.node:
        if move is None or move.target != entry.node:
            return state  # the source of a committed move: the target goes on
        if move.stage == "orphaned":
            return with_package(state, end_move(record, problem(
                "move-failed", f"package:{record.name}", what="Both ends of the move failed.",
                because=entry.because, fix="The package is started anew where that is possible.",
            )))
        because = move.abort_because or f"the target {entry.node} failed"
        # Not only asked for: a commit to a node that nobody hears from would end nothing.
        aborting = changed(move, stage="aborting", abort_because=because)
        return with_package(state, changed(record, move=aborting))
    if not suffices(entry.proof.kind, record):
        return state  # as if nothing had happened: its node may come back and go on with it
    ended = end_move(record, problem(
        "move-failed", f"package:{record.name}", what="The move was ended by a node's failure.",
        because=entry.because, fix="The package is started elsewhere; nothing needs to be done.",
    ))
    is_earlier = not floor_allows(state, V0_2)
    if record.state == "halting" or record.state == "detached":
        return with_package(state, _without_owner(
            record if is_earlier else ended, entry, state_after=after_halt(state, record)))
    if move is not None and move.stage == "frozen":
        return with_package(state, orphan(record, entry.at_ms, entry.because, entry.proof))
    record = ended
    if is_earlier:
        return with_package(state, _without_owner(
            record, entry, state_after="relocate_wait" if record.auto_run else "failed"))
    lost = None
    if record.state in ("starting", "running") and entry.proof.kind != "storage" and (
            move is None or move.stage in ("opened", "copy")):
        # One that is shut out of its disks, or may not have begun to run, has nothing to keep.
        lost = LostOwner(node=entry.node, epoch=record.epoch, state=(
            "running" if record.state == "running" else "starting"))
    if lost is None and is_suspended(record):
        return with_package(state, changed(
            noted(changed(record, because=entry.because), entry.node, entry.at_ms, blameless=True),
            proof=entry.proof, freeze=None))
    return with_package(state, changed(_without_owner(record, entry), lost=lost))


def after_halt(state: State, record: PackageRecord) -> PackageState:
    """Halted because its node was, or to be started elsewhere, it waits for a node; halted by an
    operator, whose order takes its switching away, it stays so."""
    stopping = record.state == "halting" or record.guarded  # never left alone: lost like any other
    wanted = stopping and record.auto_run and state.running
    return "relocate_wait" if wanted else "halted"


def orphan(
    record: PackageRecord, at_ms: int, because: str, proof: Proof | None = None,
) -> PackageRecord:
    """The source's copy is lost in the switch: nobody owns the package until the target has said
    whether it holds the whole memory, and the last of it."""
    assert record.move is not None
    record = changed(record, move=changed(record.move, stage="orphaned"))
    return changed(
        record, owner=None, state="relocate_wait", since_ms=at_ms, because=because,
        proof=proof or record.proof,
    )


def _without_owner(
    record: PackageRecord, entry: entries.NodeFailed, *, state_after: str = "",
) -> PackageRecord:
    return changed(
        record, owner=None, state=state_after or "relocate_wait", since_ms=entry.at_ms,
        because=entry.because, proof=entry.proof, freeze=None,
    )
