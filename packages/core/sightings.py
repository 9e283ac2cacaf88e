"""What a node sees of packages' guests, held against what the record says of them. PURE.

A difference is a state of its own: a guest seen twice, nowhere, or where it should not be is never
shown as up, and nothing is started beside it.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from packages.core.model import PackageSpec
from packages.core.values import Value

SightingKind = Literal[
    "by-hand",  # a hypervisor nobody ordered has the package's disk open, or carries its identity
    "stray",    # a guest of ours that the record does not give to the node, and that will not end
    "nowhere",  # by the record it runs on the node, and it is not there
]


class Sighting(Value):
    """One difference on one node, once it was seen twice in a row."""

    package: str
    kind: SightingKind
    pid: int = 0
    because: str = ""
    stuck: bool = False
    """Its agent does not get on with it, whatever the record says."""
    unasked: bool = False
    """It is where it should be, and a monitor has no way to it from there."""


class Stranger(Value):
    """A hypervisor's process that the node's daemon did not start, as the kernel shows it."""

    pid: int
    name: str = ""
    """Its -name."""
    uuid: str = ""
    disks: tuple[str, ...] = ()
    """Packages' disks that it has open."""


def by_hand(
    strangers: Iterable[Stranger], specs: Mapping[str, PackageSpec], uuids: Mapping[str, str],
) -> list[Sighting]:
    """Those that have something to do with a package. `uuids`: of guests -> package."""
    owners = {disk.path: name for name, spec in sorted(specs.items()) for disk in spec.vm.disks}
    found = []
    for each in sorted(strangers, key=lambda stranger: stranger.pid):
        for package, because in _reasons(each, specs, owners, uuids).items():
            found.append(Sighting(package=package, kind="by-hand", pid=each.pid, because=because))
    return found


def _reasons(
    stranger: Stranger, specs: Mapping[str, PackageSpec], owners: Mapping[str, str],
    uuids: Mapping[str, str],
) -> dict[str, str]:
    """Package -> why it is thought to be its guest; the disk is the reason that matters most."""
    reasons = {}
    named = stranger.name.split(":")
    if len(named) == 4 and named[0] == "vmsg" and named[1] in specs:
        reasons[named[1]] = f"it carries the name {stranger.name}"
    if stranger.uuid in uuids:
        reasons[uuids[stranger.uuid]] = f"it carries the UUID {stranger.uuid}"
    for path in stranger.disks:
        if path in owners:
            reasons[owners[path]] = f"it has {path} open"
    return reasons


def lasting(before: Iterable[Sighting], now: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """What was seen the last time as well: whatever is on its way is over by then."""
    earlier = set(before)
    return tuple(sorted(
        (each for each in set(now) if each in earlier),
        key=lambda each: (each.package, each.kind, each.pid)))
