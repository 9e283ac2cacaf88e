"""What an operator should know about, as Problems made from the record. PURE."""

from cluster.core import dependence, leases, maintenance, quarantine, refusals, shortages, truth
from cluster.core.beside import Surroundings, by_wall, is_silent, rfc3339, votes
from cluster.core.links import link_problems
from cluster.core.membership import is_left_alone
from cluster.core.model import UP, NodeRecord, PackageRecord, State, Word, unproven
from cluster.core.runs import blocked_nodes
from cluster.core.suspensions import in_maintenance, is_suspended, suspended_by
from packages.core.machines import lacking
from packages.core.preflight_rules.placement import GUARDIAN_AGAIN
from packages.core.problem import Problem, problem
from packages.core.values import changed

ENDED_MS = 30_000
"""A guest that is killed is gone within milliseconds; its agent tries for 10 s at a time."""


def problems(state: State, around: Surroundings) -> list[Problem]:
    """What an operator should know about, worst first."""
    found = [*leases.problems(state), *_clock_skews(around),
             *link_problems(around.silence, around.leader)]
    for name in sorted(state.nodes):
        found += _node_problems(state, state.nodes[name], around)
        found += _vote_problems(state, state.nodes[name])
    found += shortages.problems(state)
    for name in sorted(state.packages):
        if state.packages[name].lost is not None:
            found.append(_owner_lost(state, state.packages[name]))
            continue
        found += _out_of_sight(state, state.packages[name], around)
        found += _machine_problems(state, state.packages[name])
        found += _package_problems(state.packages[name], around, is_halted=not state.running)
    for name, seen in sorted(truth.sighted(state).items()):
        found += truth.problems(state.packages[name], seen)
    for name in sorted(state.waiting):
        record = state.packages[name]
        waits = dependence.against_start(state, record) if record.auto_run else None
        found += [waits] if waits is not None else []
    return found


def _machine_problems(state: State, record: PackageRecord) -> list[Problem]:
    """Of one that runs as what some of its nodes cannot carry on: it may move there no more."""
    known = {name: state.nodes[name].machines for name in record.spec.nodes
             if name in state.nodes and state.nodes[name].machines}
    nodes = lacking(record.machine, known) if record.machine.startswith("pc-") else ()
    if record.state != "running" or not nodes:
        return []
    return [problem(
        "machine-not-everywhere", f"package:{record.name}",
        what=f"Package {record.name} cannot move to {', '.join(nodes)}.",
        because=f"It was started as {record.machine}, which QEMU does not know there.",
        fix="Install another QEMU there, or give the package a `machine` that all its nodes know, "
            "and restart it.", severity="warn",
    )]


SKEW_MS = 1_000
"""Nothing is decided by wall clocks; from here on a history of several nodes cannot be read."""


def _clock_skews(around: Surroundings) -> list[Problem]:
    ahead_ms = around.silence.ahead_ms if around.silence is not None else {}
    return [
        problem(
            "clock-skew", f"node:{name}", severity="warn",
            what=f"The wall clock of {name} is {abs(ms) / 1000:.1f} s "
                 f"{'ahead of' if ms > 0 else 'behind'} that of {around.leader}.",
            because=f"{around.leader}, which coordinates, has asked {name} for the time. Nothing "
                    "is decided by it, but the times in history and logs cannot be compared.",
            fix=f"Have both hosts' clocks set by NTP: chronyc tracking, on {name} and on "
                f"{around.leader}",
        )
        for name, ms in sorted(ahead_ms.items()) if abs(ms) >= SKEW_MS
    ]


def _node_problems(state: State, record: NodeRecord, around: Surroundings) -> list[Problem]:
    subject = f"node:{record.name}"
    waiting = [changed(refusals.proof_missing(each), severity="warn")
               for each in unproven(state, record.name)]
    if record.guardian_silent:
        waiting.append(_unguarded(record))
    if record.fence is not None:
        waiting.append(changed(record.fence, subject=subject, severity="warn"))
    if record.state == "failed":
        return [*waiting, problem(
            "node-failed", subject, what=f"Node {record.name} failed.", because=record.because,
            fix="Start it again; it joins by itself when nothing foreign runs there. Where its "
                "daemon does not stay up, it says why: journalctl -u vmsgd, on that host.",
            severity="warn",
        )]
    if record.state in UP and is_silent(record.name, around):
        over_ms = around.silence.lease_over_ms.get(record.name) if around.silence else None
        over = f" Its lease is over by {rfc3339(over_ms)}." if over_ms is not None else ""
        if record.word is not None:
            return [*waiting, _said_to_be_off(record, record.word, around)]
        return [*waiting, problem(
            "node-silent", subject, what=f"Node {record.name} is silent.",
            because="It has not asked for its lease lately, and is not proven dead: nothing it has "
                    f"is started elsewhere before that.{over}",
            fix="Wait for its lease to end, or look at its network and its daemon. If it is off: "
                f"vmsg node confirm-dead {record.name} --reason TEXT",
            severity="warn",
        )]
    if record.state == "quarantined":
        until_ms = by_wall(record.quarantined_until_ms or 0, around)
        waiting = [*waiting, quarantine.shown(record, rfc3339(until_ms))]
    return [*waiting, *(each.problem for each in maintenance.still_stuck(state, record))]


