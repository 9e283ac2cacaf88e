"""What a cluster of two adjacent versions may agree upon. PURE.

A node that does not know a kind of entry refuses it, and one that does applies it: their records
would differ from there on. So nothing is proposed that the lowest version among the nodes does not
know. `SINCE` says in which version a kind came in; those of the first version are not listed. The
same holds for a field on which a rule acts: whoever makes the entry leaves it at its default
until the floor allows it, and for a default the rule does what it did before.

The floor never falls: a node that comes with a version below it is not let in, for the log may
hold what it cannot read.
"""

from collections.abc import Mapping

from cluster.core.entries import Entry
from cluster.core.model import State
from packages.core.problem import Problem, problem
from packages.core.versions import FIRST, Version, are_adjacent, version_of

SINCE: Mapping[type[Entry], Version] = {}
"""Every kind so far is of the first version."""


def floor(state: State) -> Version:
    """The lowest version among the nodes that ever took part; FIRST before any did."""
    versions = [version_of(each.version) for each in state.nodes.values() if each.version]
    return min(versions, default=FIRST)


def refused_by_floor(
    state: State, kind: type[Entry], since: Mapping[type[Entry], Version] = SINCE,
) -> Problem | None:
    """Why an entry of this kind may not be proposed yet."""
    needed = since.get(kind)
    if needed is None or floor(state) >= needed:
        return None
    behind = sorted(
        name for name, each in state.nodes.items()
        if each.version and version_of(each.version) < needed
    )
    return problem(
        "version-floor", f"cluster:{state.name}", what="This cannot be agreed upon yet.",
        because=f"{', '.join(behind)} run a version of the product that does not know it.",
        fix="Bring these nodes to the new version first (docs/upgrade.md), then ask again.",
    )


def refused_version(state: State, node: str, version: str) -> Problem | None:
    """Why a node of this version may not take part: it works with its neighbours in time alone,
    one minor version up or down, and the floor never falls."""
    coming, lowest = version_of(version), floor(state)
    others = [
        version_of(each.version) for name, each in state.nodes.items()
        if each.version and name != node
    ]
    far = [each for each in others if not are_adjacent(each, coming)]
    below = any(each.version for each in state.nodes.values()) and coming < lowest
    if not far and not below:
        return None
    told = ".".join(str(each) for each in (min(far) if far else lowest))
    return problem(
        "node-version-differs", f"node:{node}", what=f"Node {node} may not take part.",
        because=f"It runs version {version}; another node runs {told}."
                if far else f"It runs version {version}, and everybody else at least {told}.",
        fix="Upgrade one minor version at a time, every node before the next "
            "(docs/upgrade.md).",
    )
