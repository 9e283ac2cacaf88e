"""`apply(state, entry) -> state`: total, pure, the same on every node.

A rule returns the next state or the Problem why not; a refusal is recorded under the entry's id,
for its proposer to find. An entry seen before changes nothing. Each change is worded here, once,
through `cluster.core.story`.
"""

from collections.abc import Callable

from cluster.core import (
    admission, agreed_time, backup, entries, fencing, leases, leaving, maintenance, members,
    membership, moves, quarantine, queue, runs, suspensions, words
)
from cluster.core.floor import as_all_know
from cluster.core.history import with_events
from cluster.core.model import State
from cluster.core.outcomes import against, record_outcome
from cluster.core.story import tell
from packages.core.problem import Problem
from packages.core.values import changed


def _noted(
    state: State,
    _: entries.Noted | entries.StrayEnded | entries.RecordBackedUp | entries.RequestRefused,
) -> State | Problem:
    return state


RULES: dict[type[entries.Entry], Callable[..., State | Problem]] = {
    entries.Noted: _noted,
    entries.CoordinatorBegan: membership.coordinator_began,
    entries.ClusterFormed: members.cluster_formed,
    entries.MembersAgreed: members.members_agreed,
    entries.ClusterRun: membership.cluster_run,
    entries.ClusterHalted: membership.cluster_halted,
    entries.NodeJoined: membership.node_joined,
    entries.NodeFailed: membership.node_failed,
    entries.DeathSaid: words.death_said,
    entries.DeathUnsaid: words.death_unsaid,
    entries.LeaseTaken: leases.lease_taken,
    entries.SightingsChanged: membership.sightings_changed,
    entries.WatchdogChanged: membership.watchdog_changed,
    entries.HypervisorChanged: membership.hypervisor_changed,
    entries.GuardianChanged: membership.guardian_changed,
    entries.PowerFenceFailed: membership.fence_failed,
    entries.NodeHalted: membership.node_halted,
    entries.NodeRun: membership.node_run,
    entries.NodeLeaving: leaving.node_leaving,
    entries.PackageLetDown: leaving.package_let_down,
    entries.NodeLeft: leaving.node_left,
    entries.DisksGrown: runs.disks_grown,
    entries.NodeDraining: maintenance.node_draining,
    entries.NodeEmptied: maintenance.node_emptied,
    entries.NodeStuck: maintenance.node_stuck,
    entries.DrainCancelled: maintenance.drain_cancelled,
    entries.PackageRelocated: maintenance.package_relocated,
    entries.NodeResumed: maintenance.node_resumed,
    entries.ReturnEnded: maintenance.return_ended,
    entries.NodeUnquarantined: quarantine.node_unquarantined,
    entries.PackageApplied: runs.package_applied,
    entries.PackageDeleted: runs.package_deleted,
    entries.PackageAssigned: runs.package_assigned,
    entries.PackageHalted: runs.package_halted,
    entries.SwitchingSet: suspensions.switching_set,
    entries.MaintenanceSet: suspensions.maintenance_set,
    entries.HoldEnded: suspensions.hold_ended,
    entries.GuestStarted: runs.guest_started,
    entries.GuestFailed: runs.guest_failed,
    entries.GuestReleased: runs.guest_released,
    entries.StrayEnded: _noted,
    entries.GuestLetGo: membership.guest_let_go,
    entries.MoveOpened: moves.move_opened,
    entries.MoveQueued: queue.move_queued,
    entries.MoveUnqueued: queue.move_unqueued,
    entries.MoveLanded: moves.move_entry,
    entries.MoveFrozen: moves.move_entry,
    entries.MoveAbortAsked: moves.move_entry,
    entries.MoveAborting: moves.move_entry,
    entries.MoveAborted: moves.move_entry,
    entries.MoveCommitted: moves.move_entry,
    entries.MoveThawed: moves.move_entry,
    entries.MoveReturned: moves.move_entry,
    entries.TrustFormed: admission.trust_formed,
    entries.NodeInvited: admission.node_invited,
    entries.NodeAdmitted: admission.node_admitted,
    entries.RotationAsked: admission.rotation_asked,
    entries.NodeKeyOffered: admission.node_key_offered,
    entries.NodeKeyRetired: admission.node_key_retired,
    entries.OperatorAdded: admission.operator_added,
    entries.OperatorRemoved: admission.operator_removed,
    entries.RecordBackedUp: _noted,
    entries.RequestRefused: _noted,
    entries.RecordRestored: backup.record_restored,
    entries.NodeRejoining: admission.node_rejoining,
    entries.FenceOrdered: fencing.fence_ordered,
    entries.FenceAnswered: fencing.fence_answered,
}


def decide(state: State, entry: entries.Entry) -> State | Problem:
    """What the entry would change, without its record in history: what a dry run asks."""
    return RULES[type(entry)](state, entry)


def apply(state: State, index: int, entry: entries.Entry) -> State:
    """The next state. `index` is the entry's place in the log and grows."""
    if entry.id in state.outcomes:
        return changed(state, applied=index)
    entry = as_all_know(state, entry)
    state = agreed_time.on(state, entry)
    after = against(state, entry) or decide(state, entry)
    if isinstance(after, Problem):
        return record_outcome(state, index, entry, after)
    after = with_events(after, tell(state, after, entry, index))
    return record_outcome(after, index, entry, None)
