"""One simulated host: a machine with guests and their guardian, a disk, and a daemon that comes
and goes. The daemon is the product's own Node over the product's own replica; only its doors are
the simulation's.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster.api.messages import AnyRequest, AskLease, Reply
from cluster.api.roles import Caller
from cluster.config.schema import ClusterConfig, Timings
from cluster.core.machine import StateMachine
from cluster.node import Node
from cluster.power.fake import FakePowerFence
from cluster.power.fence import PowerFence
from cluster.raft.syncobj import SyncObjReplica
from packages.core.facts import DiskFacts, FileKind, NodeFacts, Wanted
from packages.core.problem import Problem
from packages.strangers import NoStrangers
from packages.vm.fake_carrier import FakeCarrier
from packages.vm.fake_guest import FakeGuest
from tests.raft.slow_flusher import SlowFlusher
from tests.scenarios.fabric_probe import FabricProbe
from tests.simulation.disk import HostsDisk
from tests.simulation.guardian import PRECISION_S, Record, SimulatedGuardian
from tests.simulation.guardian_link import SimulatedGuardianLink
from tests.simulation.hardware import Hardware
from tests.simulation.hypervisor import MachineDriver, SimulatedCarrier, SimulatedDriver
from tests.simulation.keys import Doors, KeyedServer, keyed_doors
from tests.simulation.network import (
    Answers, Asker, SimulatedLinks, SimulatedNeighbour, SimulatedServer
)
from tests.simulation.power import SimulatedPowerFence
from tests.simulation.process import Process
from tests.simulation.surroundings import Surroundings
from tests.simulation.timeline import HostTime
from tests.simulation.watchdog import KINDS, NO_WATCHDOG, WatchdogDevice

COMPACT_AFTER_ENTRIES = 40
"""Few enough for snapshots to be made and sent in every run."""


class SimulatedFacts:
    """What the host tells about itself (cluster.answers.survey.Host): nothing forbids anything,
    unless a story says so."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.memory_free_mib = 64_000
        self.machines: tuple[str, ...] = ("pc-q35-7.2",)
        self.missing_disks: set[str] = set()

    async def gather(
        self, config: ClusterConfig, disks: Iterable[str], *, deadline_s: float,
    ) -> NodeFacts:
        await asyncio.sleep(0.01)
        return NodeFacts(
            name=self._host, version="0.2.0", cpu_vendor="GenuineIntel", cpu_family=6,
            kvm_works=True, machines=("q35", *self.machines), memory_free_mib=self.memory_free_mib,
            memory_total_mib=64_000, qemu_version="7.2",
            disks=tuple(
                DiskFacts(path=path, kind="missing") if path in self.missing_disks else
                DiskFacts(path=path, kind="whole", identity=path, size_bytes=1 << 30,
                          sector_bytes=512)
                for path in disks),
        )

    async def hypervisor(self) -> tuple[str, tuple[str, ...]]:
        return "7.2", self.machines

    async def not_ours(self, wanted: Wanted, *, deadline_s: float) -> dict[str, str]:
        return {}

    async def files(self, paths: Iterable[str], *, deadline_s: float) -> dict[str, FileKind]:
        return dict.fromkeys(paths, "program")


class WatchedMachine(StateMachine):
    """The replicated machine, watched by the judge."""

    def __init__(self, host: str, around: Surroundings) -> None:
        super().__init__()
        self.host, self._around = host, around

    def apply(self, index: int, command: bytes) -> object:  # type: ignore[override]
        outcome = super().apply(index, command)
        self._around.judge.applied(self.host, index, command, self.state)
        return outcome

    def load(self, snapshot: bytes) -> None:
        super().load(snapshot)
        self._around.judge.loaded(self.host, self.state)


class Build:
    """What a host is made of. A broken build has one part replaced (broken_builds.py)."""

    disk: type[HostsDisk] = HostsDisk
    links: type[SimulatedLinks] = SimulatedLinks
    machine: type[WatchedMachine] = WatchedMachine
    replica: type[SyncObjReplica] = SyncObjReplica
    guardian: type[SimulatedGuardian] = SimulatedGuardian
    guardian_link: type[SimulatedGuardianLink] = SimulatedGuardianLink
    hypervisor: type[MachineDriver] = MachineDriver
    driver: type[SimulatedDriver] = SimulatedDriver
    carrier: type[SimulatedCarrier] = SimulatedCarrier
    power: type[SimulatedPowerFence] = SimulatedPowerFence
    needs_keys = False
    """What is broken shows only where nodes come and go."""
    watchdogs = KINDS
    needs = Hardware()
    """What is broken shows best where hosts have this."""
    caught_by: tuple[str, ...] = ()
    """The checkers that may find what is broken, the one it is made for first."""

    def timings(self, timings: Timings) -> Timings:
        return timings

    def assembled(self, node: Node) -> None:
        """After the node was put together."""


