"""Answers about the cluster and its nodes: run and halt.

A halt ends what runs and nothing else: a guest that was left alone before has nobody to end it, and
is named instead of waited for.
"""

from collections.abc import Iterable

from cluster.answers.desk import Desk, already, done, failed, late, refusal
from cluster.api.messages import HaltCluster, HaltNode, Reply, RunCluster, RunNode
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from cluster.core.membership import is_left_alone
from cluster.core.model import UP, PackageRecord, State, packages_of
from packages.core.problem import Problem, problem
from packages.core.values import changed

HALT_SLACK_S = 30.0
"""Beside the slowest guest's own `halt_timeout_s`: to end one that does not obey, and to agree."""


async def run_cluster(desk: Desk, caller: Caller, ask: RunCluster) -> Reply:
    alone = [each for each in desk.ledger.state.packages.values() if each.state == "detached"]
    if desk.ledger.state.running and not alone:
        return already(ask, "The cluster runs already.", running=True)
    return await desk.change(ask, desk.entry(entries.ClusterRun, caller, ask)) or done(
        ask, {"running": True})


async def halt_cluster(desk: Desk, caller: Caller, ask: HaltCluster) -> Reply:
    held = _to_be_halted(desk.ledger.state.packages.values())
    if not held and not desk.ledger.state.running:
        alone = _left_alone(desk.ledger.state.packages.values())
        return already(
            ask, "The cluster is halted already.", [] if ask.detach else _warnings(alone),
            running=False, detached=[each.name for each in alone])
    if held and not (ask.force or ask.detach):
        return refusal(ask, problem(
            "packages-running", f"cluster:{desk.config.name}",
            what="The cluster is not halted: packages run.",
            because=f"{', '.join(sorted(each.name for each in held))} run.",
            fix="Stop them, too: vmsg cluster halt -f; or leave them running unwatched: "
                "vmsg cluster halt -d",
        ))
    unheard = await _against_detaching(desk, held) if ask.detach else []
    if unheard:
        return refusal(ask, *unheard)
    entry = desk.entry(entries.ClusterHalted, caller, ask, detach=ask.detach)
    stopped = await desk.change(ask, entry)
    if stopped is not None:
        return stopped

    def is_halted(state: State) -> bool:
        return not _to_be_halted(state.packages.values())

    if not await desk.ledger.until(is_halted, deadline_s=_slowest_s(held)):
        return late(ask, f"cluster:{desk.config.name}", "Packages are still halting.")
    alone = _left_alone(desk.ledger.state.packages.values())
    result = {"running": False, "detached": [each.name for each in alone]}
    return done(ask, result, [] if ask.detach else _warnings(alone))


async def run_node(desk: Desk, caller: Caller, ask: RunNode) -> Reply:
    node = desk.ledger.state.nodes.get(ask.node)
    if node is not None and node.state in ("running", "quarantined"):
        return already(ask, f"Node {ask.node} runs already.", node=ask.node, state=node.state)
    entry = desk.entry(entries.NodeRun, caller, ask, node=ask.node)
    stopped = await desk.change(ask, entry)
    if stopped is not None:
        return stopped
    known = await desk.silence()
    is_silent = known is not None and ask.node in known.lease_over_ms
    return done(ask, {"node": ask.node, "state": "running"},
                [_runs_unheard(ask.node)] if is_silent else [])


async def halt_node(desk: Desk, caller: Caller, ask: HaltNode) -> Reply:
    held, node = _to_be_halted(packages_of(desk.ledger.state, ask.node)), (
        desk.ledger.state.nodes.get(ask.node))
    if node is not None and node.state == "halted":
        alone = _left_alone(packages_of(desk.ledger.state, ask.node))
        return already(
            ask, f"Node {ask.node} is halted already.", [] if ask.detach else _warnings(alone),
            node=ask.node, state="halted", detached=[each.name for each in alone])
    if node is None or node.state != "halting" or ask.dry_run:  # else its end is waited for
        unheard = await _against_detaching(desk, held) if ask.detach else []
        if unheard:
            return refusal(ask, *unheard)
        entry = desk.entry(
            entries.NodeHalted, caller, ask, node=ask.node, force=ask.force, detach=ask.detach)
        stopped = await desk.change(ask, entry)
        if stopped is not None:
            return stopped

    def is_halted(state: State) -> bool:
        node = state.nodes.get(ask.node)
        return node is None or node.state != "halting"

    if not await desk.ledger.until(is_halted, deadline_s=_slowest_s(held)):
        return late(ask, f"node:{ask.node}", f"Packages are still halting on {ask.node}.")
    alone = _left_alone(packages_of(desk.ledger.state, ask.node))
    result = {
        "node": ask.node, "state": "halted", "detached": [each.name for each in alone]}
    taken = sorted({each.name for each in held if each.state in ("running", "detached")}
                   - {each.name for each in alone}) if ask.detach else []
    if taken:
        return failed(ask, _not_detached(ask.node, taken), result)
    return done(ask, result, [] if ask.detach else _warnings(alone))


async def _against_detaching(desk: Desk, held: list[PackageRecord]) -> list[Problem]:
    """A guest is left alone by its own node: one that does not hear of it freezes it instead."""
    state = desk.ledger.state
    owners = {each.owner for each in held if each.owner is not None
              and state.nodes[each.owner].state in UP}
    return await desk.against_unheard(owners, "Nothing is detached.") if owners else []


def _to_be_halted(records: Iterable[PackageRecord]) -> list[PackageRecord]:
    return [each for each in records if each.owner is not None and not is_left_alone(each)]


def _left_alone(records: Iterable[PackageRecord]) -> list[PackageRecord]:
    alone = (each for each in records if each.state == "detached")
    return sorted(alone, key=lambda each: each.name)


def _slowest_s(held: list[PackageRecord]) -> float:
    return HALT_SLACK_S + max((each.spec.halt_timeout_s for each in held), default=0.0)


def _warnings(alone: list[PackageRecord]) -> list[Problem]:
    return [changed(refusals.package_detached(each, "be halted"), severity="warn")
            for each in alone]


def _not_detached(name: str, packages: list[str]) -> Problem:
    """Of a `halt -d` that the end of its node's lease came before."""
    return problem(
        "node-failed", f"node:{name}", what=f"{', '.join(packages)} did not stay detached.",
        because=f"{name} was called dead before it had heard of it, and what it had is started "
                "elsewhere.",
        fix=f"Nothing needs to be done for the packages: vmsg status. {name} is halted, and stays "
            f"so until: vmsg node run {name}",
    )


def _runs_unheard(name: str) -> Problem:
    return problem(
        "node-silent", f"node:{name}", severity="warn",
        what=f"{name} may run packages again, and is not heard.",
        because="Its host or its daemon is down, or its network is broken.",
        fix="Start its host and its daemon: it joins by itself.",
    )
