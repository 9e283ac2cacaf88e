"""The shapes operators and scripts read, made from the state. PURE.

Names and shapes are a contract (docs/commands.md): add to them, never change them.
"""

from typing import Any

from cluster.core import maintenance, troubles, truth
from cluster.core.beside import Surroundings as Surroundings
from cluster.core.beside import by_wall
from cluster.core.beside import is_silent as is_silent
from cluster.core.beside import rfc3339 as rfc3339
from cluster.core.beside import votes as votes
from cluster.core.fail_plan import FailPlan
from cluster.core.fencing import may_be_fenced
from cluster.core.model import (
    UP, Event, MoveRecord, NodeRecord, PackageRecord, State, packages_of, suffices, unproven
)
from cluster.core.moves import just_opened
from cluster.core.runs import blocked_nodes
from cluster.core.suspensions import in_maintenance
from packages.core.drain_plan import DrainPlan
from packages.core.sightings import Sighting
from packages.core.values import plain

STATUS_WORDS = {
    "running": "up", "starting": "starting", "halting": "halting", "failing": "failing",
    "halted": "down", "failed": "down", "relocate_wait": "relocate_wait", "detached": "detached",
}

PHASES = {
    "opened": "init", "copy": "copy", "frozen": "frozen", "aborting": "frozen",
    "orphaned": "frozen", "committed": "thaw", "done": "done",
}


def status(state: State, around: Surroundings, *, verbose: bool = False) -> dict[str, Any]:
    """`vmsg status -o json`."""
    packages = [state.packages[name] for name in sorted(state.packages)]
    seen = truth.sighted(state)
    return {
        "cluster": {
            "name": state.name, "status": _cluster_status(state, around),
            "leader": around.leader, "quorum": around.quorum, "term": around.term,
            "entry": state.applied,
        },
        "nodes": [
            _node(state, state.nodes[name], around, verbose) for name in sorted(state.nodes)
        ],
        "packages": [
            package(record, around, state=state, seen=seen.get(record.name, []), verbose=verbose)
            for record in packages
        ],
        "problems": [plain(each) for each in (*around.problems, *troubles.problems(state, around))],
    }


def _cluster_status(state: State, around: Surroundings) -> str:
    if not around.quorum:
        return "unknown"
    if not state.name or around.leader is None:
        return "starting"
    return "up" if state.running else "down"


def awaited(state: State, record: NodeRecord, around: Surroundings) -> dict[str, Any] | None:
    """What packages of a node that may be dead wait for, by any of these kinds of proof, and until
    when the first of them comes by itself; null where nothing is waited for."""
    until_ms, kinds = 0, ["operator"]
    if record.state in UP and is_silent(record.name, around):
        assert around.silence is not None
        held = [each for each in packages_of(state, record.name) if each.owner == record.name]
        if not held or any(suffices("lease", each) for each in held):
            until_ms = around.silence.lease_over_ms.get(record.name, 0)
            kinds = ["lease", *kinds]
        over_ms = around.silence.lease_over_ms.get(record.name, 0)
    else:
        held = unproven(state, record.name)
        if not held:
            return None
        over_ms = record.proof.at_ms if record.proof else 0
    if record.word is not None:
        until_ms = over_ms  # no other proof comes by itself before
    if record.watchdog_s > 0 and any(suffices("watchdog", each) for each in held):
        kinds = ["watchdog", *kinds]
        until_ms = until_ms or over_ms + int(record.watchdog_s * 1000)
    if around.silence is not None and record.name in around.silence.fenced:
        kinds = ["power", *kinds]
    if any(may_be_fenced(each) for each in held):
        kinds = ["storage", *kinds]
    return {
        "for": kinds, "until": rfc3339(until_ms) if until_ms else None,
        "packages": [each.name for each in held],
    }


