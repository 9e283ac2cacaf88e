"""Rules about virtual switches: the same name carries the same subnet on both nodes, and monitors
have a way to what they ask."""

import ipaddress
from collections.abc import Iterable

from packages.core.model import NetworkSpec
from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem


def switch_problems(asked: PreflightInput) -> list[Problem]:
    """Each switch once, in the order of the guest's networks."""
    first_uses = {network.vswitch: network for network in reversed(asked.spec.vm.networks)}
    networks = [each for each in asked.spec.vm.networks if first_uses[each.vswitch] is each]
    found = [
        rule(asked, network) for network in networks
        for rule in (vswitch_missing, vswitch_subnet_differs)
    ]
    return [each for each in found if each is not None]


def vswitch_missing(asked: PreflightInput, network: NetworkSpec) -> Problem | None:
    target = asked.target_facts
    if target is None or network.vswitch in target.vswitches:
        return None
    if target.vswitches_unknown:
        return problem(
            "facts-missing", f"node:{asked.target}",
            what=f"{asked.target} did not tell whether it has the virtual switch {network.vswitch}",
            because=target.vswitches_unknown,
            fix=f"look at vmsgd's log on {asked.target} and ask again",
        )
    present = ", ".join(sorted(target.vswitches)) or "none"
    return problem(
        "vswitch-missing", f"node:{asked.target}",
        what=f"{asked.target} has no virtual switch {network.vswitch}",
        because=f"its bridges are: {present}",
        fix=f"make the bridge {network.vswitch} on {asked.target}",
    )


def vswitch_subnet_differs(asked: PreflightInput, network: NetworkSpec) -> Problem | None:
    """Compared with the node the guest runs on, otherwise with the cluster file."""
    target, source = asked.target_facts, asked.source_facts
    if target is None or network.vswitch not in target.vswitches:
        return None
    found = target.vswitches[network.vswitch]
    if source is not None:
        where, expected = f"on {source.name}", source.vswitches.get(network.vswitch)
    else:
        where, expected = "in the cluster file", asked.vswitches.get(network.vswitch)
    if expected is None or expected == found:
        return None
    return problem(
        "vswitch-subnet-differs", f"node:{asked.target}",
        what=f"virtual switch {network.vswitch} is another network on {asked.target}",
        because=f"it carries {found or 'no subnet'} there, {expected or 'none'} {where}",
        fix=f"attach {network.vswitch} on {asked.target} to the same network",
    )


def monitors_out_of_reach(asked: PreflightInput) -> list[Problem]:
    """Of monitors that ask somebody in a network of the guest's own switches: elsewhere routers may
    carry them. A bridge without an address of its own is what this finds."""
    target = asked.target_facts
    if target is None or not target.networks:
        return []
    return [
        problem(
            "monitor-out-of-reach", f"node:{asked.target}",
            what=f"{asked.target} has no address in the network of {each.host}",
            because=f"the monitor {each.name} of {asked.spec.name} would learn nothing there, "
                    "unless a router carries it",
            fix=f"give the bridge of that network an address on {asked.target}", severity="warn",
        )
        for each in asked.spec.monitors
        if each.host is not None and _is_within(each.host, _subnets(asked))
        and not _is_within(each.host, target.networks)
    ]


def _subnets(asked: PreflightInput) -> list[str]:
    """Of the guest's switches, as anybody knows them."""
    known = [asked.vswitches, *(
        each.vswitches for each in (asked.target_facts, asked.source_facts) if each is not None)]
    return [subnet for network in asked.spec.vm.networks for each in known
            if (subnet := each.get(network.vswitch))]


def _is_within(host: str, networks: Iterable[str]) -> bool:
    try:
        address = ipaddress.ip_address(host)
        return any(address in ipaddress.ip_network(each) for each in networks)
    except ValueError:
        return False  # a name, or what is no network: nobody can tell
