"""What would happen if nodes failed: the same question of the rules as when they do, and every node
that would be left is asked for its memory, bridges and disks. Nothing is changed."""

import asyncio
from collections.abc import Mapping

from cluster.answers.desk import Desk, done, refusal
from cluster.answers.survey import NodeAnswer, fences_of, paths
from cluster.api.messages import PlanFailure, Reply
from cluster.api.roles import Caller, may_change
from cluster.core import refusals, view
from cluster.core.fail_plan import plan_failure
from cluster.core.model import UP, PackageRecord
from packages.core.discretion import told_to
from packages.core.problem import Problem
from packages.core.problem import refusals as refusing
from packages.core.values import changed

OF_MEMORY = frozenset({"memory-short", "memory-reserved"})


async def _asked(desk: Desk, node: str, lost: list[PackageRecord]) -> NodeAnswer | None:
    """What the node has, and sees of the disks of what it would be given."""
    specs = [each.spec for each in lost if node in each.spec.nodes]
    fences = {path: fence for spec in specs for path, fence in fences_of(spec).items()}
    return await desk.survey.of(
        node, tuple(sorted({path for spec in specs for path in paths(spec)})), None, fences)


def _against(
    desk: Desk, caller: Caller, record: PackageRecord,
    answers: Mapping[str, NodeAnswer | None],
) -> dict[str, list[Problem]]:
    """Why each node that told could not start it, by the rules of a start."""
    found: dict[str, list[Problem]] = {}
    for name in record.spec.nodes:
        answer = answers.get(name)
        if answer is not None:
            verdict = refusing(desk.survey.verdict_on_start(record.spec, name, answer))
            found[name] = told_to(
                (each for each in verdict if each.code not in OF_MEMORY),
                may_change=may_change(caller))
    return found


async def failure(desk: Desk, caller: Caller, ask: PlanFailure) -> Reply:
    state = desk.ledger.state
    unknown = sorted(set(ask.nodes) - set(state.nodes))
    if unknown:
        return changed(refusal(ask, refusals.unknown_node(unknown[0])), problems=tuple(
            refusals.unknown_node(name) for name in unknown))
    known = await desk.silence()
    up = {name for name, node in state.nodes.items() if node.state in UP}
    left = sorted(up - set(ask.nodes))
    lost = [each for _, each in sorted(state.packages.items()) if each.owner in ask.nodes]
    async with desk.surveys:
        answers = dict(zip(left, await asyncio.gather(*(
            _asked(desk, name, lost) for name in left)), strict=True))
    async with desk.fair.turn(caller.shown):
        against = {}
        for record in lost:
            against[record.name] = _against(desk, caller, record, answers)
            await asyncio.sleep(0)  # hundreds of them are no single turn of the loop
        plan = plan_failure(
            state, ask.nodes, heard=frozenset(known.heard) if known is not None else up,
            free_mib={name: each.facts.memory_free_mib for name, each in answers.items()
                      if each is not None},
            fenced={name for name in state.nodes if desk.fencing.fences(name)},
            limits=desk.limits(), against=against,
        )
    lease_s = max(sum(desk.landlord.counted(name)) for name in ask.nodes or state.nodes)
    return done(ask, view.fail_plan(plan, lease_proves_s=lease_s))