class Host:
    def __init__(
        self, name: str, around: Surroundings, *, config: ClusterConfig,
        profiles: Mapping[str, Timings], build: Build,
    ) -> None:
        self.name, self.around, self.build = name, around, build
        self.config = config
        """As its file has it: of a daemon that runs, what the cluster agreed upon."""
        self.profiles = {name: build.timings(each) for name, each in profiles.items()}
        dice = around.timeline.dice
        self.time = HostTime(
            around.timeline, rate=1.0, shown_s=dice.uniform(20.0, 90_000.0), wall_s=0.0)
        self.facts = SimulatedFacts(name)
        self.disk = build.disk(dice)
        self.disk.stopped = self._tripped
        self.daemon: Process | None = None
        self.node: Node | None = None
        self.replica: SyncObjReplica | None = None
        self.granted_until_s = 0.0
        """The end of the lease as this host's daemons told it, on this host's clock."""
        self.processes: list[Process] = []
        self.has_power = False
        self.boots = 0
        self.is_hanging, self.woke_s = False, -100.0
        self.goes_down = False
        """In order, with its guests."""
        self._watchdog_kind = (
            dice.choice(build.watchdogs) if around.hardware.has_watchdogs else NO_WATCHDOG)
        self.watchdog: WatchdogDevice | None = None
        self.has_left = False
        """Its daemon has ended because the cluster removed the node; nobody starts it again."""

    # the machine

    def boot(self) -> None:
        around = self.around
        self.has_power = True
        self.boots += 1
        self.granted_until_s = 0.0
        if around.controllers is not None:
            around.controllers.power_on(self.name)
        self.machine = self._process(around.judge.machine_stepped)
        self.watchdog = self._made_watchdog()
        self.run_folder = Record()
        self.start_guardian()
        self.driver = self.build.hypervisor(
            self.machine, around.network, self.name, around.fabric, around.clock)
        self.carrier = FakeCarrier(self.name, around.fabric, around.cables, around.clock)

    def start_guardian(self) -> None:
        self.guard = self._process(self.around.judge.machine_stepped)
        with self.guard.running():
            self.guardian = self.build.guardian(
                self.name, self.guard, self.around.fabric, self.watchdog, self.run_folder)
        self.around.judge.machine_stepped()

    def holds(self, guest: FakeGuest) -> bool:
        """It stands by the guardian's will, or by its daemon's."""
        return self.guardian.holds(guest) or guest.guest.pid in self.around.fabric.held

    def lose_power(self) -> None:
        """Everything on it is gone at this instant, and what was not on its disk."""
        self.kill_daemon(power=True)
        with self.machine.running():
            self.around.fabric.power_cut(self.name)
        self.machine.stepped()
        self.machine.kill()
        self.guard.kill()
        if self.watchdog is not None:
            self.watchdog.lose_power()
        self.has_power = self.is_hanging = self.goes_down = False
        self.around.network.hanging.pop(self.name, None)
        self.time.reboot(self.around.timeline.dice.uniform(5.0, 60.0))

    def _made_watchdog(self) -> WatchdogDevice | None:
        name, timeout_s = self._watchdog_kind
        if not name:
            return None
        return WatchdogDevice(
            self.around.timeline, name, timeout_s, stands=lambda: self.is_hanging,
            reset=self._reset)

    def _reset(self) -> None:
        """By its watchdog: it boots by itself."""
        timeline = self.around.timeline
        self.around.judge.was_reset(self)
        self.lose_power()
        slowest_s = timeline.dice.choice((5.0, 20.0, 20.0))
        timeline.after(timeline.dice.uniform(2.0, slowest_s), self.boot_again)

    def boot_again(self) -> None:
        if not self.has_power:
            self.boot()

    # a host that stands still as a whole

    def hang(self, for_s: float) -> None:
        """Its daemon, its guardian and its guests do nothing for so long; its clock goes on."""
        around = self.around
        self.is_hanging = True
        around.network.hanging[self.name] = around.timeline.now_s
        guardian_late_s = around.timeline.dice.uniform(0.0, PRECISION_S)
        for each in (self.machine, self.guard):
            each.hang(for_s + guardian_late_s)
        if self.daemon is not None:
            self.daemon.hang(for_s + 2 * PRECISION_S)
        stood = [name for name, guest in sorted(around.fabric.nodes[self.name].items())
                 if guest.exit is None and not guest.is_frozen]
        for name in stood:
            around.fabric.freeze(self.name, name)
        self.machine.stepped()
        around.timeline.after(for_s, self._go_on, self.boots, stood)

    def _go_on(self, boot: int, stood: list[str]) -> None:
        """Its guests run for the moment until its guardian is scheduled."""
        if not self.has_power or self.boots != boot:
            return
        self.is_hanging, self.woke_s = False, self.around.timeline.now_s
        del self.around.network.hanging[self.name]
        with self.machine.running():
            for name in stood:
                self.around.fabric.thaw(self.name, name)
        self.machine.stepped()
        self.around.judge.woke(self)

    def _process(self, stepped: object) -> Process:
        process = Process(
            self.around.timeline, self.time,
            broke=lambda what: self.around.judge.broken("exception", f"{self.name}: {what}"),
            stepped=stepped,  # type: ignore[arg-type]
        )
        self.processes.append(process)
        return process

    # the daemon

    def start_daemon(self) -> None:
        assert self.has_power and self.daemon is None
        process = self.daemon = self._process(self._stepped)
        with process.running():
            self.node = self._node(process)
            server = self._server(process, self.node)
            self.around.judge.daemon_began(self)
        process.begin(self._serve(process, self.node, server))

    async def _serve(self, process: Process, node: Node, server: SimulatedServer) -> None:
        why = await node.run(server)
        if self.daemon is process:
            self.has_left = why is not None and why.code == "node-removed"
            self.around.judge.daemon_ended(self, why)
            self.around.timeline.after(0.0, self._ended, process)

    def _ended(self, process: Process) -> None:
        if self.daemon is process:
            self.kill_daemon()

    def _server(self, process: Process, node: Node) -> SimulatedServer:
        network, answer = self.around.network, self._answers(node)
        if self._doors.keys is None:
            return SimulatedServer(self.name, network, process, answer)
        server = KeyedServer(self.name, network, process, answer)
        server.keys = self._doors.keys
        return server

    def _answers(self, node: Node) -> Answers:
        proofs = self.around.judge.proofs

        def answer(caller: Caller, request: AnyRequest) -> Coroutine[Any, Any, Reply]:
            if isinstance(request, AskLease):
                proofs.hears(self.name, caller.name)
            return node.desk.answer(caller, request)

        return answer

    def _made_doors(self, process: Process) -> Doors:
        network, folders = self.around.network, self.around.folders
        asker = Asker(self.name, network, process)
        if folders is not None:
            return keyed_doors(self.name, folders, network, process, asker)
        peers = [each.name for each in self.config.nodes if each.name != self.name]
        return Doors(
            config=self.config, text="",
            links=self.build.links(self.name, peers, network, process),
            neighbours={peer: SimulatedNeighbour(asker, peer) for peer in peers},
        )

    def _node(self, process: Process) -> Node:
        around, machine = self.around, self.build.machine(self.name, self.around)
        doors = self._doors = self._made_doors(process)
        timings = self.profiles[doors.config.profile]
        self.replica = self.build.replica(
            name=self.name, folder=Path("/", self.name), machine=machine, clock=around.clock,
            links=doors.links, circle=doors.circle, founding=doors.founding,
            timings=timings, on_fatal=self._fatal, disk=self.disk, has_thread=False,
            compact_after_entries=COMPACT_AFTER_ENTRIES,
            flusher=SlowFlusher(self.disk, around.clock, around.timeline.dice),
        )
        guardian = self.build.guardian_link(
            process, lambda: self.guardian, heard=lambda news: node.guardian_news(news),
            acknowledged=lambda expiry_s: node.guarding.acknowledged(expiry_s),
            leased=self._leased)
        node = Node(
            name=self.name, config=doors.config, config_text=doors.text, timings=timings,
            clock=around.clock, machine=machine, replica=self.replica, guardian=guardian,
            neighbours=doors.neighbours, host_keys=doors.keys,
            driver=self.build.driver(process, self.machine, self.driver),
            carrier=self.build.carrier(
                process, self.machine, self.carrier, around.network, self.name),
            host=self.facts, fences=around.storage.fences(self.name),
            probe=FabricProbe(self.name, around.fabric, self.driver),
            power=self._power(process), strangers=NoStrangers(), profiles=self.profiles,
            host_boot=f"{self.name}.{self.boots}",
        )
        self.build.assembled(node)
        return node

    def _power(self, process: Process) -> PowerFence:
        controllers = self.around.controllers
        if controllers is None:
            return FakePowerFence()
        return self.build.power(self.name, process, controllers)

    def _fatal(self, why: Problem) -> None:
        assert self.node is not None
        self.node.step_out(why)

    def _leased(self, expiry_s: float) -> None:
        self.granted_until_s = max(self.granted_until_s, expiry_s)
        self.around.judge.leased(self, expiry_s)

    def _tripped(self) -> None:
        if self.daemon is not None:
            self.daemon.was_stopped = True

    def _stepped(self) -> None:
        daemon = self.daemon
        if daemon is not None and daemon.was_stopped:
            self.kill_daemon()
        else:
            self.around.judge.daemon_stepped(self)

    def kill_daemon(self, *, power: bool = False) -> None:
        """As by SIGKILL; with `power` unsynced writes may be lost as well."""
        if self.daemon is not None:
            self.daemon.kill()
        if self.node is not None:
            self.config = self.node.config
        self.daemon = self.node = self.replica = None
        if power:
            self.disk.lose_power()
        else:
            self.disk.restart()
