"""Builds that are broken on purpose, one part each, to see that the judge notices.

Each replaces a door or a rule where the simulated host is assembled; the product has no switch
for any of this.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster.config.schema import Timings
from cluster.core import entries
from cluster.core.apply import record_outcome
from cluster.core.codec import decode_entry
from cluster.core.model import with_package
from cluster.core.refusals import stale_order
from cluster.core.trust import with_node
from cluster.node import Node
from cluster.raft.syncobj import SyncObjReplica
from packages.core.problem import Problem
from packages.core.values import changed
from packages.monitors.runner import MonitorRunner
from packages.vm.driver import Guest
from packages.vm.fake_guest import FakeGuest
from tests.simulation.broken_proofs import (
    GuardianTrusted, LeaseAlwaysProof, NervousSuspicion, NotFrozenByDaemon, PettedByOthers,
    ProofBeforeAnswer, ResetForNothing, SilenceBelieved, SoftdogBelieved
)
from tests.simulation.disk import HostsDisk
from tests.simulation.guardian import SimulatedGuardian
from tests.simulation.host import Build, WatchedMachine
from tests.simulation.hypervisor import MachineDriver, SimulatedCarrier, SimulatedDriver
from tests.simulation.network import SimulatedLinks


class ForgetfulDisk(HostsDisk):
    """Says that everything is durable, and syncs nothing."""

    def sync(self, handle: int) -> None:
        return


class NothingSynced(Build):
    """The disk says that it is durable, and syncs nothing."""

    disk = ForgetfulDisk
    caught_by = ("refused", "leader", "agreement")


class ProudReplica(SyncObjReplica):
    """Leads until it hears of another: it does not look at its lease."""

    def is_leader(self) -> bool:
        voter = self._live()
        return voter is not None and voter.engine.is_leading


class LeaseIgnored(Build):
    """A leader does not look at its lease."""

    replica = ProudReplica
    caught_by = ("leader",)


class ForgetfulMachine(WatchedMachine):
    """What comes out of a snapshot is not what went in."""

    def load(self, snapshot: bytes) -> None:
        super().load(snapshot)
        self.state = changed(self.state, packages=type(self.state.packages)({
            name: changed(record, failures_ms=(), because="")
            for name, record in self.state.packages.items()
        }))


class SnapshotForgets(Build):
    """A snapshot is not read as it was written."""

    machine = ForgetfulMachine
    caught_by = ("agreement",)


class StickyMachine(WatchedMachine):
    """A move that ends does not end its suspension of monitoring."""

    def apply(self, index: int, command: bytes) -> object:
        before = self.state
        outcome = super().apply(index, command)
        for name, record in self.state.packages.items():
            was = before.packages.get(name)
            if was is not None and was.freeze is not None and record.freeze is None:
                self.state = with_package(self.state, changed(record, freeze=was.freeze))
        return outcome


class FreezeKept(Build):
    """A move that ends does not end its suspension in the record."""

    machine = StickyMachine
    caught_by = ("invariants", "suspension")


class MarginGone(Build):
    """Nodes are called dead before their lease can have ended."""

    caught_by = ("death", "two")

    def timings(self, timings: Timings) -> Timings:
        return changed(timings, margin_s=-timings.lease_s / 2)


class ForgetfulReplica(SyncObjReplica):
    """Elected, it believes that nobody led before."""

    def earlier_until_s(self) -> float:
        return 0.0


class EarlierLeadersForgotten(Build):
    """A new coordinator does not count what those before it may have granted."""

    replica = ForgetfulReplica
    caught_by = ("death", "two")


class SleepyGuardian(SimulatedGuardian):
    """Freezes nobody."""

    def enforce(self) -> None:
        return


class NobodyFrozen(Build):
    """The guardian freezes nobody."""

    guardian = SleepyGuardian
    caught_by = ("lease", "two")


class BlindDriver(SimulatedDriver):
    """Finds no guest of an earlier daemon, and believes that a new one can be made."""

    async def adopt(self) -> list[Guest]:
        return []


class BlindAfterRestart(Build):
    """A daemon that comes back finds no guests."""

    driver = BlindDriver
    caught_by = ("two", "strays", "should-run")


class HastyHypervisor(MachineDriver):
    """Lets the source's guest run on for a moment after its memory was sent."""

    def _complete(self, source: FakeGuest, way: str | None) -> None:
        super()._complete(source, way)
        if source.state == "postmigrate":
            source.state = "running"
            self._machine.stepped()
            source.state = "postmigrate"


class MemoryLeftBehind(Build):
    """The source's guest runs on for a moment after its memory was sent."""

    hypervisor = HastyHypervisor
    caught_by = ("memory",)


