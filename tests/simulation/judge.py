"""Looks at the whole simulated cluster after every step, and at its end.

It sees what no node can: all of them at one instant. What it finds names the checker that found
it, because each is itself tested with a build that is broken on purpose.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable

from cluster.core.codec import decode_entry
from cluster.core.entry import Entry
from cluster.core.invariants import broken
from cluster.core.model import MoveRecord, PackageRecord, State
from cluster.nodes.guardian_link import SOFTWARE
from packages.core.fencing import DiskGuard, fenced_by, own_earlier, registrant
from packages.core.problem import Problem
from packages.vm.fake_guest import FakeGuest
from tests.simulation.guardian import LINE_S, PRECISION_S
from tests.simulation.host import Host
from tests.simulation.memory import Memories
from tests.simulation.needs import Needs
from tests.simulation.power import Controllers
from tests.simulation.proofs import Proofs
from tests.simulation.surroundings import Surroundings

LEASE_SLACK_S = PRECISION_S + 2 * LINE_S
"""How long after the end of the lease a guest may still run."""

DAEMON_SLACK_S = LEASE_SLACK_S + 0.05
"""A daemon that was stopped freezes the guests as soon as it goes on, one that begins as soon as it
has found them; a guardian that begins without its record, once its daemon has told it of them."""

NAP_S = 2.5
"""A suspension that is over is noticed within a second, by a daemon that runs."""


DRIFTED = 1.1
"""By more than this no host's clock is too fast."""


