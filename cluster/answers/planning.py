"""The plan of a drain, made from what all nodes tell, each asked once and all at the same time.

Checking changes nothing. The plan is what is shown, stored and carried out; the rules are asked
again before each move.
"""

import asyncio
import statistics
from collections.abc import Mapping

from cluster.answers.desk import Desk
from cluster.answers.survey import NodeAnswer, fences_of, paths
from cluster.core import refusals
from cluster.core.coordinator import candidates, node_views
from cluster.core.model import PackageRecord, State, packages_of
from cluster.core.runs import blocked_nodes
from packages.core.drain_plan import RATE_MIB_S, DrainPlan, Leaving, Standing, plan_drain
from packages.core.model import FenceSpec
from packages.core.preflight_rules.memory import OVERHEAD_MIB
from packages.core.problem import Problem
from packages.core.problem import refusals as refusing
from packages.core.start_order import importance
from packages.core.values import changed

MEASURED_MS = 50.0
"""A copy that was shorter says nothing about the link."""

Answers = Mapping[str, NodeAnswer | None]


async def plan_of(desk: Desk, node: str, *, allow_restart: bool) -> DrainPlan:
    """What a drain of the node would do now."""
    state = desk.ledger.state
    records = sorted(
        (each for each in packages_of(state, node) if each.owner == node),
        key=lambda each: importance(each.spec))
    targets = {record.name: candidates(record, node_views(state, frozenset(state.nodes)))
               for record in records}
    disks = {name: tuple(sorted({
        path for record in records if name in targets[record.name] for path in paths(record.spec)
    })) for name in sorted(state.nodes) if name != node}
    fences = {path: fence for each in records for path, fence in fences_of(each.spec).items()}
    answers, at_source = await asyncio.gather(
        _at_targets(desk, disks, fences), _at_source(desk, node, records))
    leaving = []
    for record in records:
        leaving.append(_leaving(
            desk, record, targets[record.name], answers, at_source[record.name],
            allow_restart=allow_restart))
        await asyncio.sleep(0)  # hundreds of them are no single turn of the loop
    return plan_drain(
        node, leaving,
        free_mib={name: each.facts.memory_free_mib for name, each in answers.items()
                  if each is not None},
        standing=_standing(state, node), limits=desk.limits(), rate_mib_s=_rate_mib_s(state),
    )


async def _at_targets(
    desk: Desk, disks: Mapping[str, tuple[str, ...]], fences: Mapping[str, FenceSpec],
) -> Answers:
    found = await asyncio.gather(*(
        desk.survey.of(name, asked, None, {path: fences[path] for path in asked if path in fences})
        for name, asked in disks.items()))
    return dict(zip(disks, found, strict=True))


async def _at_source(
    desk: Desk, node: str, records: list[PackageRecord],
) -> dict[str, NodeAnswer | None]:
    fences = {path: fence for each in records for path, fence in fences_of(each.spec).items()}
    disks = tuple(sorted({path for each in records for path in paths(each.spec)}))
    together = await desk.survey.of(
        node, disks, None, fences, packages=tuple(each.name for each in records))

    async def answer(record: PackageRecord) -> NodeAnswer | None:
        if together is not None and record.name not in together.guests:
            # Gone, or a node of the version before, which tells of one guest at a time.
            return await desk.survey.of(
                node, paths(record.spec), record.name, fences_of(record.spec))
        return together and changed(together, guest=together.guests[record.name])

    found = await asyncio.gather(*(answer(record) for record in records))
    return {record.name: each for record, each in zip(records, found, strict=True)}


def _leaving(
    desk: Desk, record: PackageRecord, targets: tuple[str, ...], answers: Answers,
    at_source: NodeAnswer | None, *, allow_restart: bool,
) -> Leaving:
    spec, verdicts = record.spec, {}
    for name in targets:
        verdicts[name] = refusing(desk.survey.verdict(
            record, name, answers[name], at_source, keeps_reserve=False))
    allowed = tuple(name for name in targets if not verdicts[name])
    starts: tuple[str, ...] = ()
    if not allowed and allow_restart and record.auto_run and record.state == "running":
        starts = tuple(name for name in targets if not refusing(
            desk.survey.verdict_on_start(spec, name, answers[name])))
    return Leaving(
        package=record.name, memory_mib=spec.vm.memory_mib + OVERHEAD_MIB, targets=allowed,
        starts=starts, problem=None if allowed else smallest_fix(record, verdicts),
        most_mib_s=spec.migration_bandwidth_mib_s,
        downtime_s=spec.halt_timeout_s + spec.start_timeout_s,
    )


def smallest_fix(record: PackageRecord, verdicts: Mapping[str, list[Problem]]) -> Problem:
    """Where the fewest things are in the way, the first of them: what is least to mend."""
    if not verdicts:
        return refusals.no_target(record)
    return min(verdicts.values(), key=len)[0]


def _standing(state: State, drained: str) -> list[Standing]:
    """Every running package, and where else it could run while the node takes nothing."""
    takes = {name for name, node in state.nodes.items() if node.state == "running"} - {drained}
    return [
        Standing(
            package=name, node=record.owner, memory_mib=record.spec.vm.memory_mib + OVERHEAD_MIB,
            nodes=tuple(
                each for each in record.spec.nodes
                if each in takes and each != record.owner and each not in blocked_nodes(record)),
        )
        for name, record in sorted(state.packages.items())
        if record.state == "running" and record.owner is not None
    ]


def _rate_mib_s(state: State) -> float:
    """How much of a guest's memory a second of copying has dealt with, in the packages' last
    moves; pages never written cost nothing, so that it may be more than the link carries."""
    rates = [
        record.spec.vm.memory_mib / (record.move.figures.copy_ms / 1000)
        for _, record in sorted(state.packages.items())
        if record.move is not None and record.move.result == "completed"
        and record.move.figures.copy_ms >= MEASURED_MS
    ]
    return statistics.median(rates) if rates else RATE_MIB_S
