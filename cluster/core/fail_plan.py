"""What would happen if these nodes failed now: which package starts where, in which order, by which
proof, and which would not. PURE.

The same rules as for a real takeover: whose death can be proven and how, the order of starts, the
first node of the list that may take it by what it tells of its bridges, disks and QEMU, and memory
given once. A forecast and no promise: the same is asked anew when it comes to it.
What must never happen here: a package that is promised a place the real takeover would not give.
"""

from collections.abc import Collection, Mapping

from cluster.core import refusals
from cluster.core.coordinator import node_views, place
from cluster.core.dependence import unmet
from cluster.core.fencing import may_be_fenced
from cluster.core.model import NodeRecord, PackageRecord, ProofKind, State, suffices
from packages.core.limits import Limits
from packages.core.placement import NodeView
from packages.core.preflight_rules.memory import OVERHEAD_MIB
from packages.core.problem import Problem, problem
from packages.core.start_order import dependencies, start_order, waiting
from packages.core.values import Map, Value, changed


class Takeover(Value):
    package: str
    source: str
    node: str
    turn: int
    """Those of one turn start at the same time."""
    proof: ProofKind
    because: str


class Standstill(Value):
    """A package that would not run any more, until the problem is mended."""

    package: str
    problem: Problem


Against = Mapping[str, Mapping[str, list[Problem]]]
"""Package -> node -> refusals of a start there, memory apart, which is given once for all."""


class FailPlan(Value):
    nodes: tuple[str, ...]
    quorum: bool = True
    """Whether the nodes that are left could still agree."""
    starts: tuple[Takeover, ...] = ()
    stopped: tuple[Standstill, ...] = ()


def plan_failure(
    state: State, names: Collection[str], *, heard: Collection[str], free_mib: Mapping[str, int],
    fenced: Collection[str], limits: Limits, against: Against | None = None,
) -> FailPlan:
    """`free_mib` has every node that told how much memory it has; `fenced` are the nodes with a
    power fence; `against`, what the rules of a start have against a package on a node, by what
    that node told."""
    against = against or {}
    nodes = tuple(sorted(names))
    if not _has_quorum(state, nodes, heard):
        return FailPlan(nodes=nodes, quorum=False, stopped=tuple(
            Standstill(package=name, problem=_no_quorum(name, nodes))
            for name, record in sorted(state.packages.items())
            if record.owner is not None and record.state != "detached"))
    lost = {name: record for name, record in state.packages.items() if record.owner in nodes}
    starts: list[Takeover] = []
    stopped = []
    views = node_views(
        changed(state, nodes=_without(state, nodes)), frozenset(set(heard) & set(free_mib)))
    free = dict(free_mib)
    for name in start_order(waiting(record.spec) for record in lost.values()):
        record = lost[name]
        found = _against(state, record, fenced, lost, starts) or _placed(
            state, record, starts, views, free, fenced, limits, against.get(name, {}))
        if isinstance(found, Problem):
            stopped.append(Standstill(package=name, problem=found))
        else:
            free[found.node] -= _memory_mib(record)
            starts.append(found)
    return FailPlan(nodes=nodes, starts=tuple(starts), stopped=tuple(stopped))


def _has_quorum(state: State, failing: tuple[str, ...], heard: Collection[str]) -> bool:
    voters = {seat.name for seat in state.seats if seat.votes} or {
        name for name, node in state.nodes.items() if node.role != "follower"}
    return len((voters & set(heard)) - set(failing)) > len(voters) / 2


def _without(state: State, failing: tuple[str, ...]) -> Map[str, NodeRecord]:
    nodes = state.nodes
    for name in failing:
        nodes = nodes.set(name, changed(nodes[name], state="failed"))
    return nodes


def proof_for(
    record: PackageRecord, node: NodeRecord, fenced: Collection[str],
) -> ProofKind | None:
    """What would free the package soonest, were its owner dead; None: an operator's word alone."""
    if record.state == "detached":
        return "power" if node.name in fenced else None
    if may_be_fenced(record):
        return "storage"
    if node.name in fenced:
        return "power"
    if suffices("lease", record):
        return "lease"
    return "watchdog" if node.watchdog_s > 0 else None


