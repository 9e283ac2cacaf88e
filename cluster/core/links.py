"""Links between nodes that do not carry what they should: what an operator is told. PURE."""

from cluster.core.beside import Silence
from packages.core.problem import Problem, problem


def link_problems(known: Silence | None, leader: str | None) -> list[Problem]:
    """Of broken links first, then of narrow ones."""
    if known is None:
        return []
    found = [_broken(node, peer, leader or "the coordinator")
             for node, peer in sorted(known.through.items())]
    return found + [_narrow(node, others) for node, others in sorted(known.narrow.items())]


def _broken(node: str, peer: str, leader: str) -> Problem:
    return problem(
        "link-broken", f"node:{node}", what=f"{node} and {leader} do not reach each other.",
        because=f"The lease of {node} comes through {peer}, which reaches both: its guests run on, "
                "and what is ordered there waits.",
        fix=f"Mend the cluster network between {node} and {leader}: a cable, a switch port, a "
            "firewall's rule.", severity="warn",
    )


def _narrow(node: str, others: tuple[str, ...]) -> Problem:
    named = ", ".join(others)
    return problem(
        "mtu-black-hole", f"node:{node}", what=f"Large packets from {node} to {named} are lost.",
        because="Small ones arrive. Leases go on; files, entries and moves do not pass.",
        fix="Give every port and interface of the cluster network the same MTU (ip link show; try "
            "ping -M do -s 1472). Until then, on every node: sysctl -w net.ipv4.tcp_mtu_probing=2",
        severity="warn",
    )
