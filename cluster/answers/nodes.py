"""Answers about the cluster and its nodes: run, halt, drain, resume."""

import asyncio

from cluster.answers.desk import Desk, done, late, refusal
from cluster.api.messages import (
    DrainNode, HaltCluster, HaltNode, Reply, ResumeNode, RunCluster, RunNode
)
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from cluster.core.coordinator import candidates, node_views
from cluster.core.model import PackageRecord, packages_of
from packages.core.problem import Problem, plain_list, problem
from packages.core.values import plain

HALT_S = 120.0
"""Guests have their own `halt_timeout_s`; this is for the slowest of them."""


async def run_cluster(desk: Desk, caller: Caller, ask: RunCluster) -> Reply:
    return await desk.change(ask, desk.entry(entries.ClusterRun, caller, ask)) or done(
        ask, {"running": True})


async def halt_cluster(desk: Desk, caller: Caller, ask: HaltCluster) -> Reply:
    held = [name for name, each in sorted(desk.ledger.state.packages.items()) if each.owner]
    if held and not (ask.force or ask.detach):
        return refusal(ask, problem(
            "packages-running", f"cluster:{desk.config.name}",
            what="The cluster is not halted: packages run.", because=f"{', '.join(held)} run.",
            fix="Add -f to stop them, or -d to leave them running unwatched.",
        ))
    entry = desk.entry(entries.ClusterHalted, caller, ask, detach=ask.detach)
    stopped = await desk.change(ask, entry)
    if stopped is not None:
        return stopped
    if not ask.detach:
        await desk.ledger.until(
            lambda state: not any(each.owner for each in state.packages.values()),
            deadline_s=HALT_S)
    return done(ask, {"running": False})


async def run_node(desk: Desk, caller: Caller, ask: RunNode) -> Reply:
    entry = desk.entry(entries.NodeRun, caller, ask, node=ask.node)
    return await desk.change(ask, entry) or done(ask, {"node": ask.node, "state": "running"})


async def halt_node(desk: Desk, caller: Caller, ask: HaltNode) -> Reply:
    entry = desk.entry(
        entries.NodeHalted, caller, ask, node=ask.node, force=ask.force, detach=ask.detach)
    stopped = await desk.change(ask, entry)
    if stopped is not None:
        return stopped
    if not ask.detach and not await desk.ledger.until(
            lambda state: not packages_of(state, ask.node), deadline_s=HALT_S):
        return late(ask, f"node:{ask.node}", f"Packages are still halting on {ask.node}.")
    return done(ask, {"node": ask.node, "state": "halted"})


async def drain(desk: Desk, caller: Caller, ask: DrainNode) -> Reply:
    state = desk.ledger.state
    if ask.node not in state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    if ask.dry_run:
        return done(ask, await _drain_plan(desk, ask.node))
    entry = desk.entry(entries.NodeDraining, caller, ask, node=ask.node)
    return await desk.change(ask, entry) or done(ask, {
        "node": ask.node, "state": "draining",
        "packages": [each.name for each in packages_of(desk.ledger.state, ask.node)],
    })


async def _drain_plan(desk: Desk, node: str) -> dict[str, object]:
    """What a drain would do, by the same choice and the same rules."""
    records = [each for each in packages_of(desk.ledger.state, node) if each.owner == node]
    found = await asyncio.gather(*(_first_target(desk, record) for record in records))
    moves, stuck = [], []
    for record, (target, problems) in zip(records, found, strict=True):
        if target is None:
            stuck.append({"package": record.name, "problem": plain(problems[0])})
        else:
            moves.append({
                "package": record.name, "target": target, "problems": plain_list(problems),
                "because": f"{target} is the first node of its list that can take it",
            })
    return {"node": node, "moves": moves, "stuck": stuck}


async def _first_target(desk: Desk, record: PackageRecord) -> tuple[str | None, list[Problem]]:
    state = desk.ledger.state
    targets = candidates(record, node_views(state, frozenset(state.nodes)))
    last: list[Problem] = [refusals.no_target(record.name, record.spec.nodes)]
    for target in targets:
        problems = await desk.survey.against_move(record, target)
        refused = [each for each in problems if each.severity == "refuse"]
        if not refused:
            return target, problems
        last = refused
    return None, last


async def resume(desk: Desk, caller: Caller, ask: ResumeNode) -> Reply:
    stopped = await desk.change(ask, desk.entry(
        entries.NodeResumed, caller, ask, node=ask.node))
    if stopped is not None or not ask.bring_back:
        return stopped or done(ask, {"node": ask.node, "state": "running"})
    begun, kept = [], []
    for name in sorted(desk.ledger.state.packages):
        record = desk.ledger.state.packages[name]
        if record.state != "running" or record.owner == ask.node or record.moving:
            continue
        if record.spec.nodes[0] != ask.node:
            continue
        failure = await _bring_home(desk, caller, ask, record)
        if failure is None:
            begun.append(name)
        else:
            kept.append(failure)
    return done(ask, {"node": ask.node, "state": "running", "returned": begun}, kept)


async def _bring_home(
    desk: Desk, caller: Caller, ask: ResumeNode, record: PackageRecord,
) -> Problem | None:
    """Move one package back to its primary node, and wait for it."""
    problems = await desk.survey.against_move(record, ask.node)
    refused = [each for each in problems if each.severity == "refuse"]
    if refused:
        return refused[0]
    move = desk.clock.token()
    refusal_of = await desk.ledger.propose(desk.entry(
        entries.MoveOpened, caller, ask, part=f"-{record.name}", move=move, package=record.name,
        target=ask.node, because=f"{ask.node} is back",
    ), deadline_s=10.0)
    if refusal_of is not None:
        return refusal_of
    await desk.ledger.until(
        lambda state: not state.packages[record.name].moving
        if record.name in state.packages else True, deadline_s=None)
    now = desk.ledger.package(record.name)
    return now.move.problem if now is not None and now.move is not None else None
