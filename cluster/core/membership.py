"""Rules for entries about the cluster and its nodes.

What must never happen here: a node that joins while a guest runs there that the record gives to
somebody else; a takeover without a proof.
"""

from collections.abc import Iterable

from cluster.core import entries, refusals
from cluster.core.floor import V0_2, floor_allows, refused_version
from cluster.core.leases import with_numbers
from cluster.core.model import (
    UP, NodeRecord, NodeState, PackageRecord, State, may_be_lost, packages_of, with_node,
    with_package
)
from cluster.core.moves import end_move, lose_node, orphan
from cluster.core.quarantine import (
    counts, is_quarantined, lost_with_others, released, why, with_failure
)
from cluster.core.suspensions import gone_with_its_node, in_maintenance
from cluster.core.trust import without_invitation
from cluster.core.words import after_death
from packages.core.problem import Problem, problem
from packages.core.values import changed


def coordinator_began(state: State, entry: entries.CoordinatorBegan) -> State | Problem:
    # One that began while a node knew nothing of numbers says them once all do.
    says = entry.term == state.coordinator_term and entry.lease is not None and not state.leases
    if entry.term <= state.coordinator_term and not says:
        return refusals.stale_order("cluster", "A later coordinator has begun.")
    if not state.leases:
        state = with_numbers(state, entry.lease)
    return changed(state, coordinator_term=entry.term)


def cluster_run(state: State, entry: entries.ClusterRun) -> State | Problem:
    state = changed(state, running=True)
    for name in sorted(state.packages):
        record = state.packages[name]
        if record.state == "detached" and record.owner is not None:
            # On a node that is on its way out it stays as it is, for the node's own return.
            if state.nodes[record.owner].state in UP - {"halting"}:
                state = with_package(state, changed(record, attaching=True))
    return state


def cluster_halted(state: State, entry: entries.ClusterHalted) -> State | Problem:
    moving = [record for _, record in sorted(state.packages.items()) if record.moving]
    if entry.detach and moving:
        return refusals.package_moving(moving[0])
    refused = _against_detaching(state.packages.values()) if entry.detach else None
    if refused is not None:
        return refused
    state = changed(state, running=False)
    for name in sorted(state.packages):
        state = _let_go(state, state.packages[name], entry, detach=entry.detach)
    return state


def node_joined(state: State, entry: entries.NodeJoined) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    refused = refused_version(state, entry.node, entry.version)
    if refused is not None:
        return refused
    for guest in entry.guests:
        if not gives(state, entry.node, guest.package, guest.epoch):
            return problem(
                "guest-not-given", f"node:{entry.node}",
                what=f"Node {entry.node} may not join yet.",
                because=f"A guest of package {guest.package} (epoch {guest.epoch}) is there that "
                        "the record does not give to it.",
                fix="Its daemon ends that guest and asks again; nothing needs to be done.",
            )
    state = changed(state, trust=without_invitation(state.trust, entry.node))
    state = _detached_after_join(state, entry)
    state = _lost_after_join(state, node, entry)
    after = _after_join(state, node, state.time_ms, entry.host_boot)
    if is_another_boot(node, entry.host_boot):
        node = changed(node, booted_ms=state.time_ms)
    if has_returned(node, entry.host_boot):
        node = changed(node, leave=None)
    node = changed(node, incarnation=entry.incarnation, version=entry.version, proof=None,
                   word=None, host_boot=entry.host_boot or node.host_boot,
                   fence=None, sightings=(), watchdog="", watchdog_s=0.0,
                   lets_go=entry.lets_go, guardian_silent=entry.guardian_silent)
    if after != node.state:
        because = why(node) if after == "quarantined" else entry.because
        node = changed(node, state=after, since_ms=entry.at_ms, because=because)
    return with_node(state, node)


def _after_join(state: State, node: NodeRecord, at_ms: int, host_boot: str) -> NodeState:
    """What an operator wanted of it before its daemon or host went down holds on."""
    if node.state not in ("unknown", "failed") and not has_returned(node, host_boot):
        return node.state
    if not node.maintained:
        return "quarantined" if is_quarantined(node, at_ms) else "running"
    return "draining" if packages_of(state, node.name) else "maintenance"


def has_returned(node: NodeRecord, host_boot: str) -> bool:
    """Its host went down in order and has booted anew, or nobody can tell that it has not."""
    left = node.leave
    return left is not None and not (host_boot and left.host_boot == host_boot)


def _detached_after_join(state: State, entry: entries.NodeJoined) -> State:
    """What was left running unguarded runs still, or is certainly gone."""
    there = {(guest.package, guest.epoch) for guest in entry.guests}
    attaching = state.running and not _stays_out(state, entry.node)
    for record in packages_of(state, entry.node):
        if record.state != "detached" or record.owner != entry.node:
            continue
        if (record.name, record.epoch) in there:
            state = with_package(state, changed(record, attaching=attaching))
        else:
            state = with_package(state, changed(
                record, state="halted", owner=None, since_ms=entry.at_ms, attaching=False,
                because="it ended while it was detached",
            ))
    return state


