"""What would happen if nodes failed: the same question of the rules as when they do, and every node
that would be left is asked for its memory. Nothing is changed."""

import asyncio

from cluster.answers.desk import Desk, done, refusal
from cluster.api.messages import PlanFailure, Reply
from cluster.api.roles import Caller
from cluster.core import refusals, view
from cluster.core.fail_plan import plan_failure
from cluster.core.model import UP
from packages.core.values import changed


async def failure(desk: Desk, _: Caller, ask: PlanFailure) -> Reply:
    state = desk.ledger.state
    unknown = [name for name in ask.nodes if name not in state.nodes]
    if unknown:
        return changed(refusal(ask, refusals.unknown_node(unknown[0])), problems=tuple(
            refusals.unknown_node(name) for name in unknown))
    known = await desk.silence()
    up = {name for name, node in state.nodes.items() if node.state in UP}
    left = sorted(up - set(ask.nodes))
    answers = dict(zip(left, await asyncio.gather(*(
        desk.survey.of(name, ()) for name in left)), strict=True))
    plan = plan_failure(
        state, ask.nodes, heard=frozenset(known.heard) if known is not None else up,
        free_mib={name: each.facts.memory_free_mib for name, each in answers.items()
                  if each is not None},
        fenced={name for name in state.nodes if desk.fencing.fences(name)}, limits=desk.limits(),
    )
    lease_s = max(sum(desk.landlord.counted(name)) for name in ask.nodes or state.nodes)
    return done(ask, view.fail_plan(plan, lease_proves_s=lease_s))
