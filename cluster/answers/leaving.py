"""The answer to a host that goes down in order: when it may, and what became of its guests.

It answers as soon as the host may end. What is left when its time is over, or when nothing can be
agreed upon any more, is ended at the host's word: frozen guests that live on into the last moments
of a host would be continued by it.
"""

from collections.abc import Mapping

from cluster.answers.desk import Desk, already, done, preview, refusal
from cluster.answers.planning import plan_of
from cluster.api.messages import LeaveNode, Reply
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from cluster.core.leaving import costs_majority, held_by, leavers, may_end
from cluster.core.model import State
from cluster.raft.problems import no_quorum
from packages.core.drain_plan import DrainPlan
from packages.core.problem import Problem, problem
from packages.core.values import changed

LOOK_S = 0.5
OTHERS_S = 10.0
"""Hosts of one site get the word to go down one after the other. So long a node that would leave
the others without a majority waits for them to leave as well."""
SHORTEST_S = 1.0


async def leave(desk: Desk, caller: Caller, ask: LeaveNode) -> Reply:
    node = desk.ledger.state.nodes.get(ask.node)
    if node is None:
        return refusal(ask, refusals.unknown_node(ask.node))
    end_s = desk.clock.boottime_s() + max(SHORTEST_S, ask.within_s)
    if node.state == "halted":
        return already(ask, f"Node {ask.node} is halted already.", node=ask.node, state="halted")
    if ask.dry_run:
        return await _planned(desk, caller, ask)
    if node.leave is None and node.state != "halting":
        stopped = await desk.change(ask, desk.entry(
            entries.NodeLeaving, caller, ask, node=ask.node,
            because=ask.reason or f"the host of {ask.node} goes down",
            within_s=max(SHORTEST_S, ask.within_s)))
        if stopped is not None:
            return changed(stopped, result=await _ended(desk, ask))
    return await _followed(desk, ask, end_s)


async def _followed(desk: Desk, ask: LeaveNode, end_s: float) -> Reply:
    others_s = min(end_s, desk.clock.boottime_s() + OTHERS_S)

    def is_over(state: State) -> bool:
        patient = desk.clock.boottime_s() < others_s and not leavers(state)
        return may_end(state, ask.node) and not (patient and costs_majority(state, ask.node))

    while not await desk.ledger.until(is_over, deadline_s=LOOK_S):
        if desk.clock.boottime_s() >= end_s:
            held = [each.name for each in held_by(desk.ledger.state, ask.node)]
            ended = await _ended(desk, ask)
            return Reply(verdict="timed-out", request=ask.request, result=ended, problems=(
                _not_left(ask, held),))
        if _is_alone(desk, ask):
            if not desk.worker.guests():
                break  # the others have gone before the last word came here
            return changed(refusal(ask, no_quorum(desk.node)), result=await _ended(desk, ask))
    node = desk.ledger.state.nodes.get(ask.node)
    return done(ask, {"node": ask.node, "state": node.state if node is not None else "unknown"})


def _is_alone(desk: Desk, ask: LeaveNode) -> bool:
    """Nothing is agreed upon any more, so that it runs nothing any more."""
    return ask.node == desk.node and not desk.has_quorum() and not desk.worker.around.may_run()


async def _ended(desk: Desk, ask: LeaveNode) -> dict[str, object]:
    """What was left there and is ended, where the host itself says that it ends."""
    names = await desk.worker.end_all() if ask.host_ends and ask.node == desk.node else []
    return {"node": ask.node, "ended": names}


async def _planned(desk: Desk, caller: Caller, ask: LeaveNode) -> Reply:
    shown = preview(desk.ledger.state, ask, desk.entry(
        entries.NodeLeaving, caller, ask, node=ask.node, within_s=max(SHORTEST_S, ask.within_s)))
    if shown.verdict != "done":
        return shown
    plan = await plan_of(desk, ask.node, allow_restart=False)
    found = [_outlook(record.name, record.spec.shutdown_policy, plan)
             for record in held_by(desk.ledger.state, ask.node)]
    lines = [f"package:{each['package']}: {each['because']}" for each in found]
    return changed(shown, result={
        **shown.result, "would": [*shown.result["would"], *lines], "packages": found})


def _outlook(name: str, policy: str, plan: DrainPlan) -> Mapping[str, object]:
    move = next((each for each in plan.moves() if each.package == name), None)
    if policy == "move" and move is not None:
        return {"package": name, "how": "move", "because": f"moves to {move.target}"}
    if policy == "leave":
        return {"package": name, "how": "leave", "because": "ends with its host (shutdown_policy)"}
    stays = next((each.problem.what for each in plan.staying if each.package == name), "")
    why = "shutdown_policy" if policy == "halt" else stays.rstrip(".") or "it cannot move now"
    return {"package": name, "how": "halt", "because": f"is shut down ({why})"}


def _not_left(ask: LeaveNode, held: list[str]) -> Problem:
    return problem(
        "node-not-left", f"node:{ask.node}", what=f"Node {ask.node} has not left in time.",
        because=f"{', '.join(held)} were still there after {ask.within_s:g} s." if held
        else "Other nodes that leave need its vote until their packages have ended.",
        fix=f"Give it more time, beneath TimeoutStopSec= of vmsgd.service: vmsg node leave "
            f"{ask.node} --timeout 110s. If its host does not go down: vmsg node resume {ask.node}",
    )
