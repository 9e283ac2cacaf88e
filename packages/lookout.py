"""Compares what is seen on this node with what the record says, all the time.

Only a change of the differences is said to the record, and a difference only when it was seen
twice in a row. What must never happen here: a guest ended because of what was seen; that is for
its agent, where it is ours, and for an operator, where it is not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cluster.core.entries import HypervisorChanged, SightingsChanged, WatchdogChanged
from cluster.core.floor import V0_2, as_all_see, floor_allows
from cluster.core.membership import gives
from cluster.core.model import UP, State, packages_of
from cluster.nodes.former_guardians import FormerGuardians
from cluster.nodes.guardian_link import Guardian
from packages.core.machines import versioned
from packages.core.sightings import Sighting, by_hand, lasting
from packages.strangers import Strangers
from packages.vm.driver import Guest
from packages.vm.qemu.command_line import guest_uuid
from packages.worker import Worker

Hypervisor = Callable[[], Awaitable[tuple[str, tuple[str, ...]]]]
"""Its version and the machine types it knows; "" where there is none, or it did not say."""

log = logging.getLogger(__name__)

LOOK_S = 1.5
"""A guest started by hand is known within twice this."""
SAY_S = 5.0


class Lookout:
    def __init__(
        self, *, worker: Worker, strangers: Strangers, guardian: Guardian, hypervisor: Hypervisor,
    ) -> None:
        around = worker.around
        self._former = FormerGuardians(
            guardian, folders=around.driver.former_folders, may_run=around.may_run,
            ours=self._given)
        self._hypervisor = hypervisor
        self._worker, self._strangers, self._guardian = worker, strangers, guardian
        self._node, self._ledger = worker.around.node, worker.around.ledger
        self._last: list[Sighting] = []

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look_at_watchdog()
            await self._former.look()
            await self._look_at_hypervisor()
            await self._once()

    async def _look_at_watchdog(self) -> None:
        """What the record says of it is what takeovers rest on, so it is said before anything
        else: when a guardian comes without one, too."""
        there = await self._guardian.watchdog()
        me = self._ledger.state.nodes.get(self._node)
        if me is None or me.state not in UP:
            return
        if (me.watchdog, me.watchdog_s) != (there.name, there.proves_s):
            await self._ledger.say(
                WatchdogChanged, "its guardian says so", deadline_s=SAY_S, node=self._node,
                incarnation=me.incarnation, name=there.name, proves_s=there.proves_s)

    async def _look_at_hypervisor(self) -> None:
        """Guests are started as what all of their nodes can carry on; a program may be exchanged
        while its daemon runs."""
        qemu, machines = await self._hypervisor()
        me, state = self._ledger.state.nodes.get(self._node), self._ledger.state
        if me is None or me.state not in UP or not floor_allows(state, V0_2):
            return
        if qemu and (me.qemu, me.machines) != (qemu, versioned(machines)):
            await self._ledger.say(
                HypervisorChanged, "its host says so", deadline_s=SAY_S, node=self._node,
                incarnation=me.incarnation, qemu=qemu, machines=versioned(machines))

    async def _once(self) -> None:
        state = self._ledger.state
        me = state.nodes.get(self._node)
        if me is None or me.state not in UP:
            self._last = []
            return
        # What carries our own names and nobody holds is no stranger: an order ended half-way.
        left = await self._worker.around.driver.end_remains()
        if left is not None:
            log.error("%s %s", left.what, left.because)
        try:
            by_hand_now = await self._by_hand(state)
        except OSError as error:
            log.error("it is not known what else runs here: %s", error)
            return
        now = [*self._own(state), *by_hand_now]
        found, self._last = as_all_see(state, lasting(self._last, now)), now
        me = self._ledger.state.nodes.get(self._node)
        if me is None or me.sightings == found:
            return
        log.warning("seen beside the record: %s", found or "nothing any more")
        await self._ledger.say(
            SightingsChanged, "what is seen there has changed", deadline_s=SAY_S,
            node=self._node, incarnation=me.incarnation, sightings=found)

    def _own(self, state: State) -> list[Sighting]:
        """Guests of this daemon's that should not be here, and those that should and are not."""
        held = {each.package: each for each in self._worker.guests()}
        stuck = [
            Sighting(package=name, kind="nowhere", because=agent.stuck.because, stuck=True)
            for name, agent in sorted(self._worker.agents.items()) if agent.stuck is not None
        ]
        stuck += [
            Sighting(package=name, kind="nowhere", unasked=True,
                     because=f"{unasked.what}, because {unasked.because}")
            for name, agent in sorted(self._worker.agents.items())
            if agent.watch is not None and (unasked := agent.watch.unasked) is not None
        ]
        stuck += self._standing()
        found = [
            Sighting(package=name, kind="stray", pid=guest.pid,
                     because=f"the record does not give its epoch {guest.epoch} to this node")
            for name, guest in sorted(held.items())
            if not gives(state, self._node, name, guest.epoch)
        ]
        return stuck + found + [
            Sighting(package=each.name, kind="nowhere", because="its process is not there")
            for each in packages_of(state, self._node)
            if each.owner == self._node and each.state == "running" and each.name not in held
        ]

    def _given(self) -> list[Guest]:
        state = self._ledger.state
        return [each for each in self._worker.guests() if self._worker.is_working
                and gives(state, self._node, each.package, each.epoch)]

    def _standing(self) -> list[Sighting]:
        """Under a good lease: whoever stopped them was neither this daemon nor its guardian."""
        around = self._worker.around
        return [
            Sighting(package=guest.package, kind="nowhere", pid=guest.pid, stuck=True, because=(
                f"Its process {guest.pid} is stopped under a good lease: by a signal, a debugger, "
                "or a guardian of another run folder."))
            for guest in self._given() if around.may_run() and around.driver.stands(guest)
        ]

    async def _by_hand(self, state: State) -> list[Sighting]:
        specs = {name: record.spec for name, record in state.packages.items()}
        disks = {disk.path for spec in specs.values() for disk in spec.vm.disks}
        uuids = {guest_uuid(name): name for name in specs}
        return by_hand(await self._strangers.find(disks), specs, uuids)
