"""Answers about packages: delete, run, halt, switching, maintenance."""

from cluster.answers.desk import Desk, already, done, failed, late, refusal
from cluster.api.messages import (
    DeletePackage, HaltPackage, Reply, RunPackage, SetMaintenance, SetSwitching
)
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from cluster.core.coordinator import node_views, place
from cluster.core.model import PackageRecord, State, unproven
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.problem import refusals as refusing

START_SLACK_S = 10.0


async def delete(desk: Desk, caller: Caller, ask: DeletePackage) -> Reply:
    entry = desk.entry(entries.PackageDeleted, caller, ask, package=ask.package)
    return await desk.change(ask, entry) or done(ask, {"deleted": ask.package})


async def run(desk: Desk, caller: Caller, ask: RunPackage) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if record.owner is not None and ask.request in desk.ledger.state.outcomes:
        return await _until_running(desk, ask, record.spec, record.owner)
    if record.owner is not None and unproven(desk.ledger.state, record.owner):
        return refusal(ask, refusals.proof_missing(record))
    if record.owner is not None:
        return await _owned(desk, ask, record, record.owner)
    node = ask.node or await _chosen(desk, record)
    if isinstance(node, Problem):
        return refusal(ask, node)
    if node in desk.ledger.state.nodes and node in record.spec.nodes:
        problems = await desk.survey.against_start(record.spec, node)
        if refusing(problems):
            return refusal(ask, *problems)
    entry = desk.entry(
        entries.PackageAssigned, caller, ask, package=record.name, node=node,
        boot_id=desk.clock.token(), operator=True,
    )
    stopped = await desk.change(ask, entry)
    if stopped is not None:
        return stopped
    return await _until_running(desk, ask, record.spec, node)


async def _owned(desk: Desk, ask: RunPackage, record: PackageRecord, owner: str) -> Reply:
    """It has a node already: it runs, is about to, or has to end something first."""
    if record.state in ("running", "starting") and ask.node not in (None, owner):
        return refusal(ask, refusals.runs_elsewhere(record.name, owner, str(ask.node)))
    if record.state == "running":
        return already(ask, f"Package {record.name} runs on {owner} already.",
                       package=record.name, node=owner)
    if record.state == "starting" and not ask.dry_run:
        return await _until_running(desk, ask, record.spec, owner)
    return refusal(ask, refusals.not_in_state(record, "be started"))


async def _chosen(desk: Desk, record: PackageRecord) -> str | Problem:
    """The node that placement gives it. Where no coordinator says who is heard, every node that
    takes part counts as heard: the record refuses what turns out wrong."""
    state, known = desk.ledger.state, await desk.silence()
    heard = frozenset(known.heard if known is not None else state.nodes)
    choice = place(record, node_views(state, heard | {desk.node}))
    return choice.node or refusals.no_target(record)


async def _until_running(desk: Desk, ask: RunPackage, spec: PackageSpec, node: str) -> Reply:
    began = desk.ledger.package(spec.name)
    epoch = began.epoch if began else 0

    def ended(state: State) -> bool:
        now = state.packages.get(spec.name)
        return now is None or now.state != "starting" or now.epoch != epoch

    in_time = await desk.ledger.until(ended, deadline_s=spec.start_timeout_s + START_SLACK_S)
    now = desk.ledger.package(spec.name)
    if not in_time or now is None:
        return late(ask, f"package:{spec.name}", f"Package {spec.name} is still starting.")
    if now.state == "running" and now.epoch == epoch:
        return done(ask, {"package": spec.name, "node": now.owner})
    return failed(ask, problem(
        "package-start-failed", f"package:{spec.name}",
        what=f"Package {spec.name} did not start on {node}.", because=now.because,
        fix="Mend the cause; vmsg status says what the cluster does about it.",
    ))


async def halt(desk: Desk, caller: Caller, ask: HaltPackage) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if record.state == "halted" and record.owner is None:
        until = "" if not record.auto_run else (
            f" It is started when it can be; to keep it down: vmsg package disable {record.name}")
        return already(ask, f"Package {record.name} is halted already.{until}",
                       package=record.name, state="halted")
    if record.state != "halting":  # else its end is waited for
        stopped = await desk.change(
            ask, desk.entry(entries.PackageHalted, caller, ask, package=ask.package))
        if stopped is not None:
            return stopped
    elif ask.dry_run:
        return already(ask, f"Package {record.name} is being halted.")

    def gone(state: State) -> bool:
        now = state.packages.get(ask.package)
        return now is None or now.owner is None

    limit_s = record.spec.halt_timeout_s + START_SLACK_S
    if not await desk.ledger.until(gone, deadline_s=limit_s):
        return late(ask, f"package:{ask.package}", f"Package {ask.package} is still halting.")
    return done(ask, {"package": ask.package, "state": "halted"})


def _until_ms(desk: Desk, for_s: float | None) -> int | None:
    return None if for_s is None else desk.clock.wall_ms() + int(for_s * 1000)


async def switching(desk: Desk, caller: Caller, ask: SetSwitching) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is not None and ask.for_s is None and _is_switched(record, ask):
        word = "enabled" if ask.enabled else "disabled"
        where = f" on {ask.node}" if ask.node else ""
        return already(ask, f"Package {ask.package} is {word}{where} already.",
                       package=ask.package, node=ask.node, enabled=ask.enabled)
    entry = desk.entry(
        entries.SwitchingSet, caller, ask, package=ask.package, enabled=ask.enabled,
        node=ask.node, until_ms=_until_ms(desk, ask.for_s),
    )
    return await desk.change(ask, entry) or done(ask, {
        "package": ask.package, "node": ask.node, "enabled": ask.enabled})


def _is_switched(record: PackageRecord, ask: SetSwitching) -> bool:
    """Whether that is how it stands, for good."""
    if ask.node is not None and ask.node not in record.spec.nodes:
        return False
    kind = "switching" if ask.node is None else "node-switching"
    held = [each for each in record.holds if each.kind == kind and each.node == ask.node]
    if ask.enabled:
        return not held and ask.node not in record.avoid and (
            record.auto_run or ask.node is not None)
    off = not record.auto_run if ask.node is None else bool(held)
    return off and all(each.until_ms is None for each in held)


async def maintenance(desk: Desk, caller: Caller, ask: SetMaintenance) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is not None and ask.for_s is None:
        held = [each for each in record.holds if each.kind == "maintenance"]
        if ask.on == bool(held) and all(each.until_ms is None for each in held):
            how = "in maintenance" if ask.on else "monitored"
            return already(ask, f"Package {ask.package} is {how} already.",
                           package=ask.package, on=ask.on)
    entry = desk.entry(
        entries.MaintenanceSet, caller, ask, package=ask.package, on=ask.on,
        until_ms=_until_ms(desk, ask.for_s),
    )
    return await desk.change(ask, entry) or done(ask, {"package": ask.package, "on": ask.on})
