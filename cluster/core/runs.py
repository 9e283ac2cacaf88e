"""Rules for entries about packages: applied, started, failed, released, halted.

`LIFECYCLE` is the table of which entry may meet a package in which state; docs/packages.md draws
it. What must never happen here: a package assigned while it has an owner. It gets a new owner
only after the old one answered *released* for its epoch, or was proven dead.
"""

from cluster.core import dependence, entries, refusals, shortages, truth
from cluster.core.claims import against_claims
from cluster.core.floor import V0_2, floor_allows
from cluster.core.hold_records import lifted
from cluster.core.mac_claims import against_claiming
from cluster.core.model import (
    PackageRecord, PackageState, State, unproven, with_package, without_package
)
from cluster.core.moves import after_halt, end_move, orphan
from cluster.core.suspensions import (
    applied, gone_with_its_node, in_maintenance, is_suspended, noted, resumed, switched_off
)
from packages.core.failover import after_failure, recent
from packages.core.known_disks import kept, learnt
from packages.core.problem import Problem, problem
from packages.core.values import changed

LIFECYCLE: dict[str, frozenset[PackageState]] = {
    "package-assigned": frozenset({"halted", "relocate_wait", "failed"}),
    "guest-started": frozenset({"starting", "detached"}),
    "guest-failed": frozenset({"starting", "running"}),
    "guest-released": frozenset({"halting", "failing", "running", "detached"}),
    "package-halted": frozenset({
        "starting", "running", "relocate_wait", "failed", "failing", "halting", "halted"}),
    "package-deleted": frozenset({"halted", "failed"}),
}


def package_applied(state: State, entry: entries.PackageApplied) -> State | Problem:
    spec = entry.spec
    for name in spec.nodes:
        if name not in state.nodes:
            return refusals.unknown_node(name)
        if state.nodes[name].role == "witness":
            return refusals.node_is_witness(spec.name, name)
    record = state.packages.get(spec.name)
    refused = dependence.against_applying(state, spec)
    if refused is None and floor_allows(state, V0_2):
        refused = against_claiming(
            state.macs, record.spec if record is not None else None, spec)
        refused = refused or against_claims(state.claims, spec)
    if refused is not None:
        return refused
    if record is None:
        record = PackageRecord(spec=spec, auto_run=spec.auto_run, since_ms=entry.at_ms,
                               because="applied")
        return with_package(state, record)
    if record.moving:
        return refusals.package_moving(record)
    if record.state == "detached" and record.spec != spec:
        return refusals.not_in_state(record, "be changed")  # nobody there would hear of it
    if record.owner is not None and record.spec.vm != spec.vm:
        return refusals.not_in_state(record, "have its virtual machine changed")
    old, new = record.spec.fence, spec.fence
    if record.owner is not None and (old.kind, old.initiator) != (new.kind, new.initiator):
        # Its guest is at the disks as the old one let it in.
        return refusals.not_in_state(record, "have its fence changed")
    if record.owner is not None and record.owner not in spec.nodes:
        return refusals.node_not_eligible(spec.name, record.owner, spec.nodes)
    if entry.new_disks and record.owner is not None:
        return refusals.not_in_state(record, "get another disk")
    if record.lost is not None and (
            record.lost.node not in spec.nodes or (old, record.spec.vm) != (new, spec.vm)):
        return refusals.owner_lost(record, "Its guest may be whole there, as it was started.")
    if spec.auto_run != record.spec.auto_run:
        record = applied(state, record, spec.auto_run)
    disks = kept(record.disks, record.spec, spec, entry.new_disks)
    record = changed(record, spec=spec, disks=disks)
    return with_package(state, resumed(state, record, entry.at_ms))


def package_deleted(state: State, entry: entries.PackageDeleted) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    if record.state not in LIFECYCLE["package-deleted"] or record.moving:
        return refusals.not_in_state(record, "be deleted")
    return dependence.against_deleting(state, record.name) or without_package(
        state, entry.package)


