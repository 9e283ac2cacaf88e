"""A guest's disks, as its process has them open, held against what the record knows of them.

A path may mean another LUN from one moment to the next, so what counts is asked of the process,
after it has opened its disks and before it may run or be given memory. What must never happen
here: a guest let run on a disk that is not its package's.
"""

import asyncio
from collections.abc import Mapping

from packages.core.facts import DiskFacts, OpenedDisks
from packages.core.fencing import DiskGuard, is_iscsi
from packages.core.known_disks import (
    KnownDisk, another, by_path, known_disk, opened_for, opened_otherwise
)
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.wwid import same_identity
from packages.surroundings import Body, Surroundings
from packages.vm.driver import Guest

LOOK_S = 4.0
"""A healthy device answers within milliseconds; one that does not is no disk to start on."""


async def verified(
    around: Surroundings, body: Body, spec: PackageSpec, guest: Guest,
) -> Problem | None:
    """Before it runs, or is given memory: that it has the package's disks open, and no others. What
    it has is kept in the body, to be said to the record."""
    body.disks = ()
    if not spec.vm.disks:
        return None
    opened, targets = await asyncio.gather(
        around.probe.opened(guest.pid, local_paths(spec), deadline_s=LOOK_S),
        at_targets(around, spec))
    if opened is None:
        return _not_told(around, spec)
    known = by_path(_recorded(around, spec))
    found = {**opened_for(opened.named, opened.devices, known), **targets}
    refused = _refused(around, spec, opened, found, known)
    if refused is None:
        body.disks = tuple(known_disk(path, found[path], around.node) for path in sorted(found))
    return refused


async def in_use(
    around: Surroundings, body: Body, spec: PackageSpec, guest: Guest,
) -> tuple[KnownDisk, ...]:
    """What is to be said to the record of a guest that runs: what it was verified with, or what an
    earlier daemon's guest has open."""
    if not body.disks:
        await verified(around, body, spec, guest)
    return body.disks


async def strayed(around: Surroundings, spec: PackageSpec, guest: Guest) -> Problem | None:
    """Of a guest that runs, found again after a restart of the daemon: that a disk it has open is
    certainly another one than the record's. What cannot be told is no reason to end a guest."""
    known = by_path(_recorded(around, spec))
    if not known:
        return None
    opened = await around.probe.opened(guest.pid, local_paths(spec), deadline_s=LOOK_S)
    if opened is None:
        return None
    found = opened_for(opened.named, opened.devices, known)
    return next((
        refused for path, seen in sorted(found.items())
        if path in known and seen.identity and known[path].identity
        and not same_identity(seen.identity, known[path].identity)
        and (refused := another(spec.name, known[path], seen, around.node)) is not None), None)


def local_paths(spec: PackageSpec) -> tuple[str, ...]:
    """Those that this host's kernel opens."""
    return tuple(disk.path for disk in spec.vm.disks if not is_iscsi(disk))


async def at_targets(around: Surroundings, spec: PackageSpec) -> dict[str, DiskFacts]:
    """Disks that the hypervisor opens by itself at their targets, as those tell; without
    those whose target does not."""
    fences = {disk.path: spec.fence for disk in spec.vm.disks if is_iscsi(disk)}
    told = await around.fences.status(fences, deadline_s=LOOK_S) if fences else {}
    return {path: _as_facts(path, guard) for path, guard in told.items()
            if isinstance(guard, DiskGuard)}


def _as_facts(path: str, guard: DiskGuard) -> DiskFacts:
    return DiskFacts(path=path, kind="whole", identity=guard.identity, size_bytes=guard.size_bytes,
                     sector_bytes=guard.sector_bytes)


def _recorded(around: Surroundings, spec: PackageSpec) -> tuple[KnownDisk, ...]:
    record = around.ledger.package(spec.name)
    return record.disks if record is not None else ()


def _refused(
    around: Surroundings, spec: PackageSpec, opened: OpenedDisks, found: Mapping[str, DiskFacts],
    known: Mapping[str, KnownDisk],
) -> Problem | None:
    means = {each.path: each for each in opened.named}
    for disk in spec.vm.disks:
        seen, before = found.get(disk.path), known.get(disk.path)
        if is_iscsi(disk) and seen is None:
            return _not_told(around, spec)
        if before is not None and seen is not None:
            refused = another(spec.name, before, seen, around.node)
        else:
            refused = None if is_iscsi(disk) else opened_otherwise(
                spec.name, means[disk.path], seen, around.node)
        if refused is not None:
            return refused
    return None


def _not_told(around: Surroundings, spec: PackageSpec) -> Problem:
    return problem(
        "disk-not-visible", f"package:{spec.name}",
        what=f"what disks {spec.name} has open on {around.node} could not be seen",
        because=f"its process ended, or a device did not answer within {LOOK_S:g} s",
        fix=f"look at the LUNs of {around.node}: vmsg preflight {spec.name} {around.node}",
    )
