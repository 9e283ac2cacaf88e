"""Each change worded once, from (before, after, entry): log, history, metrics and dashboard are
views of this. PURE."""

from cluster.core.entries import (
    Entry, MoveFrozen, MoveLanded, NodeRejoining, PowerFenceFailed, RecordBackedUp, RecordRestored,
    RequestRefused, StrayEnded
)
from cluster.core.leases import newest
from cluster.core.leases import told as told_lease
from cluster.core.model import Event, MoveRecord, NodeRecord, PackageRecord, Proof, State
from cluster.core.trust import NodeKeys, Trust
from packages.core.drain_plan import DrainPlan
from packages.core.known_disks import by_path, shown
from packages.core.sightings import Sighting


def tell(before: State, after: State, entry: Entry, index: int) -> list[Event]:
    """The events of one entry, in a fixed order: cluster, nodes, packages."""
    told = _cluster(before, after)
    if isinstance(entry, StrayEnded):
        told.append(_event(f"node:{entry.node}", f"stray guest of {entry.package} ended"))
    if isinstance(entry, PowerFenceFailed):
        told.append(_event(f"node:{entry.node}", f"fence failed, level {entry.level}"))
    if isinstance(entry, RequestRefused):
        more = f" and {entry.more} more" if entry.more else ""
        told.append(_event(
            f"operator:{entry.caller}", f"refused: {entry.asked}{more}, "
            f"from {entry.address or 'the host of ' + entry.by}"))
    if isinstance(entry, RecordBackedUp):
        told.append(_event(f"cluster:{after.name}", "record backed up"))
    if isinstance(entry, RecordRestored):
        told.append(_event(
            f"cluster:{after.name}", f"record restored, {len(entry.packages)} packages"))
    if isinstance(entry, NodeRejoining):
        told.append(_event(f"node:{entry.node}", "journal set aside, begins again empty"))
    if before.seats != after.seats:
        told += _seats(before, after)
    if before.trust is not after.trust:
        told += _trust(before.trust, after.trust)
    if before.nodes is not after.nodes:
        for name in sorted(set(before.nodes) | set(after.nodes)):
            told += _node(name, before.nodes.get(name), after.nodes.get(name))
    for name in _changed_packages(before, after, entry):
        told += _package(name, before.packages.get(name), after.packages.get(name), entry)
    return [
        Event(
            index=index, at_ms=entry.at_ms, subject=each.subject, what=each.what,
            before=each.before, after=each.after, because=each.because or entry.because,
            by=entry.by, request=entry.id, proof=each.proof,
            via=entry.via if entry.via != entry.by else "",
        )
        for each in told
    ]


def _changed_packages(before: State, after: State, entry: Entry) -> list[str]:
    if before.packages is after.packages:
        return []
    name = getattr(entry, "package", None) or getattr(getattr(entry, "spec", None), "name", None)
    if isinstance(name, str):
        return [name]
    # Only entries about whole nodes or the cluster come here: rare, and they touch many.
    names = set(before.packages) | set(after.packages)
    return sorted(n for n in names if before.packages.get(n) is not after.packages.get(n))


def _event(
    subject: str, what: str, *, before: str = "", after: str = "", because: str = "",
    proof: Proof | None = None,
) -> Event:
    if proof is not None:
        said = f"Proof: {proof.kind}" if proof.because == because else (
            f"Proof: {proof.kind}: {proof.because}")
        because = f"{because.rstrip('.')}. {said}" if because else said
    return Event(
        index=0, at_ms=0, subject=subject, what=what, before=before, after=after, because=because,
        proof=proof,
    )


def _cluster(before: State, after: State) -> list[Event]:
    subject = f"cluster:{after.name}"
    told = []
    if before.config_text != after.config_text:
        told.append(_event(subject, "configuration applied"))
    old, new = newest(before), newest(after)
    if old is not None and new is not None and old.number != new.number:
        told.append(_event(
            subject, "lease changed", before=told_lease(old), after=told_lease(new)))
    if before.running != after.running:
        words = ("halted", "running")
        told.append(_event(
            subject, "cluster run" if after.running else "cluster halted",
            before=words[before.running], after=words[after.running],
        ))
    return told


def _node(name: str, before: NodeRecord | None, after: NodeRecord | None) -> list[Event]:
    subject = f"node:{name}"
    if before is after:
        return []
    if after is None:
        return [_event(subject, "node removed")]
    if before is None:
        return [_event(subject, "node added", after=after.state)]
    told = []
    if before.state != after.state:
        told.append(_event(
            subject, f"node {after.state}", before=before.state, after=after.state,
            because=after.because, proof=after.proof,
        ))
    elif after.proof is not None and before.proof != after.proof:
        told.append(_event(
            subject, "node proven dead", before=before.state, after=after.state,
            because=after.because, proof=after.proof,
        ))
    elif before.incarnation != after.incarnation:
        told.append(_event(subject, "daemon restarted", before=before.state, after=after.state))
    told += _word(subject, before, after)
    return told + _host(subject, before, after)


