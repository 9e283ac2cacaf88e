"""The MAC addresses of all packages, as the record keeps them: an index, and the rule it is for.

The rule stands in the record, because two files applied at the same moment are each checked before
the other counts. PURE.
"""

from packages.core.mac_addresses import mac_in_use, mac_unusable, macs
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.values import Map

Claims = Map[str, str]
"""MAC -> the package that has it."""


def reclaimed(claims: Claims, before: PackageSpec | None, after: PackageSpec | None) -> Claims:
    """The index after a package's description has changed, come or gone."""
    if before is after or before and after and before.vm.networks == after.vm.networks:
        return claims
    for mac in macs(before) if before is not None else ():
        if before is not None and claims.get(mac) == before.name:
            claims = claims.delete(mac)
    for mac in macs(after) if after is not None else ():
        if after is not None and mac not in claims:
            claims = claims.set(mac, after.name)
    return claims


def against_claiming(
    claims: Claims, before: PackageSpec | None, spec: PackageSpec,
) -> Problem | None:
    """Why the package cannot have an address it did not have before."""
    had = macs(before) if before is not None else ()
    found = [*(mac_unusable(spec) if set(macs(spec)) - set(had) else ()),
             *mac_in_use(spec, claims, had)]
    return found[0] if found else None
