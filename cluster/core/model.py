"""The replicated state: who is in, who owns what, what is being moved, and what came of it.

Everything here is frozen; `cluster.core.apply` returns the next state and shares what did not
change (persistent maps), so that the work of an entry does not grow with the number of packages.
What must never happen: a package with two owners, an epoch that goes back, an owner that changed
without a release, a proof or a commit.
"""

from typing import Literal

from cluster.core.claims import claims_of, reindexed
from cluster.core.hold_records import Hold as Hold
from cluster.core.hold_records import LostOwner as LostOwner
from cluster.core.hold_records import NotedFailure as NotedFailure
from cluster.core.hold_records import Shortage
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.leave_records import Leave
from cluster.core.mac_claims import reclaimed
from cluster.core.move_records import (
    Figures, Freeze, Landing, MoveRecord, MoveResult, MoveStage, Purpose, QueuedMove
)
from cluster.core.seats import Member, NodeRole, Seat
from cluster.core.trust import Trust
from packages.core.drain_plan import DrainPlan
from packages.core.known_disks import KnownDisk
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.sightings import Sighting
from packages.core.values import Map, Value, changed

# What stands in rooms of its own and belongs to the model; mypy reads the list.
__all__ = [
    "Figures", "Freeze", "Landing", "Member", "MoveRecord", "MoveResult", "MoveStage", "NodeRole",
    "Purpose", "QueuedMove", "Seat",
]

NodeState = Literal[
    "unknown", "running", "draining", "maintenance", "quarantined", "halting", "halted", "failed",
]
UP: frozenset[str] = frozenset({"running", "draining", "maintenance", "quarantined", "halting"})
"""States in which a node takes part and may hold guests."""

PackageState = Literal[
    "halted",         # not running, nobody's
    "starting",       # ordered to start on `owner`
    "running",        # the owner says that it runs
    "halting",        # ordered to stop
    "failing",        # something is wrong with it; the owner is ending it
    "relocate_wait",  # its owner is gone or gave it up; waits for a node
    "detached",       # left running on purpose by a node that left the cluster
    "failed",         # stopped after failures, switching off, an operator's turn
]

ProofKind = Literal[
    "lease",     # its lease is over: its guardian, if it runs, has frozen the guests
    "storage",   # its keys are off the disks: what it writes is refused
    "power",     # a fence agent has switched it off, and seen it off
    "watchdog",  # its hardware has reset it, because nobody petted it since its lease was over
    "operator",  # somebody has said so, by name
]


class Proof(Value):
    """What showed that an owner can no longer write."""

    kind: ProofKind
    because: str
    node: str = ""
    """Whose death; this and the next two are filled in by the rule that takes the proof."""
    at_ms: int = 0
    by: str = ""


class Word(Value):
    """An operator's, that a silent node is off: a proof once the node's lease is over."""

    id: str
    by: str
    because: str
    at_ms: int = 0


class Stuck(Value):
    """A package that a drain could not move, and why; it runs on where it is."""

    package: str
    problem: Problem
    tried: tuple[str, ...] = ()
    """Nodes that would not have it; it is tried again when another one can."""


class NodeRecord(Value):
    name: str
    state: NodeState = "unknown"
    incarnation: str = ""
    """Drawn anew at each start of the node's daemon."""
    version: str = ""
    since_ms: int = 0
    because: str = ""
    proof: Proof | None = None
    word: Word | None = None
    """Given about this life of its daemon, and waiting for the end of its lease."""
    fence: Problem | None = None
    """Why it could not be switched off the last time it was to be."""
    watchdog: str = ""
    """What the guardian pets; empty: nothing."""
    watchdog_s: float = 0.0
    """How long after the end of its lease it is reset for certain, if it hangs; 0: never."""
    qemu: str = ""
    machines: tuple[str, ...] = ()
    """Types with a version that its QEMU knows; empty: it has not said."""
    lets_go: bool = False
    """Its daemon says when it guards a detached guest no longer (`GuestLetGo`)."""
    lease_number: int = 0
    """Nothing that it was granted by older numbers than these counts any more."""
    guardian_silent: bool = False
    """Nobody freezes its guests but its daemon: it renews no lease, and takes nothing."""
    sightings: tuple[Sighting, ...] = ()
    """What was seen there beside the record."""
    stuck: tuple[Stuck, ...] = ()
    role: NodeRole = "voter"
    maintained: bool = False
    """An operator empties it, or has: it takes nothing until it is resumed, also after a crash."""
    drain: DrainPlan | None = None
    """How it is emptied, or was: what `resume --return` brings home."""
    allow_restart: bool = False
    """What cannot move may be halted and started elsewhere."""
    returning: tuple[str, ...] = ()
    """Packages to be brought home, online."""
    host_boot: str = ""
    """Drawn anew at each start of its host, as far as it is known."""
    booted_ms: int = 0
    """When its host was first seen booted anew, in the cluster's time; 0: never."""
    leave: Leave | None = None
    """Its host goes down in order, or has; the node comes back by itself at its next boot."""
    failures_ms: tuple[int, ...] = ()
    """When it failed lately."""
    quarantined_until_ms: int | None = None