class SlowSwitch(MachineDriver):
    """Takes a second for the last part of a switch."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.switch_s = 0.6

    async def switch(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        self.switch_s = 2.0
        return await super().switch(guest, deadline_s=deadline_s)


class DeafRunner(MonitorRunner):
    """Suspends for an hour, and does not hear when it is to go on."""

    def suspend(self, until_s: float, because: str, *, owner: str = "move") -> None:
        super().suspend(until_s + 3600.0, because, owner=owner)

    def resume(self, grace_s: float, *, owner: str = "move") -> None:
        return


class SuspendedForGood(Build):
    """Monitors do not hear when they are to go on."""

    caught_by = ("suspension",)

    def assembled(self, node: Node) -> None:
        def deafen() -> None:
            for agent in node.worker.agents.values():
                if agent.watch is not None:
                    agent.watch.__class__ = DeafRunner

        node.ledger.watch(deafen)


class WatchfulRunner(MonitorRunner):
    """Watches a guest that stands for its move as if it ran."""

    def suspend(self, until_s: float, because: str, *, owner: str = "move") -> None:
        if owner != "move":
            super().suspend(until_s, because, owner=owner)


class FreezesWatched(Build):
    """Monitoring is not suspended for the freeze of a move."""

    hypervisor = SlowSwitch
    caught_by = ("freeze",)

    def assembled(self, node: Node) -> None:
        def open_eyes() -> None:
            for agent in node.worker.agents.values():
                if agent.watch is not None:
                    agent.watch.__class__ = WatchfulRunner

        node.ledger.watch(open_eyes)


class TidyDriver(SimulatedDriver):
    """Ends what an earlier daemon has left running."""

    async def adopt(self) -> list[Guest]:
        for each in await self.carry(0.05, self.inner.adopt):
            await self.carry(0.01, self.inner.destroy, each)
        return []


class GuestsEnded(Build):
    """A daemon that comes back ends the guests that it finds."""

    driver = TidyDriver
    caught_by = ("need",)


class RefusingMachine(WatchedMachine):
    """Refuses what it should apply."""

    refused: type[entries.Entry] | tuple[type[entries.Entry], ...] = ()

    def apply(self, index: int, command: bytes) -> object:
        entry = decode_entry(command)
        if not isinstance(entry, self.refused):
            return super().apply(index, command)
        why = stale_order("package:-", "It is refused by a broken build.")
        self.state = record_outcome(self.state, index, entry, why)
        self._around.judge.applied(self.host, index, command, self.state)
        return self.state.outcomes[entry.id]


class RefusingThaws(RefusingMachine):
    refused = entries.MoveThawed


class MovesNeverThawed(Build):
    """The record refuses that a moved guest runs."""

    machine = RefusingThaws
    caught_by = ("moves",)


class RefusingStarts(RefusingMachine):
    refused = entries.GuestStarted


class StartsNeverAgreed(Build):
    """The record refuses that a guest was started."""

    machine = RefusingStarts
    caught_by = ("should-run",)


class KindDriver(SimulatedDriver):
    """Says that a guest was ended, and leaves it."""

    async def destroy(self, guest: Guest, **_: Any) -> Problem | None:
        return None


class NothingDestroyed(Build):
    """Guests that were ended are still there."""

    driver = KindDriver
    caught_by = ("strays", "two", "should-run", "lease")


class RaisingCarrier(SimulatedCarrier):
    """Raises instead of returning a Problem."""

    async def launch(self, *_: Any, **__: Any) -> str | Problem:
        raise KeyError("a bug in a door")


class DoorRaises(Build):
    """A door raises instead of returning a Problem."""

    carrier = RaisingCarrier
    caught_by = ("exception",)


class NarrowLinks(SimulatedLinks):
    """Carry nothing large: no snapshot arrives."""

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        return len(raw) < 1500 and super().send(peer, raw)


class SnapshotsLost(Build):
    """The links carry no snapshot."""

    links = NarrowLinks
    caught_by = ("progress",)


class HoardingMachine(WatchedMachine):
    """Does not strike off the keys of nodes that were removed."""

    def apply(self, index: int, command: bytes) -> object:
        trust = self.state.trust
        outcome = super().apply(index, command)
        for each in trust.nodes:
            if self.state.trust.node(each.node) is None:
                self.state = changed(self.state, trust=with_node(self.state.trust, each))
        return outcome


class KeysKept(Build):
    """A removed node's key opens doors for ever."""

    machine = HoardingMachine
    needs_keys = True
    caught_by = ("doors", "agreement")


class CredulousReplica(SyncObjReplica):
    """Takes commands from whoever it still speaks to."""

    def _open_voter(self) -> Problem | None:
        found = super()._open_voter()
        if self._voter is not None:
            self._voter.transport.incoming.is_heard = lambda peer: True  # type: ignore
        return found


class RemovedHeard(Build):
    """Nodes talk all the time, and a removed one is listened to while it is told so."""

    replica = CredulousReplica
    needs_keys = True
    caught_by = ("removed",)

    def assembled(self, node: Node) -> None:
        async def talk() -> None:
            while True:
                await asyncio.sleep(0.1)
                await node.ledger.say(entries.Noted, "it likes to talk", deadline_s=0.2)

        asyncio.get_running_loop().create_task(talk())


BROKEN: Mapping[str, type[Build]] = {
    each.__name__: each for each in (
        NothingSynced, LeaseIgnored, SnapshotForgets, FreezeKept, MarginGone,
        EarlierLeadersForgotten, NobodyFrozen, BlindAfterRestart, MemoryLeftBehind,
        SuspendedForGood, FreezesWatched, GuestsEnded, MovesNeverThawed, StartsNeverAgreed,
        NothingDestroyed, DoorRaises,
        SnapshotsLost, KeysKept, RemovedHeard, SilenceBelieved, ProofBeforeAnswer,
        NervousSuspicion, LeaseAlwaysProof, PettedByOthers, ResetForNothing, SoftdogBelieved,
        GuardianTrusted, NotFrozenByDaemon,
    )
}
