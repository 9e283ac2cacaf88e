"""The record beside what is seen: how a package is shown where the two differ. PURE."""

from cluster.core import refusals
from cluster.core.model import PackageRecord, State
from packages.core.problem import Problem
from packages.core.sightings import Sighting
from packages.core.values import changed

Sighted = dict[str, list[tuple[str, Sighting]]]
"""Package -> (node, what was seen there beside the record)."""


def sighted(state: State) -> Sighted:
    found: Sighted = {}
    for name, node in sorted(state.nodes.items()):
        for each in node.sightings:
            if each.package in state.packages:
                found.setdefault(each.package, []).append((name, each))
    return found


def beside(seen: list[tuple[str, Sighting]]) -> list[tuple[str, Sighting]]:
    """Guests that are there and should not be."""
    return [(node, each) for node, each in seen if each.kind != "nowhere"]


def against_start(state: State, record: PackageRecord) -> Problem | None:
    """Nothing is started while a guest of the package is seen anywhere."""
    found = beside(sighted(state).get(record.name, []))
    return refusals.seen_elsewhere(record, *found[0]) if found else None


def word(record: PackageRecord, seen: list[tuple[str, Sighting]]) -> str | None:
    """The package's state where it is not as recorded: `twice`, `misplaced`, `stuck` or
    `nowhere`."""
    if beside(seen):
        return "twice" if record.owner is not None else "misplaced"
    if any(each.stuck for _, each in seen):
        return "stuck"
    gone = any(node == record.owner and not each.unasked for node, each in seen) and (
        record.state == "running")
    return "nowhere" if gone else None


def problems(record: PackageRecord, seen: list[tuple[str, Sighting]]) -> list[Problem]:
    found = [refusals.seen_elsewhere(record, node, each) for node, each in beside(seen)]
    found += [refusals.agent_stuck(record, node, each) for node, each in seen if each.stuck]
    found += [refusals.not_asked(record, node, each) for node, each in seen if each.unasked]
    if word(record, seen) == "nowhere":
        found.append(refusals.seen_nowhere(record))
    return [changed(each, severity="warn") for each in found]
