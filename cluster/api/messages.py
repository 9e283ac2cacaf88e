"""What a client may ask of any node, and what nodes ask of each other.

One request, one reply, matched by number. A request carries an id chosen by the client: it names
the entry that is proposed, so that a client that got no answer can ask for the outcome. Replies
to operators are plain trees in the shapes of the operator's contract (docs/commands.md); the
command line only prints them.
"""

from typing import Annotated, Any, Literal, Union, get_args

from cluster.api.between_nodes import AskCertificate as AskCertificate
from cluster.api.between_nodes import AskDeath as AskDeath
from cluster.api.between_nodes import AskEcho as AskEcho
from cluster.api.between_nodes import AskFacts as AskFacts
from cluster.api.between_nodes import AskFence as AskFence
from cluster.api.between_nodes import AskFenceTest as AskFenceTest
from cluster.api.between_nodes import AskKeyKnown as AskKeyKnown
from cluster.api.between_nodes import AskLease as AskLease
from cluster.api.between_nodes import AskPatience as AskPatience
from cluster.api.between_nodes import AskProgress as AskProgress
from cluster.api.between_nodes import AskReady as AskReady
from cluster.api.between_nodes import AskResize as AskResize
from cluster.api.between_nodes import AskSilence as AskSilence
from cluster.api.bounds import (
    MOST_PACKAGES, ClusterText, Count, Key, Moment, Name, Nodes, Packages, Path, Pem, Port, Seconds,
    Text
)
from cluster.api.record_messages import AskRoom as AskRoom
from cluster.api.record_messages import BackUpCluster as BackUpCluster
from cluster.api.record_messages import RestoreCluster as RestoreCluster
from cluster.api.request import Changing as Changing
from cluster.api.request import Request as Request
from cluster.config.schema import Role
from packages.core.problem import Problem
from packages.core.values import Bound, Value

Verdict = Literal["done", "failed", "refused", "no-quorum", "timed-out", "not-authorised"]
"""Exit codes of the command line: 0, 1, 3, 4, 5, 6."""


class NamedText(Value):
    """A file as the operator wrote it; the name is for messages only."""

    name: Path
    text: Text


Files = Annotated[tuple[NamedText, ...], Bound(max_length=MOST_PACKAGES)]


class GetStatus(Request, tag="status"):
    """Result: the `vmsg status` shape of the contract, plus "holds" and "switching" per package
    (verbose: also policy, monitors, disks, leases)."""

    verbose: bool = False


class GetConfig(Request, tag="cluster-get"):
    """Result: {"text": YAML}."""


class CheckCluster(Request, tag="cluster-check"):
    text: ClusterText = ""
    source: Path = ""


class ApplyCluster(Changing, tag="cluster-apply"):
    """At most one node more or less. Result: {"applied": cluster, "added": [name], "removed":
    [name], "settled": whether the log counts by it already, "differences": [LINE]}."""

    text: ClusterText = ""
    source: Path = ""


class RunCluster(Changing, tag="cluster-run"):
    pass


class HaltCluster(Changing, tag="cluster-halt"):
    force: bool = False
    detach: bool = False


class AddNode(Changing, tag="node-add"):
    """One more node in the cluster file. Result: that of ApplyCluster."""

    node: Name = ""
    address: Name = ""
    raft_port: Port | None = None
    api_port: Port | None = None
    """None: the ports every node has by default."""
    witness: bool = False


class RemoveNode(Changing, tag="node-remove"):
    """One node less. Result: that of ApplyCluster."""

    node: Name = ""


class RunNode(Changing, tag="node-run"):
    node: Name = ""


class HaltNode(Changing, tag="node-halt"):
    node: Name = ""
    force: bool = False
    detach: bool = False


class LeaveNode(Changing, tag="node-leave"):
    """Its host goes down in order. Answers when it may. Result: {"node", "state"}, or {"node",
    "ended": [package, ...]} where guests were left that were ended; of a dry run {"would",
    "packages": [{"package", "how": "move|halt|leave", "because"}]}."""

    node: Name = ""
    within_s: Seconds = 0.0
    host_ends: bool = False
    """Asked by the host itself while it goes down: guests that are left over are ended."""


