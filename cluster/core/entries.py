"""What can be agreed upon. Each entry has an id, so that applying it twice is the same as once.

`at_ms` is the proposer's wall clock, stamped before proposing: time is data here. `by` names the
operator or node, `because` the reason shown in the history. Kinds and fields are added, never
changed: a cluster of two adjacent versions reads both (see codec.py).
"""

from typing import Union

from cluster.core.disk_entries import DisksGrown as DisksGrown
from cluster.core.entry import Entry as Entry
from cluster.core.fence_entries import FenceAnswered as FenceAnswered
from cluster.core.fence_entries import FenceOrdered as FenceOrdered
from cluster.core.fence_entries import GuardianChanged as GuardianChanged
from cluster.core.fence_entries import PowerFenceFailed as PowerFenceFailed
from cluster.core.fence_entries import WatchdogChanged as WatchdogChanged
from cluster.core.host_entries import HypervisorChanged as HypervisorChanged
from cluster.core.host_entries import SightingsChanged as SightingsChanged
from cluster.core.key_entries import NodeAdmitted as NodeAdmitted
from cluster.core.key_entries import NodeInvited as NodeInvited
from cluster.core.key_entries import NodeKeyOffered as NodeKeyOffered
from cluster.core.key_entries import NodeKeyRetired as NodeKeyRetired
from cluster.core.key_entries import OperatorAdded as OperatorAdded
from cluster.core.key_entries import OperatorRemoved as OperatorRemoved
from cluster.core.key_entries import RequestRefused as RequestRefused
from cluster.core.key_entries import RotationAsked as RotationAsked
from cluster.core.key_entries import TrustFormed as TrustFormed
from cluster.core.lease_entries import DeathSaid as DeathSaid
from cluster.core.lease_entries import DeathUnsaid as DeathUnsaid
from cluster.core.lease_entries import GuestLetGo as GuestLetGo
from cluster.core.lease_entries import LeaseTaken as LeaseTaken
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.leave_entries import NodeLeaving as NodeLeaving
from cluster.core.leave_entries import NodeLeft as NodeLeft
from cluster.core.leave_entries import PackageLetDown as PackageLetDown
from cluster.core.model import Figures, Landing, Member, Proof, Purpose, Seat
from cluster.core.record_entries import RecordBackedUp as RecordBackedUp
from cluster.core.record_entries import RecordRestored as RecordRestored
from packages.core.drain_plan import DrainPlan
from packages.core.known_disks import KnownDisk
from packages.core.limits import Limits
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.values import Value


class Noted(Entry, tag="noted"):
    """Changes nothing; its commit shows that the log answers."""


class CoordinatorBegan(Entry, tag="coordinator-began"):
    """A leader begins to coordinate. What an earlier one wanted to declare from silence is
    refused from here on: it rests on a promise to grant no lease that this one never gave."""

    node: str
    term: int
    lease: LeaseNumbers | None = None
    """What it grants by where the record, which is older than that, does not say."""


class ClusterFormed(Entry, tag="cluster-formed"):
    """The cluster file as applied; its nodes are the members."""

    name: str
    nodes: tuple[str, ...]
    config_text: str
    members: tuple[Member, ...] = ()
    supersedes: str = ""
    """Digest of the file it was made from (members.digest_of), which must still be the agreed one;
    empty: of whatever file."""
    lease: LeaseNumbers | None = None
    """Those of the file's profile, as the proposer's release has them."""


class MembersAgreed(Entry, tag="members-agreed"):
    """Applied with the change of the log's own membership that carries it."""

    seats: tuple[Seat, ...]


class ClusterRun(Entry, tag="cluster-run"):
    """Packages may start."""


class ClusterHalted(Entry, tag="cluster-halted"):
    """Every package is halted (or detached) and none starts until the cluster is run."""

    detach: bool = False


class GuestReport(Value):
    """A guest found on a node."""

    package: str
    epoch: int
    boot_id: str


