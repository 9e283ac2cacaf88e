"""Answers about moves: open, look at, call off."""

from cluster.answers.desk import Desk, done, failed, late, refusal
from cluster.api.messages import AbortMove, GetMove, MovePackage, Reply
from cluster.api.roles import Caller
from cluster.core import entries, refusals, view
from cluster.core.membership import is_left_alone
from cluster.core.model import QueuedMove, State
from cluster.core.queue import already_queued
from packages.core.problem import problem
from packages.core.problem import refusals as refusing

ABORT_S = 30.0
"""A copy is called off within milliseconds; a switch that has begun may first have to end."""


async def open_move(desk: Desk, caller: Caller, ask: MovePackage) -> Reply:
    state = desk.ledger.state
    record = state.packages.get(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if ask.request and record.move is not None and record.move.id == ask.request:
        # The client lost the answer and asks again, perhaps of another node.
        return done(ask, view.move(record, await desk.around([record])))
    if record.queued is not None and record.queued.id == ask.request:
        return done(ask, view.move(record, await desk.around([])))
    if ask.node not in state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    if record.queued is not None:
        return refusal(ask, already_queued(record.name, record.queued))
    problems = await desk.survey.against_move(record, ask.node)
    if refusing(problems):
        owners = [] if record.owner is None or is_left_alone(record) else [record.owner]
        unheard = await desk.against_unheard(
            owners, f"{ask.package} is not moved.") if owners else []
        return refusal(ask, *(unheard or problems))
    move = f"{ask.request}" if ask.request else desk.clock.token()
    entry = desk.entry(
        entries.MoveOpened, caller, ask, move=move, package=ask.package, target=ask.node,
        limits=desk.limits())
    stopped = await desk.change(ask, entry)
    if ask.queue and _must_wait(stopped):
        stopped = await desk.change(ask, desk.entry(
            entries.MoveQueued, caller, ask, part="-queued", move=move, package=ask.package,
            target=ask.node))
    if stopped is not None:
        return stopped
    now = desk.ledger.package(ask.package)
    shown = view.move(now, await desk.around([])) if now is not None else None
    return done(ask, shown, problems)


def _must_wait(stopped: Reply | None) -> bool:
    return stopped is not None and any(
        each.code == "move-limit-reached" for each in stopped.problems)


async def look(desk: Desk, _: Caller, ask: GetMove) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if record.move is None and record.queued is None:
        return refusal(ask, refusals.package_not_moving(ask.package))
    around = await desk.around([record])
    return done(ask, view.move(desk.ledger.package(ask.package) or record, around))


async def abort(desk: Desk, caller: Caller, ask: AbortMove) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if record.queued is not None and not record.moving:
        return await _out_of_queue(desk, caller, ask, record.queued)
    if not record.moving or record.move is None:
        return refusal(ask, refusals.package_not_moving(ask.package))
    move = record.move
    stopped = await desk.change(ask, desk.entry(
        entries.MoveAbortAsked, caller, ask, move=move.id, package=ask.package, operator=True,
    ))
    if stopped is not None:
        return stopped

    def ended(state: State) -> bool:
        now = state.packages.get(ask.package)
        return now is None or now.move is None or now.move.id != move.id or not now.moving

    if not await desk.ledger.until(ended, deadline_s=ABORT_S):
        return late(ask, f"package:{ask.package}", "The move has not ended yet.")
    now = desk.ledger.package(ask.package)
    if now is None or now.move is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    shown = view.move(now, await desk.around([]))
    if now.move.result == "completed":
        return failed(ask, refusals.too_late(ask.package, now.move.target), shown)
    return done(ask, shown)


async def _out_of_queue(
    desk: Desk, caller: Caller, ask: AbortMove, queued: QueuedMove,
) -> Reply:
    """It may have been opened at this very moment: then its asker tries again."""
    stopped = await desk.change(ask, desk.entry(
        entries.MoveUnqueued, caller, ask, move=queued.id, package=ask.package, operator=True,
        problem=problem(
            "move-aborted", f"package:{ask.package}", what="The move was cancelled.",
            because=f"{caller.name} called it off while it waited for its turn.",
            fix="Nothing needs to be done: the guest runs on where it is.",
        )))
    now = desk.ledger.package(ask.package)
    return stopped or done(ask, view.move(now, await desk.around([])) if now else None)
