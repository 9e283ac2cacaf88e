"""Which package has which disk: one LUN is one package's, whatever names it by. PURE.

Two packages with one LUN would both be started, and each keeps the other from its disk at best. So
the rule stands where everybody's orders meet, in the record: what was checked before may be true no
more when it is agreed upon.
"""

import posixpath
from collections.abc import Callable

from packages.core.model import DiskSpec, PackageSpec
from packages.core.problem import Problem, problem
from packages.core.values import Map
from packages.core.wwid import bare_identity

BY_ID = "/dev/disk/by-id/"


def claims_of(spec: PackageSpec, identities: tuple[str, ...] = ()) -> frozenset[str]:
    """By what its disks are told from others'. `identities` are those that were seen, beside those
    that its file gives."""
    found = {key for disk in spec.vm.disks for key in _keys(disk)}
    return frozenset(found | {_key_of(each) for each in identities if each.strip()})


def _keys(disk: DiskSpec) -> tuple[str, ...]:
    path = posixpath.normpath(disk.path) if disk.path.startswith("/") else disk.path
    given = (path if path.startswith(BY_ID) else "", disk.wwid or "")
    return (path, *(_key_of(each) for each in given if each.strip()))


def _key_of(identity: str) -> str:
    return f"identity {bare_identity(identity)}"


def reindexed(
    index: Map[str, str], name: str, before: frozenset[str], after: frozenset[str],
    holders: Callable[[str], list[str]],
) -> Map[str, str]:
    """The index after what the package `name` claims has changed. By older rules two may claim the
    same; then it is the least name's, so that no order of events makes another index. `holders`:
    who else claims a key."""
    for key in sorted(before - after):
        if index.get(key) == name:
            left = holders(key)
            index = index.set(key, min(left)) if left else index.delete(key)
    for key in sorted(after - before):
        index = index.set(key, min(name, index.get(key, name)))
    return index


def claimed_twice(spec: PackageSpec, other: str) -> Problem:
    paths = ", ".join(disk.path for disk in spec.vm.disks)
    return problem(
        "disk-claimed", f"package:{spec.name}",
        what=f"A disk of package {spec.name} is one of package {other}, too.",
        because=f"{spec.name} has {paths}, and one of them is named by {other}, by its path or its "
                "identity: a LUN is one package's.",
        fix=f"Give {spec.name} a LUN of its own, or take it from {other} first.",
    )


def against_claims(claims: Map[str, str], spec: PackageSpec) -> Problem | None:
    """Why the package cannot have its disks: another has one of them."""
    others = sorted({claims[key] for key in claims_of(spec) if key in claims} - {spec.name})
    return claimed_twice(spec, others[0]) if others else None


def given_twice(specs: list[PackageSpec], claims: Map[str, str]) -> list[Problem]:
    """Names and disks that two of these have, or that another package has by the record."""
    problems, seen, owners = list[Problem](), set[str](), Map[str, str]()
    for spec in specs:
        if spec.name in seen:
            problems.append(problem(
                "config-duplicate", f"package:{spec.name}",
                what=f"Package {spec.name} is described twice.",
                because="Two of the files that were given describe it.",
                fix="Keep one of them, or give one another name.",
            ))
            continue
        seen.add(spec.name)
        claimed = against_claims(owners, spec) or against_claims(claims, spec)
        problems += [claimed] if claimed is not None else []
        for key in sorted(claims_of(spec)):
            owners = owners.set(key, owners.get(key, spec.name))
    return problems