def package_assigned(state: State, entry: entries.PackageAssigned) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    refused = _against_start(state, record, entry)
    if refused is not None:
        return refused
    auto_run = record.spec.auto_run or record.auto_run if entry.operator else record.auto_run
    holds = lifted(record.holds, "switching") if entry.operator else record.holds
    return with_package(state, changed(
        record, state="starting", owner=entry.node, epoch=record.epoch + 1,
        boot_id=entry.boot_id, since_ms=entry.at_ms, because=entry.because, auto_run=auto_run,
        holds=holds, avoid=() if entry.operator else record.avoid, not_runnable_on=None,
        noted=None, preferred="", lost=None, blameless=False, halt_within_s=None,
        shortages=() if entry.operator else shortages.lately(record, state.time_ms),
    ))


def _against_start(
    state: State, record: PackageRecord, entry: entries.PackageAssigned,
) -> Problem | None:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if record.moving:
        return refusals.package_moving(record)
    if record.owner is not None and unproven(state, record.owner):
        return refusals.proof_missing(record)
    if record.owner is not None or record.state not in LIFECYCLE["package-assigned"]:
        return refusals.not_in_state(record, "be started")
    if entry.node not in record.spec.nodes:
        return refusals.node_not_eligible(record.name, entry.node, record.spec.nodes)
    if node.state in ("draining", "maintenance"):
        return refusals.node_in_maintenance(entry.node, node.state)
    if node.state not in ("running", "quarantined"):
        return refusals.node_not_up(entry.node, node.state)
    if not state.running:
        return refusals.cluster_halted(state.name)
    if entry.node in blocked_nodes(record):
        return refusals.node_switching_disabled(record.name, entry.node)
    if not entry.operator and not record.auto_run:
        return refusals.stale_order(f"package:{record.name}", "Its switching is off.")
    seen = truth.against_start(state, record)
    if seen is not None:
        return seen
    waits = dependence.against_start(state, record)
    return changed(waits, severity="refuse") if waits is not None else None


def blocked_nodes(record: PackageRecord) -> frozenset[str]:
    return frozenset(
        hold.node for hold in record.holds if hold.kind == "node-switching" and hold.node
    )


def _owned(
    state: State, entry: entries.GuestStarted | entries.GuestFailed | entries.GuestReleased,
    kind: str,
) -> PackageRecord | Problem:
    """The record an owner's answer is about, or why the answer is too late."""
    record = state.packages.get(entry.package)
    subject = f"package:{entry.package}"
    if record is None:
        return refusals.unknown_package(entry.package)
    if record.owner != entry.node or record.epoch != entry.epoch:
        return refusals.stale_order(
            subject, f"{entry.node} answers for epoch {entry.epoch}; the record is at "
            f"{record.epoch} on {record.owner}.",
        )
    if record.state not in LIFECYCLE[kind]:
        return refusals.stale_order(subject, f"It is {record.state} already.")
    return record


def guest_started(state: State, entry: entries.GuestStarted) -> State | Problem:
    record = _owned(state, entry, "guest-started")
    if isinstance(record, Problem):
        return record
    because = record.because
    if record.state == "detached":
        if not record.attaching:
            return refusals.stale_order(f"package:{record.name}", "It is to stay detached.")
        because = "re-attached"
    return with_package(state, changed(
        shortages.without(record, entry.node), state="running", since_ms=entry.at_ms,
        machine=entry.machine, accel=entry.accel, because=because, attaching=False, guarded=False,
        disks=learnt(record.disks, entry.disks),
    ))


def disks_grown(state: State, entry: entries.DisksGrown) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    if (record.owner, record.epoch) != (entry.node, entry.epoch) or record.state != "running":
        return refusals.stale_order(f"package:{record.name}", "It does not run there any more.")
    return with_package(state, changed(record, disks=learnt(record.disks, entry.disks)))


def guest_failed(state: State, entry: entries.GuestFailed) -> State | Problem:
    record = _owned(state, entry, "guest-failed")
    if isinstance(record, Problem):
        return record
    is_earlier = not floor_allows(state, V0_2)
    if is_earlier:  # counted now, and not when it is over
        record = changed(
            record, failures_ms=(*recent(record.failures_ms, entry.at_ms), entry.at_ms))
    move = record.move if record.moving else None
    if entry.switching and move is not None and move.stage in ("copy", "frozen"):
        return with_package(state, orphan(record, entry.at_ms, entry.problem.what))
    # Whatever ends it while its host goes down.
    blameless = entry.blameless or state.nodes[entry.node].leave is not None
    if entry.short and record.state == "starting":
        blameless, record = True, shortages.noted(
            record, entry.node, entry.problem.because, state.time_ms)
    avoid, counts = record.avoid, is_earlier or not (is_suspended(record) or blameless)
    if record.state == "starting" and entry.node not in avoid and counts:
        avoid = (*avoid, entry.node)
    record = end_move(record, problem(
        "move-failed", f"package:{record.name}", what="The guest failed during its move.",
        because=entry.problem.what, fix="The package is restarted; nothing needs to be done.",
    ))
    return with_package(state, changed(
        record, state="failing", since_ms=entry.at_ms, avoid=avoid, blameless=blameless,
        because=f"{entry.problem.what} {entry.problem.because}".strip(),
    ))