class NodeJoined(Entry, tag="node-joined"):
    """A daemon has started and says what runs on its node. Refused while a guest is listed that
    the record does not give to the node."""

    node: str
    incarnation: str
    version: str
    guests: tuple[GuestReport, ...] = ()
    guardian_silent: bool = False
    """Its guardian does not answer it: see GuardianChanged."""
    host_boot: str = ""
    """Another one than before: what ran there was lost with its host."""
    lets_go: bool = False
    """It will say when it guards a detached guest no longer."""


class NodeFailed(Entry, tag="node-failed"):
    node: str
    incarnation: str
    proof: Proof
    term: int | None = None
    """The coordinator's, for a proof by lease."""


class NodeHalted(Entry, tag="node-halted"):
    node: str
    force: bool = False
    detach: bool = False


class NodeRun(Entry, tag="node-run"):
    node: str


class NodeDraining(Entry, tag="node-draining"):
    """Nothing arrives there any more, and what is there is moved away, by the plan if there is
    one."""

    node: str
    plan: DrainPlan | None = None
    allow_restart: bool = False


class NodeEmptied(Entry, tag="node-emptied"):
    """Nothing runs there any more; it is in maintenance until it is resumed."""

    node: str


class NodeStuck(Entry, tag="node-stuck"):
    """A draining node keeps a package that cannot be moved."""

    node: str
    package: str
    problem: Problem
    tried: tuple[str, ...] = ()


class DrainCancelled(Entry, tag="drain-cancelled"):
    """The node takes packages again, and what moves off it is called back; what has left stays
    where it is."""

    node: str


class PackageRelocated(Entry, tag="package-relocated"):
    """A draining node's package that cannot move is halted, to be started elsewhere: the operator
    allowed it."""

    node: str
    package: str
    epoch: int


class NodeResumed(Entry, tag="node-resumed"):
    node: str
    returning: tuple[str, ...] = ()
    """Packages to be brought home."""


class ReturnEnded(Entry, tag="return-ended"):
    """A package is home, or will not be brought there."""

    node: str
    package: str
    problem: Problem | None = None


class NodeUnquarantined(Entry, tag="node-unquarantined"):
    """Its time is over, or an operator says so."""

    node: str


class PackageApplied(Entry, tag="package-applied"):
    spec: PackageSpec
    new_disks: tuple[str, ...] = ()
    """Paths that mean other LUNs from now on, by the operator's word: what they are is learnt anew
    at the next start."""


class PackageDeleted(Entry, tag="package-deleted"):
    package: str


class PackageAssigned(Entry, tag="package-assigned"):
    """Start it there, as a new life."""

    package: str
    node: str
    boot_id: str
    operator: bool = False
    """An operator's order: also where switching is off, and switching is restored by it."""


class PackageHalted(Entry, tag="package-halted"):
    """An operator wants it stopped; its switching goes off, as with cmhaltpkg."""

    package: str


class SwitchingSet(Entry, tag="switching-set"):
    """Switching on or off, everywhere or for one node, with an end if wanted."""

    package: str
    enabled: bool
    node: str | None = None
    until_ms: int | None = None


class MaintenanceSet(Entry, tag="maintenance-set"):
    package: str
    on: bool
    until_ms: int | None = None


class HoldEnded(Entry, tag="hold-ended"):
    """The time of an operator's suspension is over."""

    package: str
    since_ms: int
    hold: str = ""
    """Its id; empty: whichever began then."""


class GuestStarted(Entry, tag="guest-started"):
    package: str
    epoch: int
    node: str
    machine: str = ""
    accel: str = ""
    disks: tuple[KnownDisk, ...] = ()
    """What its process has open."""


class GuestFailed(Entry, tag="guest-failed"):
    """The owner found the guest dead, ill, or could not start it."""

    package: str
    epoch: int
    node: str
    problem: Problem
    switching: bool = False
    """The guest was lost after the switch of a move had begun and is not known to have resumed:
    the target may hold the whole memory."""
    blameless: bool = False
    """It was ended by its own guardian, for want of a lease: no failure of the guest."""
    short: bool = False
    """It could not be started because its node lacks something: no failure of the package."""