class Fencing(Value):
    """A node is to shut the silent owner of this epoch out of the disks, or could not."""

    id: str
    victim: str
    epoch: int
    node: str
    at_ms: int
    """Of the order, then of its failure."""
    because: str = ""
    problem: Problem | None = None


class PackageRecord(Value):
    spec: PackageSpec
    state: PackageState = "halted"
    owner: str | None = None
    epoch: int = 0
    boot_id: str = ""
    machine: str = ""
    accel: str = ""
    """What its life was started under, whatever `auto` would choose elsewhere."""
    auto_run: bool = True
    attaching: bool = False
    """Detached, and to be guarded and watched again by its owner."""
    guarded: bool = False
    """Detached, and its owner has not said yet that it guards it no longer."""
    since_ms: int = 0
    because: str = ""
    holds: tuple[Hold, ...] = ()
    failures_ms: tuple[int, ...] = ()
    """When this package failed lately; restarts on the spot are counted by it."""
    lost: LostOwner | None = None
    """Without an owner: who had it last, is dead by a proof, and may come back with its guest."""
    blameless: bool = False
    """Of one that is failing: what ended its guest is no failure of the guest."""
    noted: NotedFailure | None = None
    """Its guest failed during a suspension; what follows is decided when that is over."""
    halt_within_s: float | None = None
    """Of one that is halting: less time than its own, for its host does not wait for longer."""
    preferred: str = ""
    """The node it is to be started on again, where that can take it."""
    avoid: tuple[str, ...] = ()
    """Nodes it failed on since it last ran well; tried again only when nothing else is left."""
    shortages: tuple[Shortage, ...] = ()
    """Nodes that lacked the means to start it (shortages.py)."""
    freeze: Freeze | None = None
    move: MoveRecord | None = None
    """The move under way, else the last one."""
    queued: QueuedMove | None = None
    proof: Proof | None = None
    """What allowed the last takeover, or the halt of what a dead node held."""
    not_runnable_on: str | None = None
    """The node the package left by its last move: its copy there was given up."""
    fencing: Fencing | None = None
    """Counts as long as its victim owns the package in that epoch: see `fencing_of`."""
    disks: tuple[KnownDisk, ...] = ()
    """What each disk's path meant when a guest last had it open; learnt at the first start."""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def moving(self) -> bool:
        return self.move is not None and self.move.stage != "done"


class Outcome(Value):
    """What came of an entry, for a proposer that never heard the answer."""

    entry: str
    index: int
    problem: Problem | None = None
    at_ms: int = 0
    """In the cluster's time."""
    said: str = ""
    """What it ordered, in a few characters (outcomes.py)."""


class Event(Value):
    """One change, worded once."""

    index: int
    at_ms: int
    subject: str
    what: str
    before: str = ""
    after: str = ""
    because: str = ""
    by: str = ""
    request: str = ""
    proof: Proof | None = None
    """Where the change rests on somebody's death."""
    via: str = ""
    """The node that asked for it, where that is not who it is by."""


class State(Value):
    name: str = ""
    running: bool = True
    """False after `cluster halt`: nothing is started until `cluster run`."""
    config_text: str = ""
    coordinator_term: int = 0
    """The term of the leader that coordinates; only it may call a node dead by its lease."""
    trust: Trust = Trust()
    nodes: Map[str, NodeRecord] = Map()
    packages: Map[str, PackageRecord] = Map()
    placed: Map[str, Map[str, bool]] = Map()
    """Node -> names of packages that it owns or that are moving to it: an index."""
    waiting: Map[str, bool] = Map()
    """Names of packages without an owner that may want one: an index."""
    moves: Map[str, bool] = Map()
    """Names of packages whose move is under way or waits for its turn: an index."""
    macs: Map[str, str] = Map()
    """MAC address -> the package that has it: an index."""
    claims: Map[str, str] = Map()
    """By what a disk is known -> the package it is of: an index."""
    outcomes: Map[str, Outcome] = Map()
    outcome_at: Map[int, str] = Map()
    forgotten: int = 0
    """The last entry whose outcome is not kept any more; 0: none was looked at yet."""
    time_ms: int = 0
    """The cluster's own time (agreed_time.py)."""
    is_timed: bool = False
    """By proposers' reckoning, and by nobody's wall clock any more."""
    events: Map[int, Event] = Map()
    next_event: int = 1
    events_weight: int = 0
    """What these events weigh (history.py): an index."""
    applied: int = 0
    members: tuple[Member, ...] = ()
    """As the cluster file has them, in its order."""
    seats: tuple[Seat, ...] = ()
    """As the log last agreed to count them; empty while it counts by the nodes' own files."""
    retired: tuple[str, ...] = ()
    """Names of nodes that were removed; they are not given again."""
    leases: tuple[LeaseNumbers, ...] = ()
    """What leases are granted by, last; before it what some node may still hold one by."""