class DrainNode(Changing, tag="node-drain"):
    """Result: the plan, {"node", "moves": [{"package", "target", "because", "how", "wave",
    "seconds", "problems"}], "stuck": [{"package", "problem"}], "waves": [{"seconds", "packages",
    "without_spare"}], "without_spare", "seconds"}; not of a dry run also {"state", "packages"}. The
    drain itself goes on in the cluster; watch status."""

    node: Name = ""
    allow_restart: bool = False


class PlanFailure(Request, tag="plan-fail"):
    """What would happen if these nodes failed now. Result: {"nodes", "quorum", "lease_proves_s",
    "starts": [{"package", "from", "node", "turn", "proof", "because"}], "stuck": [{"package",
    "problem"}]}."""

    nodes: Nodes = ()


class CancelDrain(Changing, tag="node-drain-cancel"):
    """Moves that the drain began are called off; what has left stays where it is."""

    node: Name = ""


class ResumeNode(Changing, tag="node-resume"):
    """Result: {"node", "state", "returned": [package, ...]}; with `bring_back` when nothing more
    is on its way home, and the reply's problems say why a package was not brought. `only` are
    those to be brought, instead of all that the drain took away."""

    node: Name = ""
    bring_back: bool = False
    only: Packages = ()


class ConfirmDead(Changing, tag="node-confirm-dead"):
    """An operator's word that a silent node is off, carried out when its lease is over. Result:
    {"node", "state", "waits_s"}, which is 0 once it is carried out."""

    node: Name = ""
    wait: bool = True
    """Answer when it is carried out, or taken back; else as soon as it is recorded."""
    now: bool = False
    """Whatever lease the node may hold: its guests may run twice."""


class UnquarantineNode(Changing, tag="node-unquarantine"):
    node: Name = ""


class FenceNode(Changing, tag="node-fence"):
    """Switch a node's power off, heard or not; with `test` only ask its fences how it stands.
    Result of a test: {"node", "tests": [{"from", "agent", "level", "power": "on|off"|null,
    "problems": [PROBLEM]}]}."""

    node: Name = ""
    test: bool = False


class CheckPackages(Request, tag="package-check"):
    files: Files = ()


class ApplyPackages(Changing, tag="package-apply"):
    """Result: {"applied": [name, ...], "unchanged": [name, ...]}."""

    files: Files = ()
    new_disks: Annotated[tuple[Path, ...], Bound(max_length=MOST_PACKAGES)] = ()
    """PKG:PATH each: the path means another LUN from now on, which is learnt at the next start."""


class GetPackages(Request, tag="package-get"):
    """Result: {"text": YAML, "packages": [spec tree, ...]}; all packages without a name."""

    package: Name | None = None


class DeletePackage(Changing, tag="package-delete"):
    package: Name = ""


class RunPackage(Changing, tag="package-run"):
    """Answers when the guest runs, or with the Problem that kept it from it."""

    package: Name = ""
    node: Name | None = None


class HaltPackage(Changing, tag="package-halt"):
    """Answers when the guest is gone."""

    package: Name = ""


class SetSwitching(Changing, tag="package-switching"):
    package: Name = ""
    enabled: bool = True
    node: Name | None = None
    for_s: Seconds | None = None


class SetMaintenance(Changing, tag="package-maintenance"):
    package: Name = ""
    on: bool = True
    for_s: Seconds | None = None


class ResizeDisks(Changing, tag="package-resize-disk"):
    """Result: {"package", "disks": [{"path", "before_bytes", "bytes"}]}, those that have grown."""

    package: Name = ""


class MovePackage(Changing, tag="move"):
    """Answers when the move is open, waits for its turn, or is refused; result: MOVE. Follow with
    GetMove."""

    package: Name = ""
    node: Name = ""
    queue: bool = True
    """Where the limits allow no more moves now, wait for a turn instead of being refused."""


class GetMove(Request, tag="move-status"):
    """Result: MOVE of the contract, the one under way or else the last one."""

    package: Name = ""


