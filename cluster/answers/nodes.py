"""Answers about the cluster and its nodes: run and halt."""

from cluster.answers.desk import Desk, done, late, refusal
from cluster.api.messages import HaltCluster, HaltNode, Reply, RunCluster, RunNode
from cluster.api.roles import Caller
from cluster.core import entries
from cluster.core.model import State
from packages.core.problem import problem

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

    def is_halted(state: State) -> bool:
        node = state.nodes.get(ask.node)
        return node is None or node.state != "halting"

    if not await desk.ledger.until(is_halted, deadline_s=HALT_S):
        return late(ask, f"node:{ask.node}", f"Packages are still halting on {ask.node}.")
    return done(ask, {"node": ask.node, "state": "halted"})
