"""What must hold once all trouble is over and some time has passed."""

from collections.abc import Mapping

from cluster.core.model import PackageRecord, State
from cluster.core.roles import wanted_seats
from cluster.core.runs import blocked_nodes
from packages.vm.fake_guest import FakeGuest
from tests.simulation.host import Host
from tests.simulation.judge import Judge, runs

Finding = tuple[str, str]
"""(checker, what it found)"""


def unsettled(hosts: Mapping[str, Host], judge: Judge) -> Finding | None:
    """The first thing that is not as it should be in the end; None: all is well."""
    there = {name: host for name, host in hosts.items() if name not in judge.retired}
    for host in there.values():
        if host.is_hanging or host.guard.is_paused or not host.guard.is_alive:
            return "progress", f"{host.name} or its guardian stands still"
        if host.node is None or host.replica is None:
            return "progress", f"{host.name} has no daemon"
        if host.daemon is not None and host.daemon.is_paused:
            return "progress", f"the daemon of {host.name} stands still"
        if host.node.fencing._under_way:
            return "progress", f"{host.name} still fences {list(host.node.fencing._under_way)}"
        if host.replica.applied() < judge.newest:
            return "progress", f"{host.name} lacks entries {host.replica.applied()}-{judge.newest}"
    if not any(judge.leads(host) for host in hosts.values()):
        return "progress", "nobody leads"
    state = next(iter(there.values())).node.ledger.state  # type: ignore[union-attr]
    if not state.running:
        return "progress", "the cluster is halted, and is to be run"
    for name, node in sorted(state.nodes.items()):
        if node.state != "running":
            return "progress", f"node {name} is {node.state}: {node.because}"
    controllers = judge.controllers
    if controllers is not None and controllers.under_way:
        return "progress", "an order to switch a host off has not been carried out"
    closed = _doors(there, state)
    if closed is not None:
        return closed
    # One that was removed while it was cut off never hears of it, and keeps what stands on it.
    told = {name: host for name, host in hosts.items() if name in there or host.has_left}
    for name, record in sorted(state.packages.items()):
        found = _package(told, state, record)
        if found is not None:
            return found
    return None


def _doors(hosts: Mapping[str, Host], state: State) -> Finding | None:
    """Everybody who belongs lets in everybody who belongs, by the key they use, and nobody else."""
    if set(wanted_seats(state)) != set(state.seats):
        return "doors", f"the log counts {state.seats}, not {wanted_seats(state)}"
    for name, host in hosts.items():
        folders = host.around.folders
        if folders is None:
            return None
        trust = folders[name].trust
        if {each.node for each in trust.nodes} != set(state.nodes):
            return "doors", f"{name} lets in {[each.node for each in trust.nodes]}"
        for each in trust.nodes:
            if each.rotation or each.accepted != (folders.proves(each.node),):
                return "doors", f"{name} knows {each.node} by {each}"
    return None


def _package(
    hosts: Mapping[str, Host], state: State, record: PackageRecord,
) -> Finding | None:
    name = record.name
    if record.moving and record.move is not None:
        return "moves", f"the move of {name} has not ended: {record.move.stage}"
    if record.freeze is not None:
        return "suspension", f"monitoring of {name} is suspended in the record"
    there = {host: _guest(hosts[host], name) for host in hosts}
    strays = [host for host, guest in there.items() if guest is not None and host != record.owner]
    if strays:
        return "strays", f"{name} is {record.state} on {record.owner}, with a copy on {strays}"
    if record.state == "running" and record.owner is not None:
        return _running(hosts[record.owner], record, there[record.owner])
    if record.state in ("halted", "relocate_wait") and _could_start(state, record):
        return "should-run", f"{name} is {record.state} and should run: {record.because}"
    if record.state not in ("halted", "failed", "relocate_wait"):
        return "should-run", f"{name} stays {record.state} on {record.owner}: {record.because}"
    return None


def _guest(host: Host, package: str) -> FakeGuest | None:
    return host.around.fabric.guest(host.name, package)


def _could_start(state: State, record: PackageRecord) -> bool:
    blocked = blocked_nodes(record)
    return state.running and record.auto_run and any(
        each in state.nodes and state.nodes[each].state == "running" and each not in blocked
        for each in record.spec.nodes)


def _running(host: Host, record: PackageRecord, guest: FakeGuest | None) -> Finding | None:
    name = record.name
    if guest is None:
        return "should-run", f"{name} runs on {host.name} by the record, and has no guest there"
    if not runs(guest):
        return "should-run", f"{name} stands on {host.name}: {guest.state}, {guest.is_frozen}"
    agent = host.node.worker.agents.get(name) if host.node is not None else None
    if agent is None or agent.watch is None:
        return "suspension", f"nobody watches {name} on {host.name}"
    if any(each.health.state == "suspended" for each in agent.watch._monitors):
        return "suspension", f"the monitors of {name} on {host.name} are suspended"
    return None