def guest_released(state: State, entry: entries.GuestReleased) -> State | Problem:
    record = _owned(state, entry, "guest-released")
    if isinstance(record, Problem):
        return record
    if record.state in ("halting", "detached"):
        record = end_move(record, problem(  # halted between the commit and the thaw
            "move-failed", f"package:{record.name}", what="The package was halted in its move.",
            because=record.because, fix=f"vmsg package run {record.name}",
        ))
        return with_package(state, changed(
            record, state=after_halt(state, record), owner=None, since_ms=entry.at_ms,
            attaching=False,
        ))
    if entry.powered_off:
        return with_package(state, _powered_off(state, record, entry))
    if record.state == "running":
        return refusals.stale_order(f"package:{record.name}", "A running package is not released.")
    return with_package(state, _after_failure(state, record, entry))


def _powered_off(
    state: State, record: PackageRecord, entry: entries.GuestReleased,
) -> PackageRecord:
    """A guest that powered itself off is a halt, not a failure: it stays off."""
    record = end_move(record, problem(
        "move-failed", f"package:{record.name}", what="The guest powered itself off.",
        because="It did so during its move.", fix=f"vmsg package run {record.name}",
    ))
    return changed(
        switched_off(state, record), state="halted", owner=None, since_ms=entry.at_ms,
        because="the guest powered itself off",
    )


def _after_failure(
    state: State, record: PackageRecord, entry: entries.GuestReleased,
) -> PackageRecord:
    """Counted now that it is over: what is lost with its node meanwhile is no failure of it."""
    if record.blameless:
        return shortages.elsewhere(
            gone_with_its_node(record, entry.node, entry.at_ms, record.because), state.time_ms)
    is_earlier = not floor_allows(state, V0_2)
    if is_suspended(record) and not is_earlier:
        return noted(record, entry.node, entry.at_ms)
    node = state.nodes.get(entry.node)
    now_ms, is_maintained = state.time_ms, in_maintenance(record)
    failures_ms = record.failures_ms if is_earlier else (
        *recent(record.failures_ms, now_ms), now_ms)
    remedy = after_failure(
        record.spec, node=entry.node, failures_ms=failures_ms, avoid=record.avoid,
        now_ms=now_ms, started=entry.node not in record.avoid and not is_maintained,
        may_stay=node is not None and node.state == "running" and state.running,
        auto_run=record.auto_run and not is_maintained,
    )
    because = f"{record.because} ({remedy.because})"
    record = changed(
        record, since_ms=entry.at_ms, because=because, avoid=remedy.avoid, failures_ms=failures_ms)
    if remedy.choice == "restart":
        # The life's name is drawn from the entry's id: random, yet the same on every node.
        return changed(record, state="starting", epoch=record.epoch + 1, boot_id=entry.id)
    if remedy.choice == "relocate":
        return changed(record, state="relocate_wait", owner=None)
    return changed(switched_off(state, record), state="failed", owner=None)


def package_halted(state: State, entry: entries.PackageHalted) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    if record.moving:
        return refusals.package_moving(record)
    if record.state not in LIFECYCLE["package-halted"]:
        return refusals.not_in_state(record, "be halted")
    if record.state in ("halting", "halted") and not floor_allows(state, V0_2):
        return refusals.not_in_state(record, "be halted")
    after: PackageState = "halted" if record.owner is None else "halting"
    since_ms = record.since_ms if record.state == after else entry.at_ms
    return with_package(state, changed(
        switched_off(state, record), state=after, since_ms=since_ms, noted=None, lost=None,
        halt_within_s=record.halt_within_s if record.state == "halting" else None,
        because=entry.because or f"halted by {entry.by}",
    ))
