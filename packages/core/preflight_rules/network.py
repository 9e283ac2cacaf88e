"""Rules about virtual switches: the same name carries the same subnet on both nodes."""

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
