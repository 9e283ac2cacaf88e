"""Answers about power fences: trying them, and switching a node off by an operator's order."""

import asyncio
from typing import Any

from cluster.answers.consent import power_cut, unconfirmed, with_consequences
from cluster.answers.desk import Desk, done, late, refusal
from cluster.api.messages import AskFence, AskFenceTest, FenceNode, Reply
from cluster.api.roles import Caller
from cluster.config.schema import FenceConfig
from cluster.core import refusals
from cluster.core.model import UP, packages_of
from cluster.fencing import not_fenced
from cluster.power.levels import levels_of
from packages.core.problem import Problem, plain_list
from packages.core.values import changed

SLACK_S = 5.0
"""Beyond what the agents themselves may take."""


async def fence_node(desk: Desk, caller: Caller, ask: FenceNode) -> Reply:
    if ask.node not in desk.ledger.state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    fences = desk.fencing.fences(ask.node)
    if not fences:
        return refusal(ask, not_fenced(ask.node))
    if ask.test:
        return done(ask, {"node": ask.node, "tests": await _tests(desk, ask.node, fences)})
    follows = [power_cut(
        ask.node, [each.name for each in packages_of(desk.ledger.state, ask.node)])]
    if ask.dry_run:
        return with_consequences(done(ask, {"would": [
            f"node:{ask.node}: {' and '.join(each.agent for each in level)} would switch it off"
            f" (level {number})" for number, level in levels_of(fences)
        ]}), follows)
    return unconfirmed(ask, follows) or await _by_the_coordinator(desk, caller, ask, fences)


async def _by_the_coordinator(
    desk: Desk, caller: Caller, ask: FenceNode, fences: tuple[FenceConfig, ...],
) -> Reply:
    wish = AskFence(request=ask.request, node=ask.node, by=caller.name, reason=ask.reason)
    leader = desk.ledger.replica.leader()
    if leader is None or leader not in desk.peers:
        answer: Reply | Problem = await fence(desk, caller, wish)
    else:
        answer = await desk.peers[leader].ask(wish, deadline_s=_longest_s(fences))
    if isinstance(answer, Problem):
        return late(ask, f"node:{ask.node}", f"Nobody has said what became of {ask.node}.")
    if answer.verdict != "done":
        return changed(answer, number=0, request=ask.request)
    return done(ask, {"node": ask.node, "power": "off"})


def _longest_s(fences: tuple[FenceConfig, ...]) -> float:
    """One level after the other; those of one level at the same time, each asked to switch off and
    then how the power stands."""
    return SLACK_S + sum(
        2 * max(each.timeout_s for each in level) for _, level in levels_of(fences))


async def fence(desk: Desk, _: Caller, ask: AskFence) -> Reply:
    if ask.node not in desk.ledger.state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    refused = await desk.fencing.by_order(
        ask.node, by=ask.by, because=ask.reason or f"asked for by {ask.by}", entry=ask.request)
    return refusal(ask, refused) if refused is not None else done(ask)


async def _tests(
    desk: Desk, node: str, fences: tuple[FenceConfig, ...],
) -> list[dict[str, Any]]:
    """From every node that is up: any of them may coordinate one day."""
    state = desk.ledger.state
    others = [each for each in sorted(desk.peers)
              if each in state.nodes and state.nodes[each].state in UP]
    ask, deadline_s = AskFenceTest(node=node), max(each.timeout_s for each in fences) + SLACK_S
    own, *replies = await asyncio.gather(
        _tested(desk, node),
        *(desk.peers[each].ask(ask, deadline_s=deadline_s) for each in others))
    found = list(own)
    for reply in replies:
        if isinstance(reply, Reply) and reply.verdict == "done":
            found += reply.result
    return found


async def fence_test(desk: Desk, _: Caller, ask: AskFenceTest) -> Reply:
    return done(ask, await _tested(desk, ask.node))


async def _tested(desk: Desk, node: str) -> list[dict[str, Any]]:
    fences = sorted(desk.fencing.fences(node), key=lambda each: each.level)
    return list(await asyncio.gather(*(_one(desk, each) for each in fences)))


async def _one(desk: Desk, fence: FenceConfig) -> dict[str, Any]:
    problems, power = await asyncio.gather(
        desk.fencing.door.check(fence), desk.fencing.door.power(fence))
    if isinstance(power, Problem) and power not in problems:
        problems = [*problems, power]
    return {
        "from": desk.node, "agent": fence.agent, "level": fence.level,
        "power": None if isinstance(power, Problem) else power, "problems": plain_list(problems),
    }
