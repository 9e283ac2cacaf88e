"""What a package's agent on a node works with: the doors, the record, and its neighbours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cluster.clock import Clock
from cluster.ledger import Ledger
from packages.core.known_disks import KnownDisk
from packages.core.machines import chosen
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.values import changed
from packages.fencing.fences import Fences
from packages.storage.probe import Probe
from packages.strangers import Strangers
from packages.vetting import Vetting
from packages.vm.carrier import Carrier
from packages.vm.driver import Driver, Guest, MigrationState


class Surroundings:
    """Handed to every agent of one node; nothing here belongs to one package."""

    def __init__(
        self, *, node: str, driver: Driver, carrier: Carrier, ledger: Ledger, clock: Clock,
        may_run: Callable[[], bool], guests_changed: Callable[[], None],
        guarded: Callable[[], Awaitable[Problem | None]],
        target_ready: Callable[[str, str, str, bool], Awaitable[str]],
        against_start: Callable[[PackageSpec], Awaitable[list[Problem]]], fences: Fences,
        probe: Probe,
        strangers: Strangers, vetting: Vetting,
    ) -> None:
        self.node = node
        self.driver = driver
        self.carrier = carrier
        self.ledger = ledger
        self.clock = clock
        self.may_run = may_run
        """Whether this node's lease is good: asked right before a guest is let run."""
        self.guests_changed = guests_changed
        """Called when a guest came or went, or the record moved on, for the guardian's list."""
        self.guarded = guarded
        """The guardian has taken up the list: asked before a new guest first runs."""
        self.target_ready = target_ready
        """(node, package, move, loaded) -> what it says of its guest (packages.core.standing):
        `ready` when it waits for this move or, with `loaded`, has all of it and is fit to run."""
        self.against_start = against_start
        """Why a package may not start here: its disks, switches, memory."""
        self.fences = fences
        self.probe = probe
        self.strangers = strangers
        """Who else has disks open here: asked before anything is called gone."""
        self.vetting = vetting
        """What is in the way of starting a program that a package names."""

    def as_all_nodes_know(self, spec: PackageSpec) -> PackageSpec:
        """To be started as a machine that each of its nodes can carry on, as far as is known."""
        nodes = self.ledger.state.nodes
        machine = chosen(spec.vm.machine, {
            name: nodes[name].machines for name in spec.nodes if name in nodes}, self.node).machine
        return changed(spec, vm=changed(spec.vm, machine=machine))


class Body:
    """The guest of one package on this node, as its agent holds it."""

    def __init__(self) -> None:
        self.guest: Guest | None = None
        self.waits = asyncio.Event()
        """Set once an incoming guest waits here, guarded, for memory."""
        self.arrived_for: str | None = None
        """The move an incoming guest was made for."""
        self.let_run = False
        """Whether this agent ever sent `resume`, so that it knows a guest never ran."""
        self.sent_for: str | None = None
        """The move for which this agent last had the guest's memory sent."""
        self.disks: tuple[KnownDisk, ...] = ()
        """What the guest was seen to have open before it ran (packages/identity.py)."""
        self.soft: dict[str, Any] | None = None
        """Soft numbers of the running move, for whoever asks."""

        self._unleased: tuple[str, int] | None = None

    def ended_without_lease(self, *, may_run: bool) -> bool:
        """Of a guest that is gone. Without a lease it stood frozen, and its guardian has ended it:
        once seen it stays so, for the lease may be back when the record hears of it."""
        if self.guest is None:
            return False
        life = (self.guest.boot_id, self.guest.epoch)
        if not may_run:
            self._unleased = life
        return self._unleased == life

    def migration_of(self, move: str, seen: MigrationState) -> MigrationState:
        """What the hypervisor says of this move: where nothing was sent for it, it still tells how
        the one before it ended."""
        return seen if self.sent_for in (None, move) else "none"