def fencing_of(record: PackageRecord) -> Fencing | None:
    """The fence that was last ordered for today's owner."""
    fencing = record.fencing
    if fencing is None or (fencing.victim, fencing.epoch) != (record.owner, record.epoch):
        return None
    return fencing


def named_nodes(record: PackageRecord) -> set[str]:
    """The nodes a package has something to do with now."""
    involved = {record.owner} if record.owner else set()
    if record.lost is not None:
        involved.add(record.lost.node)
    fencing = fencing_of(record)
    if fencing is not None and fencing.problem is None:
        involved.add(fencing.node)
    if record.move is not None and record.move.stage != "done":
        involved |= {record.move.source, record.move.target}
    return {name for name in involved if name}


def with_package(state: State, record: PackageRecord) -> State:
    """The state with this package's record replaced, its indexes kept true."""
    before = state.packages.get(record.name)
    old, new = (named_nodes(before) if before else set()), named_nodes(record)
    placed = state.placed
    for node in sorted(old - new):
        placed = placed.set(node, placed[node].delete(record.name))
    for node in sorted(new - old):
        placed = placed.set(node, placed.get(node, Map()).set(record.name, True))
    waiting = state.waiting
    if record.owner is None:
        waiting = waiting.set(record.name, True)
    elif record.name in waiting:
        waiting = waiting.delete(record.name)
    moves = state.moves
    if record.moving or record.queued is not None:
        moves = moves.set(record.name, True)
    elif record.name in moves:
        moves = moves.delete(record.name)
    state = _claiming(state, before.spec if before else None, record.spec)
    return changed(
        state, packages=state.packages.set(record.name, record), placed=placed, waiting=waiting,
        moves=moves)


def _claiming(state: State, before: PackageSpec | None, after: PackageSpec | None) -> State:
    """With the indices of what only one package may have."""
    of = after or before
    if of is None or before is after:
        return state
    others = [each.spec for each in state.packages.values()] if before is not None else []
    return changed(
        state, macs=reclaimed(state.macs, before, after, others),
        claims=reindexed(
            state.claims, of.name, claims_of(before) if before else frozenset(),
            claims_of(after) if after else frozenset(),
            lambda key: [each.name for each in others
                         if each.name != of.name and key in claims_of(each)]))


def without_package(state: State, name: str) -> State:
    """The state without a package that nobody owns."""
    waiting = state.waiting.delete(name) if name in state.waiting else state.waiting
    moves = state.moves.delete(name) if name in state.moves else state.moves
    state = _claiming(state, state.packages[name].spec, None)
    return changed(state, packages=state.packages.delete(name), waiting=waiting, moves=moves)


def with_node(state: State, record: NodeRecord) -> State:
    return changed(state, nodes=state.nodes.set(record.name, record))


def suffices(kind: ProofKind, record: PackageRecord) -> bool:
    """Whether it frees the package. Nobody guards a detached one, and a watchdog is petted then."""
    guarded = record.state != "detached" or record.guarded or kind not in ("lease", "watchdog")
    return guarded and (kind != "lease" or record.spec.lease_is_proof)


def may_be_lost(state: State, node: NodeRecord, kind: ProofKind = "lease") -> bool:
    """Whether it matters that the node is dead, by a proof of this kind: it takes part, or it still
    holds something that the proof would free."""
    return node.state in UP or any(
        suffices(kind, each) for each in packages_of(state, node.name) if each.owner == node.name)


def unproven(state: State, name: str) -> list[PackageRecord]:
    """The packages that a node called dead still holds, until a stronger proof of its death."""
    node = state.nodes.get(name)
    if node is None or node.state in UP or node.proof is None:
        return []
    return [each for each in packages_of(state, name) if each.owner == name]


def packages_of(state: State, node: str) -> list[PackageRecord]:
    """Packages this node owns or takes part in moving, by name."""
    return [state.packages[name] for name in sorted(state.placed.get(node, Map()))]
