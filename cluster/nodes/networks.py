"""The virtual switches of this node: its bridges, and the subnet each of them carries.

Asked over netlink (`ip`), which answers for the caller's own network namespace, whatever /sys is
mounted there. A bridge that is down carries nothing and is not counted.
"""

import ipaddress

from cluster.nodes.programs import output_of
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, from_json


class Address(Value):
    """One entry of `addr_info`, as far as it matters here."""

    local: str = ""
    prefixlen: int = 0
    scope: str = ""


class Link(Value):
    """One line of `ip -j addr`; a link that was filtered out is an empty object."""

    ifname: str = ""
    flags: tuple[str, ...] = ()
    addr_info: tuple[Address, ...] = ()


async def vswitches(
    declared: dict[str, str], *, deadline_s: float = 5.0,
) -> dict[str, str] | Problem:
    """The bridges that are up, by name, each with its subnet.

    A bridge with an address of its own carries that network; without one the node cannot know
    better than the cluster file, whose subnets are `declared`; "" where that says nothing either.
    """
    output = await output_of("ip", "-j", "addr", "show", "type", "bridge", deadline_s=deadline_s)
    if isinstance(output, Problem):
        return output
    try:
        links: tuple[Link, ...] = from_json(output or "[]", tuple[Link, ...])
    except Undecodable as error:
        return problem(
            "program-failed", "program:ip", what="`ip -j addr` gave an answer of another kind",
            because=str(error), fix="install iproute2 4.17 or later",
        )
    up = [link for link in links if link.ifname and "UP" in link.flags]
    return {link.ifname: subnet_of(link, declared.get(link.ifname, "")) for link in up}


async def own_networks(*, deadline_s: float = 5.0) -> tuple[str, ...]:
    """Every network this host has an address in; empty where it could not be found out."""
    output = await output_of("ip", "-j", "addr", "show", "up", deadline_s=deadline_s)
    try:
        links: tuple[Link, ...] = () if isinstance(output, Problem) else from_json(
            output or "[]", tuple[Link, ...])
    except Undecodable:
        return ()
    return tuple(sorted({network for each in links for network in networks_of(each)}))


def subnet_of(link: Link, declared: str) -> str:
    """With several networks on one bridge, the declared one if it is among them."""
    own = networks_of(link)
    if not own or declared in own:
        return declared
    return own[0]


def networks_of(link: Link) -> list[str]:
    """IPv4 first. Addresses of the link alone (fe80::) are on every bridge and say nothing."""
    found = [
        ipaddress.ip_interface(f"{address.local}/{address.prefixlen}").network
        for address in link.addr_info if address.local and address.scope == "global"
    ]
    return [str(network) for network in sorted(found, key=lambda each: each.version)]
