"""Answers about a node's maintenance: drain, cancel, resume, bring home, quarantine.

The plan of a drain is shown and goes into the record with the order; from there on the coordinator
carries it out, whoever that is.
"""

from cluster.answers.desk import Desk, already, done, late, refusal
from cluster.answers.planning import plan_of
from cluster.api.messages import CancelDrain, DrainNode, Reply, ResumeNode, UnquarantineNode
from cluster.api.roles import Caller, may_change
from cluster.core import entries, refusals, view
from cluster.core.apply import decide
from cluster.core.model import NodeRecord, State, packages_of
from packages.core.discretion import told_to
from packages.core.drain_plan import DrainPlan
from packages.core.problem import Problem
from packages.core.values import changed

RETURN_S = 3600.0
"""Packages come home within the limits, and each copy takes what it takes."""


async def drain(desk: Desk, caller: Caller, ask: DrainNode) -> Reply:
    node, state = ask.node, desk.ledger.state
    if node not in state.nodes:
        return refusal(ask, refusals.unknown_node(node))
    if state.outcomes.get(ask.request) is not None:
        return done(ask, _drained(state, node))  # its answer was lost
    if state.nodes[node].role == "witness":
        return refusal(ask, refusals.witness_is_empty(node))
    if state.nodes[node].state == "maintenance":
        return already(ask, f"Node {node} is empty already, in maintenance.",
                       **view.plan(DrainPlan(node=node)), **_standing(state, node))
    entry = desk.entry(
        entries.NodeDraining, caller, ask, node=node, allow_restart=ask.allow_restart)
    impossible = decide(state, entry)
    if isinstance(impossible, Problem):
        return refusal(ask, impossible)
    if packages_of(state, node):
        unheard = await desk.against_unheard([node], f"{node} is not emptied.")
        if unheard:
            return refusal(ask, *unheard)
    plan = await plan_of(desk, node, allow_restart=ask.allow_restart)
    if ask.dry_run:
        return done(ask, view.plan(changed(plan, staying=tuple(
            changed(each, problem=told_to([each.problem], may_change=may_change(caller))[0])
            for each in plan.staying))))
    entry = desk.entry(
        entries.NodeDraining, caller, ask, node=node, allow_restart=ask.allow_restart, plan=plan)
    return await desk.change(ask, entry) or done(ask, _drained(desk.ledger.state, node))


def _drained(state: State, node: str) -> dict[str, object]:
    record = state.nodes.get(node)  # it may have been removed a moment later
    drain = record.drain if record is not None else None
    shown = view.plan(drain) if drain is not None else {"node": node}
    return shown | _standing(state, node)


def _standing(state: State, node: str) -> dict[str, object]:
    return {
        "state": _state_of(state, node),
        "packages": [each.name for each in packages_of(state, node)],
    }


async def cancel_drain(desk: Desk, caller: Caller, ask: CancelDrain) -> Reply:
    node = desk.ledger.state.nodes.get(ask.node)
    if node is not None and node.state in ("running", "quarantined"):
        return already(ask, f"Node {ask.node} is not being emptied.",
                       node=ask.node, state=node.state)
    entry = desk.entry(entries.DrainCancelled, caller, ask, node=ask.node)
    stopped = await desk.change(ask, entry)
    return stopped or done(ask, {
        "node": ask.node, "state": _state_of(desk.ledger.state, ask.node)})


def _state_of(state: State, name: str) -> str:
    node = state.nodes.get(name)
    return node.state if node is not None else "unknown"


async def resume(desk: Desk, caller: Caller, ask: ResumeNode) -> Reply:
    record = desk.ledger.state.nodes.get(ask.node)
    if record is None:
        return refusal(ask, refusals.unknown_node(ask.node))
    unable = [found for name in ask.only
              if (found := _against_return(desk.ledger.state, name, ask.node)) is not None]
    if unable:
        return refusal(ask, *unable)
    if ask.bring_back or ask.only:
        unheard = await desk.against_unheard([ask.node], "Nothing is brought home.")
        if unheard:
            return refusal(ask, *unheard)
    home = ask.only
    if ask.bring_back and not ask.only:
        home = at_home_there(desk.ledger.state, record)
    if record.state == "running" and not (home or record.returning or record.stuck):
        return already(ask, f"Node {ask.node} takes packages already, and none is to come home.",
                       node=ask.node, state="running")
    stopped = await desk.change(ask, desk.entry(
        entries.NodeResumed, caller, ask, node=ask.node, returning=home))
    if stopped is not None or not (ask.bring_back or ask.only):
        return stopped or done(ask, {"node": ask.node, "state": "running"})

    def ended(state: State) -> bool:
        node = state.nodes.get(ask.node)
        return node is None or node.state != "running" or not node.returning

    if not await desk.ledger.until(ended, deadline_s=RETURN_S):
        return late(ask, f"node:{ask.node}", "Not every package is home yet.")
    state = desk.ledger.state
    returned = [
        name for name in home
        if name in state.packages and state.packages[name].owner == ask.node
    ]
    node = state.nodes.get(ask.node)
    return done(ask, {
        "node": ask.node, "state": _state_of(state, ask.node), "returned": returned,
    }, [each.problem for each in (node.stuck if node is not None else ()) if each.package in home])


async def unquarantine(desk: Desk, caller: Caller, ask: UnquarantineNode) -> Reply:
    node = desk.ledger.state.nodes.get(ask.node)
    if node is not None and node.state == "running":
        return already(ask, f"Node {ask.node} takes packages already.", node=ask.node)
    entry = desk.entry(entries.NodeUnquarantined, caller, ask, node=ask.node)
    return await desk.change(ask, entry) or done(ask, {"node": ask.node})


def _against_return(state: State, name: str, node: str) -> Problem | None:
    """Why a package that was named cannot be brought there; what its move finds is not asked yet:
    the node takes nothing before it is resumed."""
    record = state.packages.get(name)
    if record is None:
        return refusals.unknown_package(name)
    if record.owner == node:
        return refusals.already_there(name, node)
    if record.state != "running":
        return refusals.not_in_state(record, "be brought home")
    return None if node in record.spec.nodes else refusals.node_not_eligible(
        name, node, record.spec.nodes)


def at_home_there(state: State, node: NodeRecord) -> tuple[str, ...]:
    """What its last drain took away, where one is in the record; else the packages whose primary
    node it is. Only what runs elsewhere now."""
    if node.drain is not None:
        names = [move.package for move in node.drain.moves()]
    else:
        names = [name for name, each in sorted(state.packages.items())
                 if each.spec.nodes[0] == node.name]
    return tuple(
        name for name in names
        if (record := state.packages.get(name)) is not None and node.name in record.spec.nodes
        and record.owner not in (None, node.name) and record.state == "running"
    )