class GuestReleased(Entry, tag="guest-released"):
    """The owner saw the guest's process gone, for this epoch: it may be given to another."""

    package: str
    epoch: int
    node: str
    powered_off: bool = False


class StrayEnded(Entry, tag="stray-ended"):
    """A node found a guest that the record does not give to it, and has ended it."""

    node: str
    package: str
    epoch: int


class MoveOpened(Entry, tag="move-opened"):
    move: str
    package: str
    target: str
    purpose: Purpose = "ordered"
    limits: Limits | None = None
    """Refused where it would be more at once than this."""


class MoveQueued(Entry, tag="move-queued"):
    """It is opened as soon as its nodes take part in fewer moves."""

    move: str
    package: str
    target: str


class MoveUnqueued(Entry, tag="move-unqueued"):
    """It will not be opened: somebody called it off, or it is not possible any more."""

    move: str
    package: str
    problem: Problem
    operator: bool = False


class MoveLanded(Entry, tag="move-landed"):
    move: str
    package: str
    landing: Landing


class MoveFrozen(Entry, tag="move-frozen"):
    """The source's vCPUs stand. Monitoring is suspended until the thaw, or `until_ms`."""

    move: str
    package: str
    stopped_at_ms: float
    until_ms: int


class MoveAbortAsked(Entry, tag="move-abort-asked"):
    move: str
    package: str
    operator: bool = False


class MoveAborting(Entry, tag="move-aborting"):
    """Agreed before the source cancels a switch that has begun: from here on the target's copy
    can never be claimed, whoever dies."""

    move: str
    package: str


class MoveAborted(Entry, tag="move-aborted"):
    """The guest runs on at the source, or its target has nothing to give."""

    move: str
    package: str
    problem: Problem
    figures: Figures = Figures()
    target_hangs: bool = False
    """Its hypervisor did not answer: the package is not started there next."""


class MoveCommitted(Entry, tag="move-committed"):
    """The point of no return: the target owns the package."""

    move: str
    package: str
    figures: Figures


class MoveThawed(Entry, tag="move-thawed"):
    move: str
    package: str
    resumed_at_ms: float
    monitored_at_ms: float
    disks: tuple[KnownDisk, ...] = ()
    """What the target's process has open."""


class MoveReturned(Entry, tag="move-returned"):
    """After the commit the target's copy died and is known never to have run: the source, whose
    copy still holds the memory, gets the package back under a new epoch."""

    move: str
    package: str


class NodeRejoining(Entry, tag="node-rejoining"):
    """The node has set a damaged journal aside. It counts as nobody until it has this entry, which
    the others agreed upon without it (docs/consensus.md)."""

    node: str


AnyEntry = Union[
    Noted, CoordinatorBegan, ClusterFormed, MembersAgreed, ClusterRun, ClusterHalted, NodeJoined,
    NodeFailed, NodeHalted, NodeRun, NodeDraining, NodeEmptied, NodeStuck, NodeResumed,
    PackageApplied, PackageDeleted, PackageAssigned, PackageHalted, SwitchingSet, MaintenanceSet,
    HoldEnded, GuestStarted, GuestFailed, GuestReleased, StrayEnded, MoveOpened, MoveLanded,
    MoveFrozen, MoveAbortAsked, MoveAborting, MoveAborted, MoveCommitted, MoveThawed, MoveReturned,
    TrustFormed, NodeInvited, NodeAdmitted, RotationAsked, NodeKeyOffered, NodeKeyRetired,
    OperatorAdded, OperatorRemoved, NodeRejoining, DrainCancelled, PackageRelocated, ReturnEnded,
    MoveQueued, MoveUnqueued, FenceOrdered, FenceAnswered, NodeUnquarantined, PowerFenceFailed,
    SightingsChanged, WatchdogChanged, LeaseTaken, GuardianChanged, RecordBackedUp, RecordRestored,
    GuestLetGo, DeathSaid, DeathUnsaid, RequestRefused, NodeLeaving, PackageLetDown, NodeLeft,
    HypervisorChanged, DisksGrown,
]