def _host(subject: str, before: NodeRecord, after: NodeRecord) -> list[Event]:
    """What it has, and what is seen there."""
    told = []
    if after.lease_number != before.lease_number:
        told.append(_event(subject, "has taken the new lease"))
    if after.watchdog != before.watchdog and before.incarnation == after.incarnation:
        told.append(_event(
            subject, "watchdog", before=before.watchdog or "none", after=after.watchdog or "none"))
    if after.qemu != before.qemu:
        told.append(_event(
            subject, "hypervisor", before=before.qemu or "unknown", after=after.qemu or "none"))
    if after.guardian_silent != before.guardian_silent:
        words = ("ok", "unreachable")
        told.append(_event(
            subject, f"guardian {words[after.guardian_silent]}",
            before=words[before.guardian_silent], after=words[after.guardian_silent]))
    for each in after.sightings:
        if each not in before.sightings:
            told.append(_event(
                f"package:{each.package}", f"{_seen(each)} on {after.name}", because=each.because))
    for each in before.sightings:
        if each not in after.sightings:
            told.append(_event(
                f"package:{each.package}", f"no longer {_seen(each)} on {after.name}"))
    return told + _emptying(subject, before, after)


def _emptying(subject: str, before: NodeRecord, after: NodeRecord) -> list[Event]:
    """What leaves a node, or comes home."""
    told = []
    if after.leave != before.leave:
        told.append(_event(subject, "leaves with its host" if after.leave else "leaves no more"))
    for stuck in after.stuck:
        if stuck not in before.stuck:
            what = "cannot bring home" if after.state == "running" else "drain cannot move"
            told.append(_event(
                subject, f"{what} {stuck.package}", because=stuck.problem.because,
            ))
    if after.drain is not None and after.drain != before.drain:
        told.append(_event(subject, f"drain planned: {_plan(after.drain)}"))
    if len(after.returning) > len(before.returning):
        told.append(_event(subject, f"brings home {', '.join(after.returning)}"))
    return told


def _seen(sighting: Sighting) -> str:
    return "without a way to ask it" if sighting.unasked else f"seen {sighting.kind}"


def _word(subject: str, before: NodeRecord, after: NodeRecord) -> list[Event]:
    """A word that became a proof, or came too late for one, is told of by the node's death."""
    if after.word is not None and after.word != before.word:
        return [_event(
            subject, "said to be off",
            because=f"{after.word.because}. It counts when the lease of the node is over")]
    is_proven = after.proof is not None and after.proof != before.proof
    if before.word is not None and after.word is None and not is_proven:
        return [_event(subject, "no longer said to be off")]
    return []


def _seats(before: State, after: State) -> list[Event]:
    """Who counts in agreement. The first time it only writes down what was so before."""
    if not before.seats:
        return [_event(f"cluster:{after.name}", "who votes is in the log from now on")]
    old = {each.name: each for each in before.seats}
    new = {each.name: each for each in after.seats}
    told = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if now is None:
            told.append(_event(f"node:{name}", "node left agreement"))
        elif was is None:
            told.append(_event(f"node:{name}", "node is sent the log"))
        elif was.votes != now.votes:
            told.append(_event(
                f"node:{name}", "node votes" if now.votes else "node votes no more"))
    return told


def _plan(plan: DrainPlan) -> str:
    moves, waves = len(plan.moves()), len(plan.waves)
    staying = f", {', '.join(each.package for each in plan.staying)} cannot leave" \
        if plan.staying else ""
    return f"{moves} packages in {waves} waves, about {plan.seconds:.0f} s{staying}"


def _trust(before: Trust, after: Trust) -> list[Event]:
    """Public keys are told by their first characters: enough to tell two apart."""
    told = []
    for each in after.invitations:
        if before.invitation(each.id) is None:
            told.append(_event(f"node:{each.node}", "node invited"))
    for name in sorted({each.node for each in (*before.nodes, *after.nodes)}):
        told += _keys(name, before.node(name), after.node(name))
    operators = {each.name: each for each in before.operators}
    for operator in after.operators:
        old = operators.pop(operator.name, None)
        if old != operator and before.nodes:
            subject = f"operator:{operator.name}"
            told.append(_event(subject, "operator added", after=operator.role))
    for name, gone in sorted(operators.items()):
        told.append(_event(f"operator:{name}", "operator removed", before=gone.role))
    return told


def _keys(name: str, before: NodeKeys | None, after: NodeKeys | None) -> list[Event]:
    subject = f"node:{name}"
    if before == after:
        return []
    if after is None or before is None:
        return [_event(
            subject, "key known" if after else "key taken off the list",
            before=_shown(before.key) if before else "", after=_shown(after.key) if after else "",
        )]
    if after.rotation != before.rotation and after.rotation:
        return [_event(subject, "new key ordered")]
    if after.next_key and after.next_key != before.next_key:
        return [_event(
            subject, "new key offered, both are accepted", before=_shown(before.key),
            after=_shown(after.next_key),
        )]
    return [_event(
        subject, "key changed", before=_shown(before.key), after=_shown(after.key))]


