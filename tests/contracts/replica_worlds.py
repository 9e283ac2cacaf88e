"""Two worlds for the replica's contract: real voters on loopback sockets, and the fake network."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from cluster.clock import HostClock
from cluster.config.schema import PROFILES
from cluster.raft.disk import Disk
from cluster.raft.fake import FakeNetwork
from cluster.raft.links import SocketLinks
from cluster.raft.replica import Replica
from cluster.raft.syncobj import SyncObjReplica
from cluster.sockets import make_keys
from packages.core.problem import Problem
from tests.loopback import own_address


class Register:
    """A machine that remembers the commands in order."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def apply(self, index: int, command: bytes) -> object:
        if command == b"raise":
            raise ValueError("a bug in the machine")
        self.commands.append(command)
        return b"applied " + command

    def dump(self) -> bytes:
        return b"\n".join(self.commands)

    def load(self, snapshot: bytes) -> None:
        self.commands = snapshot.split(b"\n") if snapshot else []


class World(Protocol):
    replicas: dict[str, Replica]
    """Those that are up."""
    machines: dict[str, Register]

    async def start(self, name: str) -> None: ...
    async def stop(self, name: str) -> None: ...

    async def pass_time(self) -> None:
        """A moment."""


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def boottime_s(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return int(self.now_s * 1000)

    def token(self) -> str:
        return "0123456789abcdef"


class FakeWorld:
    def __init__(self, names: Sequence[str], _folder: Path) -> None:
        self._clock = FakeClock()
        self._network = FakeNetwork(tuple(names), clock=self._clock)
        self.replicas: dict[str, Replica] = {}
        self.machines: dict[str, Register] = {}

    async def start(self, name: str) -> None:
        self.machines[name] = Register()
        self.replicas[name] = self._network.replica(name, self.machines[name])
        assert await self.replicas[name].start() is None

    async def stop(self, name: str) -> None:
        await self.replicas.pop(name).close()

    async def pass_time(self) -> None:
        self._clock.now_s += 0.01
        self._network.settle()
        await asyncio.sleep(0)


class SocketWorld:
    """`compact_after_entries` small enough for a snapshot to happen in a test."""

    def __init__(
        self, names: Sequence[str], folder: Path, *, compact_after_entries: int = 5000,
    ) -> None:
        self._folder = folder
        self._compact_after_entries = compact_after_entries
        self.keys = {name: make_keys() for name in names}
        self.endpoints = {name: f"tcp://{own_address()}:5470" for name in names}
        self.replicas: dict[str, Replica] = {}
        self.machines: dict[str, Register] = {}
        self.fatal: dict[str, Problem] = {}

    def made(
        self, name: str, machine: Register, *, disk: Disk | None = None,
    ) -> SyncObjReplica:
        peers = {
            peer: (endpoint, self.keys[peer].public)
            for peer, endpoint in self.endpoints.items() if peer != name
        }
        return SyncObjReplica(
            name=name, links=SocketLinks(peers, bind=self.endpoints[name], keys=self.keys[name]),
            folder=self._folder / name, machine=machine, timings=PROFILES["fast"],
            clock=HostClock(), on_fatal=lambda found: self.fatal.update({name: found}),
            disk=disk, compact_after_entries=self._compact_after_entries,
        )

    async def start(self, name: str, *, disk: Disk | None = None) -> None:
        machine = self.machines[name] = Register()
        self.replicas[name] = self.made(name, machine, disk=disk)
        assert await self.replicas[name].start() is None

    async def stop(self, name: str) -> None:
        await self.replicas.pop(name).close()

    async def pass_time(self) -> None:
        await asyncio.sleep(0.01)


async def until(world: World, happened: Callable[[], object], deadline_s: float = 30.0) -> None:
    """Let time pass until it has happened; a starved machine may need long for an election."""
    async with asyncio.timeout(deadline_s):
        while not happened():
            await world.pass_time()


async def until_led(world: World) -> str:
    """Wait until one of the nodes leads and all that are up know it; its name."""
    def leaders() -> set[str | None]:
        return {replica.leader() for replica in world.replicas.values()}

    def is_led() -> bool:
        return len(leaders()) == 1 and any(
            replica.is_leader() for replica in world.replicas.values()
        )

    await until(world, is_led)
    return next(name for name, replica in world.replicas.items() if replica.is_leader())