def _stays_out(state: State, name: str) -> bool:
    """Its operator wants it halted, which it may not be yet: until its guests are let go."""
    node = state.nodes[name]
    if node.leave is not None:
        return False
    return node.state == "halted" or node.state == "halting" and floor_allows(state, V0_2)


def _lost_after_join(state: State, node: NodeRecord, entry: entries.NodeJoined) -> State:
    """What nobody was given while the node was lost is its own again, where its guest is there yet.
    One that is gone was lost with the node or its host: no failure of the guest."""
    there = {(guest.package, guest.epoch) for guest in entry.guests}
    rebooted = is_another_boot(node, entry.host_boot)
    for record in packages_of(state, node.name):
        lost = record.lost if record.owner is None else None
        if lost is not None and lost.node == node.name:
            if (record.name, lost.epoch) in there:
                state = with_package(state, changed(
                    record, owner=node.name, state=lost.state, lost=None, since_ms=entry.at_ms,
                    because=f"{node.name} was heard again before anybody took it over"))
            else:
                state = with_package(state, gone_with_its_node(
                    record, node.name, entry.at_ms, f"its guest was lost with {node.name}"))
        elif rebooted and record.owner == node.name and (
                record.state in ("starting", "running")
                and (record.name, record.epoch) not in there):
            state = with_package(state, _lost_with_its_host(record, node.name, entry.at_ms))
    return state


def is_another_boot(node: NodeRecord, host_boot: str) -> bool:
    """Whether what ran there by the record is certainly gone with its host."""
    return bool(node.host_boot and host_boot and node.host_boot != host_boot)


def _lost_with_its_host(record: PackageRecord, node: str, at_ms: int) -> PackageRecord:
    """No failure of the guest, in a move or not: in its switch the target is asked what it has."""
    because = f"its guest was lost with the host {node}"
    move = record.move if record.moving else None
    if move is not None and move.stage == "frozen":
        return orphan(record, at_ms, because)
    ended = end_move(record, problem(
        "move-failed", f"package:{record.name}", what="The move was ended by a host's failure.",
        because=because, fix="The package is started again; nothing needs to be done.",
    ))
    return gone_with_its_node(ended, node, at_ms, because)


def gives(state: State, node: str, package: str, epoch: int) -> bool:
    """Whether the record gives this guest to this node, as its owner or as a side of its move."""
    record = state.packages.get(package)
    if record is None:
        return False
    if record.owner == node and record.epoch == epoch:
        return True
    lost = record.lost if record.owner is None else None
    if lost is not None and (lost.node, lost.epoch) == (node, epoch):
        return True
    move = record.move
    if move is None:
        return False
    if move.stage == "done":
        # Given back after the commit: the source's copy has the epoch it had before (agent.py
        # takes it back, or ends it).
        return (record.owner == node == move.source and epoch == move.epoch
                and record.epoch == move.epoch + 2 and record.boot_id == move.boot_id)
    if node == move.target:
        return epoch == move.epoch + 1
    return node == move.source and epoch == move.epoch and move.stage == "committed"


def node_failed(state: State, entry: entries.NodeFailed) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    kind = entry.proof.kind
    if not may_be_lost(state, node, kind) or node.incarnation != entry.incarnation:
        return refusals.stale_order(
            f"node:{entry.node}", f"It is {node.state}, or has come back since.",
        )
    if entry.term is not None and entry.term != state.coordinator_term:
        return refusals.stale_order(f"node:{entry.node}", "A later coordinator has begun.")
    entry = changed(entry, proof=changed(
        entry.proof, node=entry.node, at_ms=entry.at_ms, by=entry.by))
    # A halted node stays so; without its incarnation it is granted nothing until it joins anew.
    after: NodeState = "halted" if node.state in ("halted", "halting") else "failed"
    since_ms = entry.at_ms if after != node.state else node.since_ms
    is_counted = counts(node) and not lost_with_others(state, node)
    is_counted = is_counted or not floor_allows(state, V0_2)
    if after == "failed" and node.state in UP and is_counted:
        node = with_failure(node, state.time_ms)
    state = with_node(state, changed(
        node, state=after, since_ms=since_ms, because=entry.because, proof=entry.proof,
        fence=node.fence if entry.proof.kind == "lease" else None,
        sightings=node.sightings if entry.proof.kind == "lease" else (),
        stuck=(), incarnation="" if after == "halted" else node.incarnation,
    ))
    for record in packages_of(state, entry.node):
        state = lose_node(state, record, entry)
    return after_death(state, node)


def watchdog_changed(state: State, entry: entries.WatchdogChanged) -> State | Problem:
    node = _of_this_life(state, entry.node, entry.incarnation)
    if isinstance(node, Problem):
        return node
    return with_node(state, changed(node, watchdog=entry.name, watchdog_s=entry.proves_s))


def hypervisor_changed(state: State, entry: entries.HypervisorChanged) -> State | Problem:
    node = _of_this_life(state, entry.node, entry.incarnation)
    if isinstance(node, Problem):
        return node
    return with_node(state, changed(node, qemu=entry.qemu, machines=entry.machines))


