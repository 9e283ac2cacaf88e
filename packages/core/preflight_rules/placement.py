"""Rules about the node itself: may the package be there, and is the node fit to take it."""

from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem
from packages.core.versions import are_adjacent, version_of

GUARDIAN_AGAIN = (
    "systemctl kill -s KILL vmsg-guard (its unit starts it again, and it takes up lease and "
    "guests), or systemctl start vmsg-guard where the unit is off")
"""What helps a guardian that is silent, in every state that prints it: a restart by its unit would
wait a quarter of a minute for a guardian that does not end while it has guests."""


def node_not_eligible(asked: PreflightInput) -> Problem | None:
    if asked.target in asked.spec.nodes:
        return None
    return problem(
        "node-not-eligible", f"package:{asked.spec.name}",
        what=f"{asked.target} may not run {asked.spec.name}",
        because=f"the package's nodes are {', '.join(asked.spec.nodes)}",
        fix=f"choose one of them, or add {asked.target} to the package's nodes",
    )


def node_switching_disabled(asked: PreflightInput) -> Problem | None:
    if asked.placement.switching:
        return None
    return problem(
        "node-switching-disabled", f"package:{asked.spec.name}",
        what=f"{asked.spec.name} is kept away from {asked.target}",
        because=asked.placement.because or "its switching is disabled on that node",
        fix=f"vmsg package enable {asked.spec.name} --node {asked.target}",
    )


def node_in_maintenance(asked: PreflightInput) -> Problem | None:
    if not asked.placement.in_maintenance:
        return None
    return problem(
        "node-in-maintenance", f"node:{asked.target}",
        what=f"{asked.target} takes no packages",
        because=asked.placement.because or "it is being emptied or is in maintenance",
        fix=f"vmsg node resume {asked.target}",
    )


def node_quarantined(asked: PreflightInput) -> Problem | None:
    """Asked of moves alone: a start there is a last resort, a running guest has none to seek."""
    if not asked.placement.quarantined:
        return None
    return problem(
        "node-quarantined", f"node:{asked.target}",
        what=f"{asked.target} takes no packages for a time",
        because="it has failed too often lately",
        fix=f"find out why, then: vmsg node unquarantine {asked.target}",
    )


def guardian_unreachable(asked: PreflightInput) -> Problem | None:
    if asked.placement.guarded or not asked.placement.up:
        return None
    return problem(
        "guardian-unreachable", f"node:{asked.target}",
        what=f"{asked.target} takes no packages",
        because="its guardian does not answer its daemon, so it renews no lease",
        fix=f"on {asked.target}: {GUARDIAN_AGAIN}; or choose another node",
    )


def node_not_up(asked: PreflightInput) -> Problem | None:
    if asked.placement.up:
        return None
    return problem(
        "node-not-up", f"node:{asked.target}",
        what=f"{asked.target} is not up",
        because=asked.placement.because or "it is down, halted or unheard",
        fix=f"look at it, vmsg node list says what it waits for (one that was halted: vmsg node "
            f"run {asked.target}), or choose another node",
    )


def facts_missing(asked: PreflightInput) -> Problem | None:
    """Only asked of nodes that should have answered; one that is down is refused for that."""
    silent = []
    if asked.target_facts is None and asked.placement.up:
        silent.append(asked.target)
    if asked.running is not None and asked.source_facts is None:
        silent.append(asked.running.node)
    if not silent:
        return None
    named = " and ".join(sorted(set(silent)))
    return problem(
        "facts-missing", f"package:{asked.spec.name}",
        what=f"{named} did not tell what it has",
        because="without its facts nobody can say that the guest could run there as it does here",
        fix=f"look at vmsgd's log on {named} and ask again",
    )


def node_version_differs(asked: PreflightInput) -> Problem | None:
    """A cluster that is upgraded node by node moves packages between the two versions."""
    source, target = asked.source_facts, asked.target_facts
    if source is None or target is None:
        return None
    if are_adjacent(version_of(source.version), version_of(target.version)):
        return None
    return problem(
        "node-version-differs", f"node:{asked.target}",
        what=f"{target.name} runs vmsg {target.version}, {source.name} runs {source.version}",
        because="these versions do not promise to understand each other's moves",
        fix="bring both nodes to one version, or to two that are one minor version apart "
            "(docs/upgrade.md)",
    )
