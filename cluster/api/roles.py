"""Who may ask what: one row for each request, the least role that may make it.

Serviceguard's roles: a monitor may look, a package-admin may change packages, a full-admin may do
everything. Nodes may look, and ask what is theirs alone; a node's key gives no order to the
cluster, for root on one host is not the operator of all. One thing apart: with the authority's own
signature it lets an operator in, where no operator's key is left (docs/security.md).
Whoever holds an invitation may ask one thing: to be let in.
"""

from typing import Literal

from cluster.api import messages as ask
from cluster.config.schema import Role
from packages.core.problem import Problem, problem
from packages.core.values import Value

Least = Role | Literal["node", "invited"]

LEAST_ROLE: dict[type[ask.Request], Least] = {
    ask.GetStatus: "monitor",
    ask.GetConfig: "monitor",
    ask.CheckCluster: "monitor",
    ask.GetPackages: "monitor",
    ask.GetMove: "monitor",
    ask.Preflight: "monitor",
    ask.PlanFailure: "monitor",
    ask.GetEvents: "monitor",
    ask.GetKeys: "monitor",
    ask.CheckPackages: "package-admin",  # the nodes are asked about whatever it names
    ask.ApplyPackages: "package-admin",
    ask.DeletePackage: "package-admin",
    ask.RunPackage: "package-admin",
    ask.HaltPackage: "package-admin",
    ask.SetSwitching: "package-admin",
    ask.SetMaintenance: "package-admin",
    ask.ResizeDisks: "package-admin",
    ask.MovePackage: "package-admin",
    ask.AbortMove: "package-admin",
    ask.ApplyCluster: "full-admin",
    ask.BackUpCluster: "full-admin",
    ask.RestoreCluster: "full-admin",
    ask.RunCluster: "full-admin",
    ask.HaltCluster: "full-admin",
    ask.AddNode: "full-admin",
    ask.RemoveNode: "full-admin",
    ask.RunNode: "full-admin",
    ask.HaltNode: "full-admin",
    ask.DrainNode: "full-admin",
    ask.LeaveNode: "full-admin",  # and the node's own
    ask.CancelDrain: "full-admin",
    ask.ResumeNode: "full-admin",
    ask.UnquarantineNode: "full-admin",
    ask.ConfirmDead: "full-admin",
    ask.FenceNode: "full-admin",
    ask.InviteNode: "full-admin",
    ask.RotateNode: "full-admin",
    ask.RejoinNode: "full-admin",
    ask.AddOperator: "full-admin",
    ask.RemoveOperator: "full-admin",
    ask.JoinNode: "invited",
    ask.AskCertificate: "node",
    ask.AskKeyKnown: "node",
    ask.AskLease: "node",
    ask.AskSilence: "node",
    ask.AskDeath: "node",
    ask.AskFence: "node",
    ask.AskFenceTest: "node",
    ask.AskPatience: "node",
    ask.AskFacts: "node",
    ask.AskProgress: "node",
    ask.AskReady: "node",
    ask.AskResize: "node",
    ask.AskRoom: "node",
    ask.AskEcho: "node",
}

RANK: dict[Least, int] = {"monitor": 0, "package-admin": 1, "full-admin": 2, "node": 3}
"""The invited stand outside: they rank nowhere."""


OF_NODES: tuple[Least, ...] = ("monitor", "node")


class Caller(Value):
    """Whose key the connection proved. What a node may ask does not depend on its `role`."""

    name: str
    role: Role = "monitor"
    is_node: bool = False
    invitation: str = ""
    """Of somebody who is not in yet; `name` is the node they are to become."""

    @property
    def shown(self) -> str:
        """Who it is among all callers: a node and an operator may have one name."""
        kind = "node" if self.is_node else "invited" if self.invitation else "operator"
        return f"{kind}:{self.name}"


def refused_to(caller: Caller, request: ask.AnyRequest) -> Problem | None:
    """Why this caller may not ask this; None when it may. A request without a row is a node's."""
    if isinstance(request, ask.DrainNode) and request.dry_run:
        return refused_to_kind(caller, ask.PlanFailure)  # a plan is a question
    if caller.is_node and isinstance(request, ask.LeaveNode) and request.node == caller.name:
        return None  # its own host goes down, which it may do without a word
    if caller.is_node and isinstance(request, ask.AddOperator) and request.proof:
        return None  # whoever answers looks whether it is the authority's (answers/trust.py)
    return refused_to_kind(caller, type(request))


def refused_to_kind(caller: Caller, kind: type[ask.Request]) -> Problem | None:
    """The same, before the request was read; a dry run may be allowed more."""
    least = LEAST_ROLE.get(kind, "node")
    if caller.invitation or least == "invited":
        return None if caller.invitation and least == "invited" else _only_the_invited(caller)
    if caller.is_node:
        return None if least in OF_NODES else node_gives_no_orders(caller)
    if RANK[caller.role] >= RANK[least]:
        return None
    needs = "only nodes may ask this" if least == "node" else f"this needs the role {least}"
    return problem(
        "not-authorised", f"operator:{caller.name}",
        what=f"{caller.name} may not do this.",
        because=f"{caller.name} has the role {caller.role}, and {needs}.",
        fix="Ask an operator with that role, or have the role changed: vmsg operator list",
    )


def node_gives_no_orders(caller: Caller) -> Problem:
    return problem(
        "not-authorised", f"node:{caller.name}", what=f"{caller.name} may not do this.",
        because="This is the key of a node, and orders are given with an operator's key.",
        fix="Use an operator's key: VMSG_ETC=DIR vmsg status. Where none is left, root on the host "
            "with ca.key lets one in (docs/security.md)",
    )


def may_change(caller: Caller) -> bool:
    """Whether the caller may change packages, and is told what is in the way of that on a host."""
    return caller.is_node or RANK[caller.role] >= RANK["package-admin"]


def may_give(caller: Caller) -> bool:
    """Whether devices of hosts are the caller's to give to guests."""
    return RANK[caller.role] >= RANK["full-admin"]


def refused_devices(caller: Caller, package: str, devices: list[str]) -> Problem:
    return problem(
        "not-authorised", f"package:{package}",
        what=f"{caller.name} may not give {', '.join(devices)} to {package}.",
        because=f"A device that a host loses to a guest is a full-admin's to give, and "
                f"{caller.name} has the role {caller.role}.",
        fix="Ask a full-admin to apply this file, or take the device out: vmsg operator list",
    )


def _only_the_invited(caller: Caller) -> Problem:
    return problem(
        "not-authorised", f"node:{caller.name}", what=f"{caller.name} may not do this.",
        because="An invitation lets a host in, and nothing else; nobody else may use it.",
        fix="Join with: vmsg node join -",
    )