def _word(record: NodeRecord, around: Surroundings) -> dict[str, Any] | None:
    """Whose it is, and for how long it still waits; null for that where nobody knows it."""
    if record.word is None:
        return None
    left_ms = around.silence.lease_left_ms.get(record.name) if around.silence else None
    return {
        "by": record.word.by, "because": record.word.because,
        "at": rfc3339(record.word.at_ms),
        "waits_s": left_ms / 1000 if left_ms is not None else None,
    }


def _node(
    state: State, record: NodeRecord, around: Surroundings, verbose: bool,
) -> dict[str, Any]:
    up = record.state in UP
    silent = is_silent(record.name, around)
    shown: dict[str, Any] = {
        "name": record.name, "status": "up" if up and not silent else "down",
        "state": record.state, "address": around.addresses.get(record.name, ""),
        "awaited": awaited(state, record, around) if around.quorum else None,
        "word": _word(record, around),
        "role": record.role, "votes": votes(state, record),
        "guardian": "unreachable" if record.guardian_silent else "ok",
        "leaving": record.leave is not None,
    }
    if record.state == "unknown" or (up and not around.quorum):
        shown["status"] = "unknown"
    if up and silent and around.quorum:
        shown["status"] = "unknown"
    if verbose:
        shown |= {
            "since": rfc3339(record.since_ms), "because": record.because,
            "version": record.version, "proof": plain(record.proof), "fence": plain(record.fence),
            "watchdog": record.watchdog, "watchdog_s": record.watchdog_s,
            "packages": sorted(state.placed.get(record.name, ())),
            "stuck": [plain(each) for each in maintenance.still_stuck(state, record)],
            "drain": plan(record.drain) if record.drain is not None else None,
            "returning": list(record.returning),
            "quarantined_until": rfc3339(by_wall(record.quarantined_until_ms, around))
            if record.quarantined_until_ms is not None else None,
        }
    return shown


def plan(found: DrainPlan) -> dict[str, Any]:
    """The plan of a drain."""
    return {
        "node": found.node,
        "moves": [
            plain(move) | {"wave": number}
            for number, wave in enumerate(found.waves, 1) for move in wave.moves
        ],
        "stuck": [plain(each) for each in found.staying],
        "waves": [
            {"seconds": wave.seconds, "packages": [move.package for move in wave.moves],
             "without_spare": list(wave.without_spare)}
            for wave in found.waves
        ],
        "without_spare": list(found.without_spare), "seconds": found.seconds,
    }


def fail_plan(found: FailPlan, *, lease_proves_s: float) -> dict[str, Any]:
    return {
        "nodes": list(found.nodes), "quorum": found.quorum, "lease_proves_s": lease_proves_s,
        "starts": [
            {"package": each.package, "from": each.source, "node": each.node, "turn": each.turn,
             "proof": each.proof, "because": each.because}
            for each in found.starts
        ],
        "stuck": [{"package": each.package, "problem": plain(each.problem)}
                  for each in found.stopped],
    }


def monitoring(record: PackageRecord, now_ms: int) -> str:
    if record.state not in ("running", "starting") or in_maintenance(record):
        return "off"
    if record.freeze is not None and now_ms < record.freeze.until_ms:
        return "suspended"
    return "active"


def _is_unknown(record: PackageRecord, around: Surroundings, state: State) -> bool:
    """Whether nobody can say how it stands: without a majority it may stand frozen or run elsewhere
    by now, and a node that is silent or called dead tells nothing."""
    if not around.quorum or record.lost is not None:
        return True
    node = state.nodes.get(record.owner or "")
    return node is not None and (
        node.state == "failed" or node.state in UP and is_silent(node.name, around))


