"""The lab's hosts and cables: one network namespace a node, and one for the switches.

Three switches (bridges) stand in a namespace of their own, so that neither the machine's firewall
nor its other networks touch them; the machine itself has one cable into the guests' switch. Every
name comes from the plan, so that `remove_networks` finds the same things.

A cut takes the switch's end of a cable out of its bridge, while the node's end still shows a
carrier: frames vanish in silence, as they do when a switch fails, and the node is told nothing.
(A port state of "disabled" would say the same; this bridge forwards again at once without STP.)
"""

import asyncio
import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from cluster.lab.commands import first_problem, run
from cluster.lab.plan import VSWITCH, LabPlan, Network, NodePlan
from packages.core.problem import Problem

NAMESPACES = Path("/run/netns")
NUMBERS = range(77, 200)
"""Second octets to choose from; 10.77.0.0/16 is rarely anybody's."""

BRIDGE = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
"""A port forwards at once; with snooping a bridge would wait for reports nobody sends."""

SWITCHES = {"lan": "up0", "clu": "cl0", "mig": "mig0"}
"""Bridge in the switches' namespace -> the name of a node's end of the cable."""

PORTS: dict[Network, str] = {"cluster": "clu", "migration": "mig"}

SYSCTLS = {
    # A dead peer's connections end after seconds instead of a quarter of an hour.
    "ipv4/tcp_retries2": 5,
    "ipv4/tcp_syn_retries": 2,
    # Address detection would keep links from being usable for a second.
    "ipv6/conf/all/disable_ipv6": 1,
    "ipv6/conf/default/disable_ipv6": 1,
}


async def make_networks(plan: LabPlan) -> Problem | None:
    """One call of `ip -batch` for the machine, then one for each namespace, side by side."""
    failure = await batch(None, machine_lines(plan)) or await batch(plan.switch, switch_lines(plan))
    if failure:
        return failure
    return first_problem(list(await asyncio.gather(
        *(batch(each.netns, node_lines(each)) for each in plan.nodes),
    )))


def machine_lines(plan: LabPlan) -> list[str]:
    return [
        *(f"netns add {each}" for each in namespaces(plan)),
        f"link add {plan.root_link} type veth peer name root netns {plan.switch}",
        f"addr add {plan.root_address}/24 dev {plan.root_link}",
        f"link set {plan.root_link} up",
    ]


def switch_lines(plan: LabPlan) -> list[str]:
    lines = ["link set lo up"]
    for bridge in SWITCHES:
        lines += [f"link add {bridge} {BRIDGE}", f"link set {bridge} up"]
    lines += ["link set root master lan", "link set root up"]
    for node in plan.nodes:
        for bridge, end in SWITCHES.items():
            port = f"{bridge}-{node.name}"
            lines += [
                f"link add {port} type veth peer name {end} netns {node.netns}",
                f"link set {port} master {bridge}", f"link set {port} up",
            ]
    return lines


def node_lines(node: NodePlan) -> list[str]:
    """The address on the virtual switch is what the node's own checks of guests come from."""
    return [
        "link set lo up",
        f"link add {VSWITCH} {BRIDGE}", f"link set up0 master {VSWITCH}",
        f"addr add {node.lan_address}/24 dev {VSWITCH}",
        f"addr add {node.address}/24 dev cl0",
        f"addr add {node.migration_address}/24 dev mig0",
        *(f"link set {each} up" for each in ("up0", VSWITCH, "cl0", "mig0")),
    ]


async def batch(netns: str | None, lines: Iterable[str]) -> Problem | None:
    text = "\n".join(lines) + "\n"
    if netns is None:
        outcome = await run("ip", "-batch", "-", text=text)
    else:
        settings = "; ".join(
            f"[ ! -e /proc/sys/net/{name} ] || echo {value} >/proc/sys/net/{name}"
            for name, value in SYSCTLS.items()
        )
        outcome = await run(
            "ip", "netns", "exec", netns, "sh", "-ec", f"{settings}; exec ip -batch -", text=text,
        )
    return outcome if isinstance(outcome, Problem) else None


def namespaces(plan: LabPlan) -> list[str]:
    return [plan.switch, *(each.netns for each in plan.nodes)]


async def remove_networks(plan: LabPlan) -> Problem | None:
    """Remove what is there of the plan. The cable of the machine goes first: the kernel removes a
    namespace's links later, in its own time, and then it would still be there when we return."""
    lines = [f"netns del {each}" for each in namespaces(plan) if (NAMESPACES / each).exists()]
    if Path("/sys/class/net", plan.root_link).exists():
        lines.insert(0, f"link del {plan.root_link}")
    return await batch(None, lines) if lines else None


async def set_ports(plan: LabPlan, node: NodePlan, networks: Iterable[Network], *,
                    plugged: bool) -> Problem | None:
    """Plug the node's cables to these networks into their switches, or pull them."""
    bridges = [PORTS[each] for each in networks if each in PORTS]
    lines = [
        f"link set {each}-{node.name} " + (f"master {each}" if plugged else "nomaster")
        for each in bridges
    ]
    if not lines:
        return None
    outcome = await run("ip", "-n", plan.switch, "-batch", "-", text="\n".join(lines) + "\n")
    return outcome if isinstance(outcome, Problem) else None


async def remove_taps(node: NodePlan) -> Problem | None:
    """A host that lost power has no guests' interfaces any more."""
    listed = await run("ip", "-n", node.netns, "-j", "tuntap", "show")
    if isinstance(listed, Problem):
        return listed
    lines = [f"link del {each['ifname']}" for each in json.loads(listed or "[]")]
    if not lines:
        return None
    outcome = await run("ip", "-n", node.netns, "-batch", "-", text="\n".join(lines) + "\n")
    return outcome if isinstance(outcome, Problem) else None


async def free_numbers() -> list[int] | Problem:
    """Lab numbers whose network 10.N.0.0/16 and names nobody uses on this machine."""
    listed = await run("ip", "-j", "-4", "route", "show", "table", "all")
    if isinstance(listed, Problem):
        return listed
    used = [
        IPv4Network(each["dst"], strict=False) for each in json.loads(listed)
        if each["dst"][:1].isdigit()
    ]
    return [each for each in NUMBERS if is_free(each, used)]


def is_free(number: int, used: list[IPv4Network]) -> bool:
    ours = IPv4Network(f"10.{number}.0.0/16")
    return not (
        any(each.subnet_of(ours) for each in used) or
        (NAMESPACES / f"vmsg{number}-sw").exists()
    )
