"""What a cluster is, as its operator writes it down, and what a node keeps about itself.

The cluster file is the same on every node. Beside it each node has a folder of its own:

    <etc>/cluster.yaml      the cluster file
    <etc>/node              this node's name, one line
    <etc>/keys.yaml         public CURVE keys: nodes by name, operators by name with their role
    <etc>/curve.secret      this node's CURVE secret key (0600)
    <etc>/ca.crt            the cluster's own certificate authority
    <etc>/node.crt          this node's certificate (DNS name: the node's name)
    <etc>/node.key          its private key (0600)
    <etc>/operator.secret   CURVE secret key of this host's operator, for the CLI here (0600)
    <etc>/ca.key            the authority's private key (0600), on the one host that certifies
    <etc>/took-part         how far this node has promised in agreement: its journal must go as far
    <etc>/founding.json     on the first node of a cluster that others join: who came in so far
    <etc>/*.next            keys the node is about to change over to (0600)
"""

from typing import Literal

from packages.core.allowed import Accounts, Allowed, Programs
from packages.core.limits import Limits
from packages.core.values import Value

Transport = Literal["tls", "plain"]
Profile = Literal["lan", "fast", "wan"]
NodeRole = Literal["member", "witness"]
Role = Literal["monitor", "package-admin", "full-admin"]


class FenceConfig(Value):
    """A fence agent that can switch one node's power off. Levels are tried in order; of one level
    every agent has to succeed (two power supplies)."""

    agent: str
    level: int = 1
    options: dict[str, str] = {}
    secrets: dict[str, str] = {}
    """Parameter -> the file its value stands in, on every node."""
    timeout_s: float = 20.0
    """A management controller that reboots answers after some 10 s."""


class NodeConfig(Value):
    """One host. `address` is on the cluster network; the migration address defaults to it."""

    name: str
    address: str
    migration_address: str | None = None
    raft_port: int = 5470
    api_port: int = 5471
    role: NodeRole = "member"
    """A witness votes and runs nothing."""
    fences: tuple[FenceConfig, ...] = ()


class VswitchConfig(Value):
    """A virtual switch: a bridge of this name on every node, carrying this subnet."""

    name: str
    subnet: str


class MigrationConfig(Value):
    transport: Transport = "tls"
    private: bool = False
    """The operator's word that nothing else is on the migration network."""


class ClusterConfig(Value):
    name: str
    nodes: tuple[NodeConfig, ...]
    profile: Profile = "lan"
    vswitches: tuple[VswitchConfig, ...] = ()
    migration: MigrationConfig = MigrationConfig()
    limits: Limits = Limits()
    end_frozen_after_s: float | None = None
    """An operator's wish to have the memory of frozen guests back, at the price of their lives;
    None: they stand for as long as nobody is known to have taken them over."""
    takeover_reserve_mib: int = 0
    """Memory each node keeps free for takeovers: what an operator orders leaves it alone."""
    programs: Programs | None = None
    """What packages may have started on the nodes, as root. None: the folders that are made for it;
    and what the record holds of a version that did not ask is used as before."""
    images: tuple[str, ...] | None = None
    """Folders of kernels, initrds and CD images that QEMU, as root, opens for packages."""
    accounts: Accounts = Accounts()
    """Whose rights QEMU has once it has opened them, and the programs of monitors; the fence's
    commands are root's."""


def allowed_by(config: ClusterConfig) -> Allowed:
    return Allowed(programs=config.programs, images=config.images, accounts=config.accounts)


class Operator(Value):
    """A client key that may speak to the cluster, and what it may do."""

    name: str
    public_key: str
    role: Role = "full-admin"


class PublicKeys(Value):
    """keys.yaml: z85 CURVE public keys. A running daemon keeps the file as the cluster agreed.

    `next` has the second key of a node that is changing over; both are accepted meanwhile."""

    nodes: dict[str, str]
    next: dict[str, str] = {}
    operators: tuple[Operator, ...] = ()


class Timings(Value):
    """One timing profile; every number in seconds, with its reason in `PROFILES`."""

    heartbeat_s: float
    lease_s: float
    margin_s: float
    """Clock drift over a lease, the time to freeze every guest, and I/O already submitted."""
    kill_after_s: float
    """From the freeze until guests nobody thawed are ended. Time alone cannot know whether anybody
    has taken them over: only the record can, when the node hears of it again."""
    suspect_s: float
    raft_min_s: float
    raft_max_s: float
    raft_append_s: float


NEVER_S = 1e9
"""Longer than any host runs; finite, for JSON."""

PROFILES: dict[str, Timings] = {
    # A lease must outlast the worst re-election (0.9 s timeout, pre-vote round, second try: below
    # 2 s on a starved machine), or a dead coordinator would freeze everybody's guests.
    "lan": Timings(
        heartbeat_s=0.25, lease_s=3.5, margin_s=0.6, kill_after_s=NEVER_S, suspect_s=0.8,
        raft_min_s=0.5, raft_max_s=0.9, raft_append_s=0.1,
    ),
    # For hosts that are never starved: elections end within 0.8 s there.
    "fast": Timings(
        heartbeat_s=0.1, lease_s=1.6, margin_s=0.4, kill_after_s=NEVER_S, suspect_s=0.5,
        raft_min_s=0.3, raft_max_s=0.6, raft_append_s=0.06,
    ),
    # Round trips of up to 100 ms and links that lose packets.
    "wan": Timings(
        heartbeat_s=1.0, lease_s=14.0, margin_s=2.0, kill_after_s=NEVER_S, suspect_s=4.0,
        raft_min_s=2.0, raft_max_s=4.0, raft_append_s=0.4,
    ),
}
