"""Rules for suspensions: switching off, maintenance, their ends, failures noted meanwhile. PURE.

A suspension changes nothing about a package: what fails during one is noted, and treated when it is
over as a failure would be then. And it takes nothing that it does not give back, and gives nothing
back that it did not take: two orders over one flag do not undo each other.

What must never happen here: a package that an operator has halted started by the end of a hold; one
that failed in maintenance left down, with its switching off, when that is over.
"""

from cluster.core import entries, refusals
from cluster.core.agreed_time import after
from cluster.core.floor import V0_2, floor_allows
from cluster.core.hold_records import Hold, NotedFailure, giving_nothing_back, joined, lifted
from cluster.core.model import PackageRecord, State, with_package
from packages.core.failover import after_failure, recent
from packages.core.problem import Problem
from packages.core.values import changed


def in_maintenance(record: PackageRecord) -> bool:
    return any(hold.kind == "maintenance" for hold in record.holds)


def is_suspended(record: PackageRecord) -> bool:
    """Whether nothing is to follow from a failure now."""
    return in_maintenance(record) or not record.auto_run


def switched_off(state: State, record: PackageRecord) -> PackageRecord:
    """By something that lasts: no hold that ends switches it on again."""
    if not floor_allows(state, V0_2):
        return changed(record, auto_run=False)
    return changed(record, auto_run=False, holds=giving_nothing_back(record.holds))


def noted(
    record: PackageRecord, node: str, at_ms: int, *, blameless: bool = False,
) -> PackageRecord:
    """Its guest is gone, and nobody is to do anything about that before the suspension is over."""
    because = f"{record.because} (noted: it is {suspended_by(record)})"
    return changed(
        record, state="failed", owner=None, since_ms=at_ms, because=because, lost=None,
        noted=NotedFailure(
            node=node, at_ms=at_ms, because=record.because, blameless=blameless))


def gone_with_its_node(record: PackageRecord, node: str, at_ms: int, because: str) -> PackageRecord:
    """Its guest is gone, and that was no failure of the guest: it is started where it was, or when
    the suspension is over."""
    record = changed(record, because=because, lost=None, blameless=False)
    if is_suspended(record):
        return noted(record, node, at_ms, blameless=True)
    return changed(
        record, state="relocate_wait", owner=None, since_ms=at_ms, preferred=node)


def suspended_by(record: PackageRecord) -> str:
    """Completes the sentence "It is ..."."""
    return "in maintenance" if in_maintenance(record) else "not to be switched"


def resumed(state: State, record: PackageRecord, at_ms: int) -> PackageRecord:
    """After a suspension may have ended: what was noted is treated as if it failed now."""
    if record.noted is None or record.owner is not None or is_suspended(record):
        return record
    failure, node = record.noted, state.nodes.get(record.noted.node)
    if failure.blameless:
        return gone_with_its_node(
            changed(record, noted=None), failure.node, at_ms, failure.because)
    now_ms = state.time_ms
    failures_ms = (*recent(record.failures_ms, now_ms), now_ms)
    remedy = after_failure(
        record.spec, node=failure.node, failures_ms=failures_ms, avoid=record.avoid, now_ms=now_ms,
        started=True, may_stay=node is not None and node.state == "running", auto_run=True,
    )
    record = changed(
        record, noted=None, failures_ms=failures_ms, avoid=remedy.avoid, since_ms=at_ms,
        because=f"{failure.because} ({remedy.because})")
    if remedy.choice == "stop":
        return switched_off(state, record)
    return changed(
        record, state="relocate_wait", preferred=failure.node if remedy.choice == "restart" else "")


def switching_set(state: State, entry: entries.SwitchingSet) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    if entry.node is not None and entry.node not in record.spec.nodes:
        return refusals.node_not_eligible(record.name, entry.node, record.spec.nodes)
    if entry.enabled:
        return with_package(state, resumed(state, _enabled(record, entry.node), entry.at_ms))
    if entry.node is not None:
        return with_package(state, changed(record, holds=_holding(state, record, Hold(
            kind="node-switching", by=entry.by, reason=entry.because, since_ms=entry.at_ms,
            node=entry.node, until_ms=after(state, entry, entry.until_ms), id=entry.id))))
    restores = record.auto_run or any(
        each.kind == "switching" and each.restores for each in record.holds)
    hold = Hold(
        kind="switching", by=entry.by, reason=entry.because, since_ms=entry.at_ms,
        until_ms=after(state, entry, entry.until_ms), id=entry.id, restores=restores)
    return with_package(state, changed(
        record, holds=_holding(state, record, hold), auto_run=False))


def _holding(state: State, record: PackageRecord, new: Hold) -> tuple[Hold, ...]:
    if floor_allows(state, V0_2):
        return joined(record.holds, new)
    return (*lifted(record.holds, new.kind, new.node), changed(new, id="", restores=True))


def _enabled(record: PackageRecord, node: str | None) -> PackageRecord:
    if node is None:
        return changed(record, holds=lifted(record.holds, "switching"), auto_run=True, avoid=())
    return changed(
        record, holds=lifted(record.holds, "node-switching", node),
        avoid=tuple(name for name in record.avoid if name != node))


def maintenance_set(state: State, entry: entries.MaintenanceSet) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    if record.moving:
        return refusals.package_moving(record)
    if entry.on:
        return with_package(state, changed(record, holds=_holding(state, record, Hold(
            kind="maintenance", by=entry.by, reason=entry.because, since_ms=entry.at_ms,
            until_ms=after(state, entry, entry.until_ms), id=entry.id))))
    record = changed(record, holds=lifted(record.holds, "maintenance"))
    return with_package(state, resumed(state, record, entry.at_ms))


def hold_ended(state: State, entry: entries.HoldEnded) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    ended = [each for each in record.holds if _is_meant(each, entry)]
    if not ended:
        return refusals.stale_order(f"package:{entry.package}", "That suspension is over.")
    kept = tuple(each for each in record.holds if each not in ended)
    auto_run = record.auto_run
    if not any(each.kind == "switching" for each in kept):
        auto_run = auto_run or any(each.kind == "switching" and each.restores for each in ended)
    record = changed(record, holds=kept, auto_run=auto_run)
    return with_package(state, resumed(state, record, entry.at_ms))


def _is_meant(hold: Hold, entry: entries.HoldEnded) -> bool:
    return hold.id == entry.hold if entry.hold else hold.since_ms == entry.since_ms


def applied(state: State, record: PackageRecord, wanted: bool) -> PackageRecord:
    """The package's file says otherwise about switching than it did: a hold stands until its end,
    and what is wanted comes back then."""
    if not wanted:
        return switched_off(state, record)
    if not floor_allows(state, V0_2) or (
            not any(each.kind == "switching" for each in record.holds)):
        return changed(record, auto_run=True)
    return changed(record, holds=tuple(
        changed(each, restores=True) if each.kind == "switching" else each
        for each in record.holds))
