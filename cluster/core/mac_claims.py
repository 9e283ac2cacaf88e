"""The MAC addresses of all packages, as the record keeps them: an index, and the rule it is for.

The rule stands in the record, because two files applied at the same moment are each checked before
the other counts. PURE.
"""

from collections.abc import Iterable

from cluster.core.claims import reindexed
from packages.core.mac_addresses import mac_in_use, mac_unusable, macs
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.values import Map

Claims = Map[str, str]
"""MAC -> the package that has it."""


def reclaimed(
    claims: Claims, before: PackageSpec | None, after: PackageSpec | None,
    others: Iterable[PackageSpec] = (),
) -> Claims:
    """The index after a package's description has changed, come or gone, beside these others."""
    of = after or before
    if of is None or before is after or (
            before and after and before.vm.networks == after.vm.networks):
        return claims
    return reindexed(
        claims, of.name, frozenset(macs(before) if before else ()),
        frozenset(macs(after) if after else ()),
        lambda mac: [each.name for each in others if each.name != of.name and mac in macs(each)])


def against_claiming(
    claims: Claims, before: PackageSpec | None, spec: PackageSpec,
) -> Problem | None:
    """Why the package cannot have an address it did not have before."""
    had = macs(before) if before is not None else ()
    found = [*(mac_unusable(spec) if set(macs(spec)) - set(had) else ()),
             *mac_in_use(spec, claims, had)]
    return found[0] if found else None