def package(
    record: PackageRecord, around: Surroundings, *, state: State,
    seen: list[tuple[str, Sighting]], verbose: bool = False,
) -> dict[str, Any]:
    watched = monitoring(record, around.now_ms)
    until = record.freeze.until_ms if record.freeze and watched == "suspended" else None
    moving = record.moving and record.move is not None
    status = "unknown" if _is_unknown(record, around, state) else STATUS_WORDS[record.state]
    differs = truth.word(record, seen)
    shown: dict[str, Any] = {
        "name": record.name, "status": differs or status,
        "state": differs or ("maintenance" if _shows_maintenance(record) else record.state),
        "seen": [{"node": node, **plain(each)} for node, each in seen],
        "node": record.owner or (record.lost.node if record.lost else None),
        "auto_run": record.auto_run, "epoch": record.epoch,
        "boot_id": record.boot_id, "monitoring": watched,
        "suspended_until": rfc3339(until) if until is not None else None,
        "move": move(record, around) if moving or record.queued else None,
        "because": record.because,
        "holds": [
            plain(hold) | {"until_ms": hold.until_ms and by_wall(hold.until_ms, around)}
            for hold in record.holds
        ],
        "switching": [
            {"node": name, "enabled": name not in blocked_nodes(record)}
            for name in record.spec.nodes
        ],
    }
    if verbose:
        shown |= {
            "description": record.spec.description, "since": rfc3339(record.since_ms),
            "service_restart": record.spec.service_restart, "proof": plain(record.proof),
            "lease_is_proof": record.spec.lease_is_proof, "fence": record.spec.fence.kind,
            "machine": record.machine, "disks": [disk.path for disk in record.spec.vm.disks],
            "monitors": [plain(monitor) for monitor in record.spec.monitors],
            "not_runnable_on": record.not_runnable_on,
            "last_move": move(record, around) if record.move and not moving else None,
        }
    return shown


def _shows_maintenance(record: PackageRecord) -> bool:
    return record.state == "running" and in_maintenance(record)


def move(record: PackageRecord, around: Surroundings) -> dict[str, Any] | None:
    """MOVE of the contract; the running one's soft numbers come from its source."""
    if record.queued is not None and not record.moving:
        return _recorded(just_opened(record, record.queued)) | {"queued": True}
    if record.move is None:
        return None
    soft = around.progress.get(record.name) if record.moving else None
    shown = _recorded(record.move)
    if isinstance(soft, dict) and soft.get("id") == record.move.id:
        shown |= {key: soft[key] for key in _SOFT if soft.get(key) is not None}
    return shown


_SOFT = (
    "phase", "percent", "total_ms", "freeze_ms", "monitoring_suspended_ms", "transferred_bytes",
    "remaining_bytes", "dirty_bytes_s", "bandwidth_bytes_s", "forecast", "phases",
)


def _recorded(record: MoveRecord) -> dict[str, Any]:
    figures = record.figures
    done = record.stage == "done"
    return {
        "id": record.id, "package": record.package, "source": record.source,
        "target": record.target, "result": record.result, "problem": plain(record.problem),
        "phase": PHASES[record.stage],
        "percent": 100 if record.result == "completed" else 0,
        "total_ms": round(figures.total_ms, 1), "freeze_ms": round(figures.freeze_ms, 3),
        "monitoring_suspended_ms": round(figures.monitoring_suspended_ms, 3),
        "transferred_bytes": figures.transferred_bytes,
        "phases": {
            "init": {"ms": round(figures.init_ms, 1)}, "copy": {"ms": round(figures.copy_ms, 1)},
            "io_quiesce": {"ms": round(figures.io_quiesce_ms, 3)},
            "frozen": {"ms": round(figures.frozen_ms, 3)},
        },
        "forecast": {
            "total_ms": round(figures.forecast_total_ms, 1),
            "freeze_ms": round(figures.forecast_freeze_ms, 1),
        },
        "opened_at": rfc3339(record.opened_at_ms), "because": record.because,
        "by": record.by, "ended": done, "queued": False,
    }


def event(number: int, told: Event) -> dict[str, Any]:
    """EVENT of the contract."""
    return {
        "entry": told.index, "at": rfc3339(told.at_ms), "subject": told.subject,
        "what": told.what, "from": told.before, "to": told.after, "because": told.because,
        "by": told.by, "request": told.request, "seq": number, "proof": plain(told.proof),
        "via": told.via,
    }
