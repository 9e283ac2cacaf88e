"""Addresses in a cluster file: those of one host, which every other host can reach it by.

Addresses are numbers, never names: a cluster that needs a name server to find itself is down when
the name server is. What must never happen here: an address taken that means another host, or
nobody, on another node; it would be found when a daemon cannot listen.
"""

import ipaddress
import re
from typing import Any

from packages.core.shape import Faults, bad_value, text
from packages.core.tree import Listing, Mapping, Scalar, Tree, entry_of

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_TEXT = text(longest=100)
ADDRESS = "the IP address of one host, not a name"
# RFC 1122: a host that does not know its network yet may send from there; nobody can be there.
THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
ZERO_FIRST = re.compile(r"(^|\.)0[0-9]")
ON_ALL_HOSTS = ("address", "migration_address")


def address(tree: Tree, where: str, faults: Faults) -> Any:
    """An IPv4 or IPv6 address of one host, in its usual spelling."""
    value = _TEXT(tree, where, faults)
    if not isinstance(tree, Scalar) or not isinstance(value, str):
        return value
    found = _parsed(value)
    if found is None:
        return bad_value(tree, where, faults, ADDRESS, because=_zero_first(value))
    why = unusable(found)
    if why:
        return bad_value(tree, where, faults, ADDRESS, because=why,
                         fix="write an address of the host that all others can reach")
    return str(found)


def tcp_endpoint(address: str, port: int) -> str:
    """As ZeroMQ takes it: of IPv6 the colons stand in brackets."""
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


def unusable(found: IpAddress) -> str:
    """Why no node can be reached by this address from all others; "" where one may be. Loopback
    has a rule of its own: all nodes may be on one machine."""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return f"it is {found.ipv4_mapped} in another spelling"
        if found.is_link_local or found.scope_id is not None:
            return "a link-local address is good on one link alone, and means another on the next"
    if found.is_unspecified or found.version == 4 and found in THIS_NETWORK:
        return "nobody can be reached at an address of 0.0.0.0/8 or at ::"
    if found.is_multicast:
        return "it is a group's address (multicast), not one host's"
    if found.is_link_local:
        return "a host gives itself a link-local address where it got no other, and it may change"
    if found.version == 4 and found.is_reserved:
        return "addresses from 240.0.0.0 on are nobody's, and 255.255.255.255 is everybody's"
    return ""


def subnet(tree: Tree, where: str, faults: Faults) -> Any:
    """A network such as 10.1.0.0/24, without host bits."""
    value = _TEXT(tree, where, faults)
    if not isinstance(tree, Scalar) or not isinstance(value, str):
        return value
    try:
        if "/" in value:
            return str(ipaddress.ip_network(value))
    except ValueError:
        pass  # said below, together with networks that lack their size
    return bad_value(
        tree, where, faults, "a network such as 10.1.0.0/24", because=_zero_first(value))


def loopback_for_all_or_none(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    """Looks at the text, because one bad node would hide what the others have wrong."""
    entry = entry_of(tree, "nodes")
    nodes = entry.value.value if entry and isinstance(entry.value, Listing) else ()
    given = [
        (f"nodes[{index}].{key}", named.value) for index, node in enumerate(nodes)
        for key in ON_ALL_HOSTS
        if (named := entry_of(node, key)) is not None and isinstance(named.value, Scalar)
    ]
    looped = [(path, scalar) for path, scalar in given if _is_loopback(scalar.value)]
    if len(looped) == len(given):
        return
    for path, scalar in looped:
        bad_value(
            scalar, path, faults, ADDRESS,
            because="a loopback address means another host on each host (Debian gives 127.0.1.1 "
                    "to the host's own name)",
            fix="write an address that the other hosts can reach; only nodes that are all on one "
                "machine may all have loopback addresses",
        )


def _parsed(value: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def _is_loopback(value: str) -> bool:
    found = _parsed(value)
    return found is not None and found.is_loopback


def _zero_first(value: str) -> str:
    return "a part begins with a zero, and some programs count it to the base eight" \
        if ZERO_FIRST.search(value) else ""
