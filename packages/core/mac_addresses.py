"""Which MAC addresses a guest may have, and that no two packages have the same. PURE.

Two guests with one address on a network take each other's frames; a switch that learns it from
both ports cuts each off in turn (IEEE 802.1D 7.8).
"""

from collections.abc import Iterable, Mapping

from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem

NOBODY = "00:00:00:00:00:00"


def macs(spec: PackageSpec) -> tuple[str, ...]:
    """In the one form in which they are compared."""
    return tuple(network.mac.strip().lower().replace("-", ":") for network in spec.vm.networks)


def mac_unusable(spec: PackageSpec) -> list[Problem]:
    found = []
    for mac in dict.fromkeys(macs(spec)):
        because = "it is the address of nobody" if mac == NOBODY else (
            "its first byte is odd: it is a group's address" if _is_group(mac) else "")
        if because:
            found.append(problem(
                "mac-unusable", f"package:{spec.name}", what=f"MAC address {mac} cannot be used",
                because=because, fix="give it an address of its own, such as 52:54:00:12:34:56"))
    return found


def mac_in_use(
    spec: PackageSpec, owners: Mapping[str, str], had: Iterable[str] = (),
) -> list[Problem]:
    """`owners`: MAC -> the package that has it. What the package has had is not asked again: a
    change that leaves it alone must stay possible."""
    kept = frozenset(had)
    return [
        problem(
            "mac-in-use", f"package:{spec.name}", what=f"MAC address {mac} is taken",
            because=f"package {owners[mac]} has it",
            fix=f"give {spec.name} an address of its own (vmsg package get {owners[mac]} shows "
                "the other's)")
        for mac in dict.fromkeys(macs(spec))
        if mac in owners and owners[mac] != spec.name and mac not in kept
    ]


def _is_group(mac: str) -> bool:
    try:
        return bool(int(mac.partition(":")[0], 16) & 1)
    except ValueError:
        return False
