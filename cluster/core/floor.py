"""What a cluster of two adjacent versions may agree upon. PURE.

A node that does not know a kind of entry refuses it, and one that does applies it: their records
would differ from there on. So nothing is proposed that the lowest version among the nodes does not
know. `SINCE` says in which version a kind came in; those of the first version are not listed. The
same holds for a field on which a rule acts: whoever makes the entry leaves it at its default
until the floor allows it, and for a default the rule does what it did before. `FIELDS` says which
these are; the ledger resets them in what it proposes, and `apply` in what it is given, so that also
a journal in which they stand is read as the older version read it.

A rule that does something else than before with an entry that was there before asks the floor:
where `floor_allows` says no, it does what it did. These came in with 0.2.0:

* a lost owner keeps its package until another has it (moves.py), failures during a suspension are
  noted and failures are counted when the guest is gone (runs.py), a node that an operator works on
  is not quarantined for going (membership.py), a committed move ends with its owner (moves.py);
* holds of several owners stand side by side, and give nothing back that was taken for good
  (suspensions.py); what is halted may be halted again (runs.py);
* disks and MAC addresses of others are refused (runs.py);
* time is the cluster's own (agreed_time.py), and outcomes are kept by it (outcomes.py).

The floor never falls: a node that comes with a version below it is not let in, for the log may
hold what it cannot read.
"""

from collections.abc import Mapping

from cluster.core import entries
from cluster.core.entries import Entry
from cluster.core.model import State
from packages.core.problem import Problem, problem
from packages.core.sightings import Sighting
from packages.core.values import changed
from packages.core.versions import FIRST, Version, are_adjacent, version_of

V0_2: Version = (0, 2, 0)

SINCE: Mapping[type[Entry], Version] = {
    entries.GuardianChanged: V0_2, entries.LeaseTaken: V0_2, entries.RecordBackedUp: V0_2,
    entries.RecordRestored: V0_2, entries.GuestLetGo: V0_2, entries.DeathSaid: V0_2,
    entries.DeathUnsaid: V0_2, entries.RequestRefused: V0_2, entries.NodeLeaving: V0_2,
    entries.PackageLetDown: V0_2, entries.NodeLeft: V0_2, entries.HypervisorChanged: V0_2,
    entries.DisksGrown: V0_2,
}

STAMPS: Mapping[str, object] = {"time_ms": 0, "seen": 0, "via": ""}
FIELDS: Mapping[type[Entry], Mapping[str, object]] = {
    entries.CoordinatorBegan: {"lease": None},
    entries.ClusterFormed: {"lease": None},
    entries.NodeJoined: {"guardian_silent": False, "host_boot": "", "lets_go": False},
    entries.PackageApplied: {"new_disks": ()},
    entries.HoldEnded: {"hold": ""},
    entries.GuestStarted: {"disks": ()},
    entries.GuestFailed: {"blameless": False, "short": False},
    entries.MoveAborted: {"target_hangs": False},
    entries.MoveThawed: {"disks": ()},
}
"""Since 0.2.0, with what they are before; `STAMPS` are of every entry, and `as_all_know` has those
that stand deeper."""


def floor(state: State) -> Version:
    """The lowest version among the nodes that ever took part; FIRST before any did."""
    versions = [version_of(each.version) for each in state.nodes.values() if each.version]
    return min(versions, default=FIRST)


def floor_allows(state: State, needed: Version) -> bool:
    """Whether no node of an older version takes part. A cluster is founded by one version: before
    anybody has joined it, all is allowed."""
    return all(version_of(each.version) >= needed
               for each in state.nodes.values() if each.version)


def as_all_know(state: State, entry: Entry) -> Entry:
    """The entry without the fields that some node would not see in it."""
    if floor_allows(state, V0_2):
        return entry
    if isinstance(entry, entries.SightingsChanged):
        entry = changed(entry, sightings=as_all_see(state, entry.sightings))
    if isinstance(entry, entries.PackageApplied):
        entry = changed(entry, spec=changed(entry.spec, shutdown_policy="move"))
    return changed(entry, **{**STAMPS, **FIELDS.get(type(entry), {})})


def as_all_see(state: State, sightings: tuple[Sighting, ...]) -> tuple[Sighting, ...]:
    if floor_allows(state, V0_2):
        return sightings
    return tuple(changed(each, stuck=False) for each in sightings if not each.unasked)


def refused_by_floor(
    state: State, kind: type[Entry], since: Mapping[type[Entry], Version] = SINCE,
) -> Problem | None:
    """Why an entry of this kind may not be proposed yet."""
    needed = since.get(kind)
    if needed is None or floor_allows(state, needed):
        return None
    return not_known_to_all(state, needed)


def not_known_to_all(state: State, needed: Version) -> Problem:
    """Also of words in the cluster file: a node that does not know them goes on by the one before.
    """
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