class Broken(AssertionError):
    """Something that must never happen has happened."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"[{checker}] {what}")
        self.checker = checker


class Judge(logging.Handler):
    """Each checker has a name: the first argument of `broken`."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(logging.ERROR)
        self._around = around
        self.hosts: dict[str, Host] = {}
        self.found: Broken | None = None
        self.newest = 0
        self.fingerprint = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self._commands: dict[int, bytes] = {}
        self._states: dict[int, State] = {}
        self._leaders: dict[int, str] = {}
        self._running: dict[tuple[str, str], int] = {}
        """(host, package) of each guest whose vCPUs run -> its pid."""
        self._memories, self._needs = Memories(self), Needs(self)
        self.proofs = Proofs(self, around)
        self.moved: Callable[[MoveRecord], None] = lambda move: None
        """Told of each new stage of a move, for whoever wants to strike just then."""

    def broken(self, checker: str, what: str) -> None:
        if self.found is None and not self._around.timeline.is_over:
            self.found = Broken(checker, f"{self._around.timeline.now_s:.3f} s: {what}")
            self._around.timeline.end()

    def emit(self, record: logging.LogRecord) -> None:
        """The product's log: an exception in it is a bug."""
        if record.exc_info or record.levelno >= logging.CRITICAL:
            error = record.exc_info[1] if record.exc_info else None
            self.broken("exception", f"{record.getMessage()}: {error!r}")

    def saw(self, what: str) -> None:
        self.fingerprint.update(f"{self._around.timeline.now_s!r} {what}\n".encode())

    @property
    def now_s(self) -> float:
        return self._around.timeline.now_s

    def record(self, package: str) -> PackageRecord | None:
        """As the newest entry that any host has applied left it."""
        state = self._states.get(self.newest)
        return state.packages.get(package) if state is not None else None

    def guests_of(self, host: Host) -> list[tuple[str, FakeGuest]]:
        return sorted(self._around.fabric.nodes[host.name].items())

    @property
    def controllers(self) -> Controllers | None:
        return self._around.controllers

    # agreement

    @property
    def retired(self) -> tuple[str, ...]:
        """Nodes that were removed."""
        state = self._states.get(self.newest)
        return state.retired if state is not None else ()

    def _check_removed(self, before: State, entry: Entry) -> None:
        """Once the log is without a node, it has no word in it."""
        if not before.retired or not before.seats:
            return
        seats = {each.name for each in before.seats}
        if entry.by in before.retired and entry.by not in seats:
            self.broken("removed", f"{entry.by} is removed and has a word: {entry}")

    def applied(self, host: str, index: int, command: bytes, state: State) -> None:
        known = self._commands.get(index)
        if known is not None:
            if known != command:
                self.broken("agreement", f"{host} applied another entry {index} than the others")
            self._compare(host, index, state)
            return
        self.counts["entries"] += 1
        self._commands[index], self._states[index] = command, state
        self.newest = max(self.newest, index)
        self.saw(f"{index} {hashlib.sha256(command).hexdigest()}")
        for sentence in broken(state):
            self.broken("invariants", sentence)
        before = self._states.get(index - 1)
        if before is not None:
            entry = decode_entry(command)
            self._check_deaths(before, state)
            self._check_removed(before, entry)
            self.proofs.look(before, state, entry)
            self._follow_moves(before, state)

    def loaded(self, host: str, state: State) -> None:
        self._compare(host, state.applied, state)

    def _compare(self, host: str, index: int, state: State) -> None:
        known = self._states.get(index)
        if known is None:
            return
        for field in (
            "packages", "nodes", "running", "coordinator_term", "next_event", "trust", "seats",
            "retired",
        ):
            if getattr(known, field) != getattr(state, field):
                self.broken("agreement", f"{host} has other {field} after entry {index}")

    def _follow_moves(self, before: State, state: State) -> None:
        if before.packages is state.packages:
            return
        for name, record in sorted(state.packages.items()):
            was = before.packages.get(name)
            old, new = was.move if was is not None else None, record.move
            if new is not None and (old is None or (old.id, old.stage) != (new.id, new.stage)):
                self.counts[f"move {new.result or new.stage}"] += 1
                self.moved(new)

    def _check_deaths(self, before: State, state: State) -> None:
        if before.nodes is state.nodes:
            return
        for name, node in state.nodes.items():
            was = before.nodes.get(name)
            if node.state == "failed" and was is not None and was.state != "failed":
                host = self.hosts[name]
                left_s = host.granted_until_s - host.time.now_s()
                if host.has_power and left_s > 0:
                    self.broken("death", f"{name} is called dead, its lease has {left_s:.3f} s")

    # daemons

    def daemon_began(self, host: Host) -> None:
        self.counts["daemons"] += 1
        self.proofs.daemon_began(host)
        self.saw(f"{host.name} begins")

    def daemon_ended(self, host: Host, why: Problem | None) -> None:
        if why is not None and why.code == "node-removed" and host.name in self.retired:
            self.counts["left"] += 1
        elif why is not None and not (why.code == "journal-not-writable" and host.disk.is_full):
            self.broken("refused", f"{host.name} ended: {why.what} {why.because}")

    def daemon_stepped(self, host: Host) -> None:
        if host.node is not None:
            self.proofs.lives(host)
        voter = host.replica._voter if host.replica is not None else None
        if voter is None or not voter.engine.is_leading:
            return
        term = voter.engine.term
        if self._leaders.setdefault(term, host.name) != host.name:
            self.broken("leader", f"{host.name} and {self._leaders[term]} lead in term {term}")
        self.counts["elections"] = len(self._leaders)
        if self.leads(host):
            for other in self.hosts.values():
                if other is not host and self.leads(other):
                    self.broken("leader", f"{host.name} and {other.name} act as leaders at once")

    def leads(self, host: Host) -> bool:
        replica, timeline = host.replica, self._around.timeline
        before, timeline.here = timeline.here, host.time
        try:
            return replica is not None and replica.is_leader()
        finally:
            timeline.here = before

    # guests

    def machine_stepped(self) -> None:
        """A guest may have begun or ceased to run."""
        running: dict[tuple[str, str], int] = {}
        for host, guests in self._around.fabric.nodes.items():
            for package, guest in guests.items():
                is_running = runs(guest)
                self._memories.look(host, guest, is_running=is_running)
                self._needs.look(host, guest, is_running=is_running)
                if is_running:
                    running[host, package] = guest.guest.pid
        if running == self._running:
            return
        for where in running.keys() - self._running.keys():
            self._began_to_run(*where)
        self._running = running
        self.saw(f"runs {sorted(running)}")
        where_of: dict[str, str] = {}
        for host, package in sorted(running):
            if self._is_shut_out(host, package):
                self.counts["shut out"] += 1
                continue
            if package in where_of:
                self.broken("two", f"{package} runs on {where_of[package]} and on {host}")
            where_of[package] = host

    def _is_shut_out(self, host: str, package: str) -> bool:
        """A guest that its disks refuse runs beside its successor until its node hears of it."""
        guest, state = self._around.fabric.guest(host, package), self._states.get(self.newest)
        record = state.packages.get(package) if state is not None else None
        if guest is None or record is None or not fenced_by(record.spec):
            return False
        allowed = self._around.storage.lists[record.spec.vm.disks[0].path]
        return not own_earlier(
            DiskGuard(registrants=tuple(allowed)), registrant(host, guest.guest.epoch))

    def _began_to_run(self, host: str, package: str) -> None:
        self.counts["starts"] += 1
        self._check_lease(self.hosts[host], package)

    def _check_lease(self, host: Host, package: str) -> None:
        over_s = host.time.now_s() - host.granted_until_s
        if over_s > LEASE_SLACK_S and not self._is_sick(host, over_s) and not (
                self._is_detached(host.name, package)):
            self.broken("lease", f"{package} runs on {host.name}, {over_s:.3f} s after its lease")

    def _is_sick(self, host: Host, over_s: float) -> bool:
        """Its guardian and its daemon are both gone or stand still, or did so a moment ago: that is
        what a watchdog is for, where there is one. One of them alone is enough."""
        now_s = self._around.timeline.now_s
        if host.guard.is_awake_for(LEASE_SLACK_S) and now_s > host.guard.began_s + DAEMON_SLACK_S:
            return False
        if host.daemon is not None and host.daemon.is_awake_for(DAEMON_SLACK_S) and (
                now_s > host.daemon.began_s + DAEMON_SLACK_S):
            return False
        device = host.watchdog
        if device is None or device.name == SOFTWARE:
            return True
        return over_s < device.timeout_s * DRIFTED + LEASE_SLACK_S

    def was_reset(self, host: Host) -> None:
        self.counts["reset"] += 1
        self.saw(f"{host.name} is reset")
        assert host.watchdog is not None
        since_s = self._around.timeline.now_s - host.woke_s
        if not host.is_hanging and since_s > host.watchdog.timeout_s and (
                host.guard.is_awake_for(host.watchdog.timeout_s)):
            self.broken("reset", f"{host.name} is reset, and was well")

    def woke(self, host: Host) -> None:
        """From a hang of the whole host, or its guardian alone, or that begins anew."""
        timeline = self._around.timeline
        for slack_s in (LEASE_SLACK_S, DAEMON_SLACK_S):
            timeline.after(1.1 * slack_s, self._lease_ended, host)

    def _is_detached(self, host: str, package: str) -> bool:
        """Left alone on purpose."""
        state = self._states.get(self.newest)
        record = state.packages.get(package) if state is not None else None
        return record is not None and record.state == "detached" and record.owner == host

    def leased(self, host: Host, expiry_s: float) -> None:
        timeline = self._around.timeline
        ends_s = host.time.when_s(expiry_s)
        timeline.at(ends_s + 1.1 * LEASE_SLACK_S, self._lease_ended, host)
        if host.watchdog is not None:
            timeline.at(ends_s + DRIFTED * host.watchdog.timeout_s + 1.1 * LEASE_SLACK_S,
                        self._lease_ended, host)

    def _lease_ended(self, host: Host) -> None:
        for where, package in tuple(self._running):
            if where == host.name:
                self._check_lease(host, package)

    # monitoring

    def look_at_monitors(self, host: Host) -> None:
        """No suspension outlives its time, none is longer than its move's phases allow."""
        self._needs.look_at_freezes(host)
        if host.node is None or host.daemon is None or not host.daemon.is_awake_for(NAP_S):
            return
        now_s = host.time.now_s()
        for name, agent in host.node.worker.agents.items():
            if agent.watch is None:
                continue
            suspensions = agent.watch._suspensions
            until_s = suspensions.until_s()
            if any(each.health.state == "suspended" for each in agent.watch._monitors):
                if now_s > (until_s or 0.0) + NAP_S:
                    self.broken("suspension", f"{name} on {host.name} is still suspended")
            record, by_move = host.node.ledger.package(name), suspensions.by_owner.get("move")
            if record is not None and by_move is not None:
                limits = record.spec.phase_timeouts
                if by_move.until_s > now_s + limits.io_quiesce_s + limits.frozen_s + 0.01:
                    self.broken("suspension", f"{name} on {host.name} is suspended until "
                                              f"{by_move.until_s:.3f}, and it is {now_s:.3f}")


def runs(guest: FakeGuest) -> bool:
    """Its vCPUs run at this instant."""
    return guest.exit is None and guest.state == "running" and not guest.is_frozen
