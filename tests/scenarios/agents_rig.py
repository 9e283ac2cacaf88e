"""Agents of packages on nodes over one record, with guests, channels and leases in a test's hand.

The agents, the rules and the ledgers are the product's; the hypervisor, the channel and the log
are their fakes. Nobody coordinates: the test says what the record is told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from cluster.clock import HostClock
from cluster.core import entries
from cluster.core.machine import StateMachine
from cluster.core.model import PackageRecord, Proof
from cluster.ledger import Ledger
from cluster.raft.fake import FakeNetwork
from packages.agent import PackageAgent
from packages.arrival import arrived_as
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.sightings import Stranger
from packages.core.standing import FIT_TO_RUN, target_word
from packages.fencing.fake import FakeStorage
from packages.surroundings import Surroundings
from packages.vetting import Vetting
from packages.vm.fake import FakeDriver, FakeFabric
from packages.vm.fake_carrier import FakeCables, FakeCarrier
from tests.live.waiting import patience_s
from tests.scenarios.fabric_probe import FabricProbe

PATIENCE_S = patience_s(20.0)
"""Generous: a test waits for conditions, on a machine that may be busy."""


class AgentNode:
    """One node with the agent of package p1."""

    def __init__(self, name: str, rig: "Rig") -> None:
        self.name, self.rig = name, rig
        machine = StateMachine()
        self.replica = rig.network.replica(name, machine)
        self.ledger = Ledger(self.replica, machine, rig.clock, name)
        self.has_lease = True
        self.strangers: list[Stranger] = []
        """Hypervisors on this node that nobody here has started."""
        self.guard: Callable[[], Awaitable[Problem | None]] = self.guards
        self.driver = FakeDriver(name, rig.fabric, rig.clock)
        self.probe = FabricProbe(name, rig.fabric, self.driver)
        self.agent = PackageAgent("p1", Surroundings(
            node=name, driver=self.driver,
            carrier=FakeCarrier(name, rig.fabric, rig.cables, rig.clock), ledger=self.ledger,
            clock=rig.clock, may_run=lambda: self.has_lease, guests_changed=lambda: None,
            guarded=lambda: self.guard(), target_ready=self.is_ready, against_start=self.nothing,
            fences=rig.storage.fences(name), probe=self.probe, strangers=self,
            vetting=Vetting(),
        ))
        self.ledger.watch(self.agent.wake)
        self.task: asyncio.Task[None] | None = None

    async def guards(self) -> Problem | None:
        return None

    async def is_ready(self, target: str, package: str, move: str, loaded: bool) -> str:
        self.rig.words.append((target, loaded))
        agent = self.rig.nodes[target].agent
        answer: dict[str, object] = {"ready": agent.body.waits.is_set()}
        if loaded:
            state = await arrived_as(agent.around, agent.body, patience_s=0.3)
            answer = {"ready": state in FIT_TO_RUN, "state": state}
        return target_word(answer)

    async def find(self, disks: Collection[str]) -> list[Stranger]:
        return [each for each in self.strangers if set(each.disks) <= set(disks)]

    async def nothing(self, spec: PackageSpec) -> list[Problem]:
        return []

    def begin(self) -> None:
        self.task = asyncio.ensure_future(self.agent.run())

    async def pause(self) -> None:
        """It does nothing more until it begins again."""
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def end(self) -> None:
        await self.pause()
        await self.agent.close()


class Rig:
    """Use as a context: its nodes' agents end with it."""

    def __init__(self, *names: str) -> None:
        self.clock = HostClock()
        self.network = FakeNetwork(names, clock=self.clock, election_s=0.0)
        self.fabric, self.cables, self.storage = FakeFabric(), FakeCables(), FakeStorage()
        self.words: list[tuple[str, bool]] = []
        """Targets that were asked whether they are ready, and whether for all or to begin."""
        self.nodes = {name: AgentNode(name, self) for name in names}

    async def __aenter__(self) -> "Rig":
        for node in self.nodes.values():
            await node.replica.start()
        await self.say(entries.ClusterFormed, name="farm", nodes=tuple(self.nodes), config_text="-")
        for name in self.nodes:
            await self.say(entries.NodeJoined, node=name, incarnation="i1", version="0.2.0")
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes.values():
            await node.end()

    async def say(self, kind: Callable[..., entries.Entry], **fields: object) -> Problem | None:
        ledger = next(iter(self.nodes.values())).ledger
        return await ledger.propose(ledger.entry(kind, "test", **fields), deadline_s=PATIENCE_S)

    async def assign(self, spec: PackageSpec, node: str) -> None:
        assert await self.say(entries.PackageApplied, spec=spec) is None
        await self.say(entries.PackageAssigned, package="p1", node=node, boot_id="b1")

    async def fail(self, node: str) -> None:
        await self.say(entries.NodeFailed, node=node, incarnation="i1",
                       proof=Proof(kind="lease", because="silent"))

    @property
    def record(self) -> PackageRecord:
        return next(iter(self.nodes.values())).ledger.state.packages["p1"]

    def state(self, node: str) -> str:
        found = self.fabric.guest(node, "p1")
        return found.state if found is not None else "gone"

    async def until(self, holds: Callable[[], bool]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, f"{self.record}"
            await asyncio.sleep(0.005)