def guardian_changed(state: State, entry: entries.GuardianChanged) -> State | Problem:
    node = _of_this_life(state, entry.node, entry.incarnation)
    if isinstance(node, Problem):
        return node
    return with_node(state, changed(node, guardian_silent=entry.is_silent))


def sightings_changed(state: State, entry: entries.SightingsChanged) -> State | Problem:
    node = _of_this_life(state, entry.node, entry.incarnation)
    if isinstance(node, Problem):
        return node
    return with_node(state, changed(node, sightings=entry.sightings))


def _of_this_life(state: State, name: str, incarnation: str) -> NodeRecord | Problem:
    """The node that speaks of itself, if it is up and still the one that spoke."""
    node = state.nodes.get(name)
    if node is None:
        return refusals.unknown_node(name)
    if node.state not in UP or node.incarnation != incarnation:
        return refusals.stale_order(f"node:{name}", f"It is {node.state}, or another life.")
    return node


def fence_failed(state: State, entry: entries.PowerFenceFailed) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.incarnation != entry.incarnation:
        return refusals.stale_order(f"node:{entry.node}", "It has come back since.")
    return with_node(state, changed(node, fence=entry.problem))


def node_halted(state: State, entry: entries.NodeHalted) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.state not in UP:
        return refusals.node_not_up(entry.node, node.state, "be halted")
    # One that it only fences for the cluster is not its own to halt.
    held = [each for each in packages_of(state, entry.node)
            if each.owner == entry.node or each.moving]
    if held and not (entry.force or entry.detach):
        return refusals.node_not_empty_to_halt(
            entry.node, [record.name for record in packages_of(state, entry.node)])
    if any(record.moving for record in held):
        return refusals.package_moving(next(record for record in held if record.moving))
    refused = _against_detaching(held) if entry.detach else None
    if refused is not None:
        return refused
    for record in held:
        state = _let_go(state, record, entry, detach=entry.detach)
    # Guests have the time for their own shutdown, and need the node's lease for it; what was left
    # alone before stays so, and nobody waits for its end.
    after: NodeState = "halting" if any(
        not is_left_alone(state.packages[record.name]) for record in held) else "halted"
    return with_node(state, changed(
        node, state=after, since_ms=entry.at_ms, because=entry.because, stuck=(), returning=(),
        leave=None,
    ))


def is_left_alone(record: PackageRecord) -> bool:
    return record.state == "detached" and not record.guarded


def guest_let_go(state: State, entry: entries.GuestLetGo) -> State | Problem:
    record = state.packages.get(entry.package)
    if record is None:
        return refusals.unknown_package(entry.package)
    given = (record.owner, record.epoch) == (entry.node, entry.epoch)
    if not given or record.state != "detached" or not record.guarded:
        return refusals.stale_order(f"package:{entry.package}", "It is not left alone there.")
    return with_package(state, changed(record, guarded=False))


def _against_detaching(records: Iterable[PackageRecord]) -> Problem | None:
    """Neither what is on its way up or down, nor what somebody works on, is left alone like that:
    Serviceguard's rules for a live detach."""
    for record in sorted(records, key=lambda each: each.name):
        if record.owner is not None and record.state not in ("running", "detached"):
            return refusals.not_in_state(record, "be detached")
        if record.state == "running" and in_maintenance(record):
            return refusals.package_in_maintenance(record.name)
    return None


def node_run(state: State, entry: entries.NodeRun) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.state != "halted":
        return refusals.node_not_halted(entry.node, node.state)
    state = with_node(state, changed(
        released(node), state="running", since_ms=entry.at_ms, because=entry.because,
        maintained=False, leave=None,
    ))
    for record in packages_of(state, entry.node):
        if record.state == "detached":
            # In a halted cluster it stays alone until that is run.
            state = with_package(state, changed(record, attaching=state.running))
    return state


def _let_go(
    state: State, record: PackageRecord, entry: entries.Entry, *, detach: bool,
) -> State:
    """Halt or detach one package because its node or the cluster is halted. Where only the node
    is, the package is started elsewhere once it is gone."""
    if record.state == "detached":
        return with_package(state, changed(record, attaching=False))
    if record.lost is not None:
        return with_package(state, changed(
            record, state="halted", lost=None, since_ms=entry.at_ms, because=entry.because))
    if record.owner is None or record.state in ("halting", "failing"):
        return state
    if detach and record.state == "running":
        # Guarded, and freed by the end of its lease, until its owner has heard of it.
        return with_package(state, changed(
            record, state="detached", since_ms=entry.at_ms, because=entry.because,
            guarded=state.nodes[record.owner].lets_go,
        ))
    if record.moving and record.move is not None and record.move.stage != "committed":
        record = end_move(record, problem(
            "move-failed", f"package:{record.name}", what="The move was ended.",
            because=entry.because or "The cluster was halted.", fix="Move it again later.",
        ))
    return with_package(state, changed(
        record, state="halting", since_ms=entry.at_ms, because=entry.because,
    ))