def _said_to_be_off(record: NodeRecord, word: Word, around: Surroundings) -> Problem:
    left_ms = around.silence.lease_left_ms.get(record.name) if around.silence else None
    left = f", in {left_ms / 1000:.1f} s at the latest" if left_ms else ""
    return problem(
        "node-silent", f"node:{record.name}",
        what=f"Node {record.name} is silent, and said to be off by {word.by}.",
        because=f"{word.because}. It counts as dead when its lease is over{left}; if it is heard "
                "before, the word is taken back.",
        fix="Wait for that. Nothing needs to be done.", severity="warn",
    )


def _unguarded(record: NodeRecord) -> Problem:
    """Its daemon freezes the guests itself; only a watchdog stands behind both."""
    behind = (f"its watchdog ({record.watchdog}) resets it." if record.watchdog
              else "nothing would: this node has no watchdog.")
    return problem(
        "guardian-unreachable", f"node:{record.name}",
        what=f"The guardian of {record.name} does not answer its daemon.",
        because="No lease is renewed that nobody enforces: when the last one ends its daemon "
                "freezes the guests, and they start elsewhere. Were the daemon to end as well, "
                f"{behind}",
        fix=f"On {record.name}: {GUARDIAN_AGAIN}",
        severity="warn",
    )


def _vote_problems(state: State, record: NodeRecord) -> list[Problem]:
    if record.role == "follower" or votes(state, record):
        return []
    return [problem(
        "node-not-voting", f"node:{record.name}", what=f"Node {record.name} does not vote yet.",
        because="It is given its vote when it is up and has caught up with the log.",
        fix=f"Start its daemon; a new host first comes in with: vmsg node invite {record.name}",
        severity="warn",
    )]


def _package_problems(
    record: PackageRecord, around: Surroundings, *, is_halted: bool,
) -> list[Problem]:
    subject = f"package:{record.name}"
    if record.noted is not None:
        return [refusals.failure_noted(record, record.noted, in_maintenance(record))]
    if record.state == "failed":
        return [problem(
            "package-failed", subject, what=f"Package {record.name} is stopped after failures.",
            because=record.because, severity="warn",
            fix=f"Mend the cause, then: vmsg package run {record.name}",
        )]
    if record.state == "relocate_wait" and not is_halted:
        return [problem(
            "no-node-available", subject, what=f"Package {record.name} waits for a node.",
            because=record.because, severity="warn",
            fix="Start one of its nodes, or enable its switching: "
                f"vmsg package enable {record.name}",
        )]
    return _not_ended(record, around.now_ms)


def _out_of_sight(state: State, record: PackageRecord, around: Surroundings) -> list[Problem]:
    """A guest left alone on a node that is halted, so that nobody waits for it, and not heard."""
    owner = record.owner
    if owner is None or not is_left_alone(record) or state.nodes[owner].state in UP or (
            around.silence is None or owner not in around.silence.lease_over_ms
            or not is_silent(owner, around)):
        return []
    return [problem(
        "detached-unheard", f"package:{record.name}", severity="warn",
        what=f"Whether {record.name} runs is not known.",
        because=f"It is detached on {owner}, which is halted and not heard. Nobody watches it, and "
                "no lease ends it.",
        fix=f"Start {owner}, whose daemon says what became of it. If its host is off: vmsg node "
            f"confirm-dead {owner} --reason TEXT --yes",
    )]


def _owner_lost(state: State, record: PackageRecord) -> Problem:
    fix = "To have it elsewhere, start or enable another of its nodes: vmsg node list"
    if not state.running:
        because = "The cluster is halted."
    elif is_suspended(record):
        because = f"It is {suspended_by(record)}."
        fix = f"To start it elsewhere: vmsg package run {record.name}"
    else:
        blocked = blocked_nodes(record)
        because = "; ".join(
            f"{name}: " + ("switching is disabled there" if name in blocked else
                           state.nodes[name].state if name in state.nodes else "not in the cluster")
            for name in record.spec.nodes)
        because = f"Nobody else may have it now ({because})."
    return changed(refusals.owner_lost(record, because, fix), severity="warn")


def _not_ended(record: PackageRecord, now_ms: int) -> list[Problem]:
    """Its guest was to end and has not: it is started nowhere before that, and nobody is fenced
    for it unless somebody says so."""
    patience_ms = 1000 * record.spec.halt_timeout_s if record.state == "halting" else 0
    if record.state not in ("halting", "failing") or (
            now_ms - record.since_ms < patience_ms + ENDED_MS):
        return []
    return [refusals.will_not_end(record, rfc3339(record.since_ms))]