def _shown(key: str) -> str:
    return f"{key[:8]}..."


def _package(
    name: str, before: PackageRecord | None, after: PackageRecord | None, entry: Entry,
) -> list[Event]:
    subject = f"package:{name}"
    if before is after:
        return []
    if after is None:
        return [_event(subject, "package deleted")]
    if before is None:
        return [_event(subject, "package applied", after=after.state)]
    told = [*_move(subject, before.move, after.move, entry), *_fence(subject, before, after)]
    if after.queued is not None and before.queued is None:
        told.append(_event(
            subject, "move waits for its turn", before=after.owner or "",
            after=after.queued.target))
    if before.state != after.state or before.owner != after.owner:
        told.append(_event(
            subject, f"package {after.state}", before=_place(before), after=_place(after),
            because=after.because, proof=after.proof if after.proof != before.proof else None,
        ))
    told += [
        _event(f"node:{each.node}", f"start of {name} given up", because=each.because)
        for each in after.shortages if each not in before.shortages]
    if before.spec != after.spec:
        told.append(_event(subject, "package configuration changed"))
    told += _disks(subject, before, after)
    if before.auto_run != after.auto_run:
        words = ("disabled", "enabled")
        told.append(_event(
            subject, f"switching {words[after.auto_run]}",
            before=words[before.auto_run], after=words[after.auto_run],
        ))
    return told + _holds(subject, before, after)


def _disks(subject: str, before: PackageRecord, after: PackageRecord) -> list[Event]:
    """What a disk is counts from its first start on; where it was seen last is no news."""
    told, old, new = [], by_path(before.disks), by_path(after.disks)
    for path, each in new.items():
        was = old.pop(path, None)
        if was is None:
            told.append(_event(subject, f"disk {path} is known", after=shown(each)))
        elif was.size_bytes != each.size_bytes:
            told.append(_event(
                subject, f"disk {path} has grown", before=shown(was), after=shown(each)))
    for path, was in sorted(old.items()):
        told.append(_event(
            subject, f"disk {path} is learnt anew at the next start", before=shown(was)))
    return told


def _fence(subject: str, before: PackageRecord, after: PackageRecord) -> list[Event]:
    fencing = after.fencing
    if fencing is None or fencing == before.fencing:
        return []
    if fencing.problem is None:
        return [_event(
            subject, "storage fence ordered", before=fencing.victim, after=fencing.node,
            because=fencing.because,
        )]
    return [_event(
        subject, "storage fence failed", before=fencing.victim, after=fencing.node,
        because=fencing.problem.because,
    )]


def _holds(subject: str, before: PackageRecord, after: PackageRecord) -> list[Event]:
    """Maintenance and nodes kept away; switching as a whole is told of by `auto_run`."""
    words = {"maintenance": ("maintenance off", "maintenance on"),
             "node-switching": ("switching enabled on", "switching disabled on")}
    told = []
    for begun, holds, others in ((True, after.holds, before.holds),
                                 (False, before.holds, after.holds)):
        for hold in holds:
            if hold not in others and hold.kind in words:
                what = f"{words[hold.kind][begun]} {hold.node or ''}".strip()
                if not begun and any(
                        (each.kind, each.node) == (hold.kind, hold.node) for each in after.holds):
                    what = f"{what}: one order is over, another stands"
                told.append(_event(subject, what, because=hold.reason if begun else ""))
    return told


def _place(record: PackageRecord) -> str:
    return f"{record.state} on {record.owner}" if record.owner else record.state


def _move(
    subject: str, before: MoveRecord | None, after: MoveRecord | None, entry: Entry,
) -> list[Event]:
    if after is None or before == after:
        return []
    if after.stage != "done" and (before is None or before.id != after.id):
        return [_event(
            subject, "move opened", before=after.source, after=after.target,
            because=after.because,
        )]
    if before is not None and before.stage == after.stage and before.id == after.id:
        if after.abort_because and not before.abort_because:
            return [_event(subject, "move: end asked for", because=after.abort_because)]
        return []
    if after.stage != "done":
        words = {MoveLanded: "move: copy begins", MoveFrozen: "move: frozen, monitoring suspended"}
        what = words.get(type(entry), f"move: {after.stage}")
        return [_event(
            subject, what, before=before.stage if before else "", after=after.stage)]
    figures = after.figures
    if after.result == "completed":
        because = (
            f"total {figures.total_ms:.0f} ms, freeze {figures.freeze_ms:.1f} ms, monitoring "
            f"suspended {figures.monitoring_suspended_ms:.1f} ms"
        )
    else:
        because = after.problem.because if after.problem else ""
    return [_event(
        subject, f"move {after.result}", before=after.source, after=after.target,
        because=because,
    )]