class AbortMove(Changing, tag="move-abort"):
    """Answers when the move has ended; result: MOVE."""

    package: Name = ""


class Preflight(Request, tag="preflight"):
    """Result: {"package", "nodes": [{"node", "allowed", "problems"}]}."""

    package: Name = ""
    node: Name | None = None


class GetEvents(Request, tag="events"):
    """Result: {"events": [EVENT with "seq"], "next": seq for `after`}; `wait_s` waits for one."""

    after: Count = 0
    package: Name | None = None
    node: Name | None = None
    since_ms: Moment | None = None
    of_request: Name | None = None
    wait_s: Seconds = 0.0
    limit: Count = 1000


class InviteNode(Changing, tag="node-invite"):
    """`key` is the public half of the invitation's own pair, made by the asker. Result: {"node",
    "cluster", "until_ms", "doors": [{"address", "key"}]}."""

    node: Name = ""
    key: Key = ""
    role: Role = "full-admin"
    for_s: Seconds = 3600.0


class JoinNode(Request, tag="node-join"):
    """By the invited alone, and all they may ask. Result: JoinAnswer (cluster/config/joining.py).
    The same may be asked again."""

    key: Key = ""
    operator_key: Key = ""
    certificate_request: Pem = ""


class RotateNode(Changing, tag="node-rotate"):
    """The node makes a new key and changes over by itself; watch it with GetKeys."""

    node: Name = ""


class RejoinNode(Changing, tag="node-rejoin"):
    """To another node, the named one's daemon stopped and its folder locked. Result: {"node",
    "index", "boot"} for the note in its new folder (cluster/raft/amnesia.py)."""

    node: Name = ""


class GetKeys(Request, tag="keys"):
    """Result: {"nodes": [{"node", "key", "next_key", "rotation"}], "operators": [{"name", "key",
    "role"}], "invitations": [{"node", "role", "until", "by", "used"}]}."""


class AddOperator(Changing, tag="operator-add"):
    name: Name = ""
    key: Key = ""
    role: Role = "full-admin"
    proof: Key = ""
    """From a node's key: the authority's signature of `words_of`, at `proof_at_ms`."""
    proof_at_ms: Moment = 0


def words_of(wish: AddOperator) -> str:
    """What is signed for: nobody can make another wish of it."""
    return "\n".join(("operator", wish.name, wish.key, wish.role, str(wish.proof_at_ms)))


class RemoveOperator(Changing, tag="operator-remove"):
    name: Name = ""


AnyRequest = Union[
    GetStatus, GetConfig, CheckCluster, ApplyCluster, RunCluster, HaltCluster, AddNode, RemoveNode,
    RunNode, HaltNode, DrainNode, ResumeNode, ConfirmDead, UnquarantineNode, FenceNode,
    CheckPackages, ApplyPackages, GetPackages, DeletePackage, RunPackage, HaltPackage, SetSwitching,
    SetMaintenance, MovePackage, GetMove, AbortMove, Preflight, GetEvents, InviteNode, JoinNode,
    RotateNode, RejoinNode, GetKeys, AddOperator, RemoveOperator, AskCertificate, AskKeyKnown,
    AskLease, AskSilence, AskDeath, AskFence, AskFenceTest, AskPatience, AskFacts, AskProgress,
    AskReady, AskRoom, BackUpCluster, RestoreCluster, CancelDrain, PlanFailure, AskEcho, LeaveNode,
    ResizeDisks, AskResize,
]

ALL_REQUESTS: tuple[type[Request], ...] = get_args(AnyRequest)


class Call(Value):
    """On the wire, client to node: a number to match the reply by, and the request."""

    number: Count
    ask: AnyRequest


class Reply(Value):
    """`problems` may hold warnings beside a done verdict; the server fills in the number."""

    number: int = 0
    verdict: Verdict = "done"
    result: Any = None
    problems: tuple[Problem, ...] = ()
    request: str = ""
    quorum: bool = True
    """False: whoever answered hears no majority, so what it knows may be the past."""
    wall_ms: int = 0
    """To a neighbour, its question about progress: what time it is there; 0: not told."""