def _against(
    state: State, record: PackageRecord, fenced: Collection[str],
    lost: Mapping[str, PackageRecord], starts: list[Takeover],
) -> Problem | None:
    """Why it is started nowhere, whatever room there is."""
    subject = f"package:{record.name}"
    if not state.running:
        return refusals.cluster_halted(state.name)
    if not record.auto_run or record.state == "halting":
        return problem(
            "package-stays-down", subject, what=f"{record.name} would stay down.",
            because="Its switching is off." if not record.auto_run else "It is being halted.",
            fix=f"vmsg package enable {record.name}", severity="warn")
    assert record.owner is not None
    if record.state == "detached" or proof_for(record, state.nodes[record.owner], fenced) is None:
        return changed(refusals.proof_missing(record), severity="warn")
    started = {each.package for each in starts}
    missing = [name for name in dependencies(record.spec) if name not in started
               and (name in lost or name in unmet(state, record.spec))]
    if missing:
        return problem(
            "dependency-unmet", subject, what=f"{record.name} would wait for {', '.join(missing)}.",
            because="It depends on them, and they would not run.",
            fix=f"See why they would not: {', '.join(missing)}", severity="warn")
    return None


def _placed(
    state: State, record: PackageRecord, starts: list[Takeover], views: Mapping[str, NodeView],
    free: Mapping[str, int], fenced: Collection[str], limits: Limits,
    against: Mapping[str, list[Problem]],
) -> Takeover | Problem:
    assert record.owner is not None
    need_mib = _memory_mib(record)
    full = frozenset(name for name, left in free.items() if left < need_mib)
    unable = {name: problems for name, problems in against.items() if problems}
    choice = place(record, views, exclude=full | frozenset(unable))
    if choice.node is None and unable.keys() - full:
        return changed(min(
            (unable[name] for name in record.spec.nodes if name in unable), key=len)[0],
            severity="warn")
    if choice.node is None:
        short = [name for name in record.spec.nodes
                 if name in full and name in views and views[name].state == "running"]
        return _no_room(record, short, need_mib, choice.because)
    proof = proof_for(record, state.nodes[record.owner], fenced)
    assert proof is not None
    there = [each.package for each in starts if each.node == choice.node]
    after = [each.turn for each in starts if each.package in dependencies(record.spec)]
    turn = max([len(there) // limits.starts_per_node + 1, *(each + 1 for each in after)])
    return Takeover(
        package=record.name, source=record.owner, node=choice.node, turn=turn, proof=proof,
        because=choice.because)


def _memory_mib(record: PackageRecord) -> int:
    return record.spec.vm.memory_mib + OVERHEAD_MIB


def _no_room(
    record: PackageRecord, short: list[str], need_mib: int, because: str,
) -> Problem:
    if short:
        return problem(
            "memory-short", f"package:{record.name}",
            what=f"{record.name} would find no memory.", severity="warn",
            because=f"With what starts before it, {' and '.join(short)} would have less than "
                    f"{need_mib} MiB left.",
            fix=f"Add memory, move packages away from {' or '.join(short)}, or let {record.name} "
                "run on more nodes.")
    return problem(
        "no-node-available", f"package:{record.name}", what=f"{record.name} would wait for a node.",
        because=because, severity="warn",
        fix="Start or resume one of its nodes, or add nodes to its list.")


def _no_quorum(package: str, failing: tuple[str, ...]) -> Problem:
    return problem(
        "quorum-lost", f"package:{package}", what=f"{package} would stand still.",
        because=f"Without {', '.join(failing)} no majority of the voters is left: nothing is "
                "started, and every guest is frozen when its node's lease is over.",
        fix="Add nodes or a witness: vmsg node add NODE ADDRESS --witness",
        severity="warn")
