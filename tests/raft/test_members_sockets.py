"""Membership that changes on real sockets: who comes in is spoken to, who is removed is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.clock import HostClock
from cluster.config.schema import PROFILES
from cluster.raft.links import SocketLinks
from cluster.raft.members import Members, Peer, members_of
from cluster.raft.syncobj import SyncObjReplica
from packages.core.problem import Problem
from tests.contracts.replica_worlds import Register, SocketWorld, until, until_led

FOUNDERS = ("ape", "bee", "cat")
EVERYBODY = (*FOUNDERS, "dog")


class GrowingWorld(SocketWorld):
    """Every node's own files name the founders and itself alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(EVERYBODY, folder, compact_after_entries=20)
        self.links: dict[str, SocketLinks] = {}

    def members(self, *voters: str, listening: str = "") -> Members:
        return members_of(
            Peer(name=name, votes=name != listening, endpoint=self.endpoints[name])
            for name in (*voters, *([listening] if listening else ())))

    def made(self, name: str, machine: Register, **_: object) -> SyncObjReplica:
        links = SocketLinks({}, bind=self.endpoints[name], keys=self.keys[name])
        self.links[name] = links
        links.trust({each: (keys.public,) for each, keys in self.keys.items()}, self.keys[name])
        founding = self.members(*FOUNDERS) if name in FOUNDERS else self.members(
            *FOUNDERS, listening=name)
        return SyncObjReplica(
            name=name, links=links, folder=self._folder / name, machine=machine,
            timings=PROFILES["fast"], clock=HostClock(), founding=founding, circle=links,
            on_fatal=lambda found: self.fatal.update({name: found}), compact_after_entries=20,
        )

    def leading(self) -> str | None:
        return next((name for name, each in self.replicas.items() if each.is_leader()), None)

    async def settle(self, wanted: Members) -> None:
        def settled() -> bool:
            return all(
                self.replicas[name].members() == wanted
                for name in wanted.names & self.replicas.keys())

        while not settled():
            await self.pass_time()
            leader = self.leading()
            if leader is not None:
                await self.replicas[leader].step_members(
                    wanted, lambda members: b"now %d" % len(members.voters), deadline_s=2.0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GrowingWorld]:
    world = GrowingWorld(tmp_path)
    for name in FOUNDERS:
        await world.start(name)
    await until_led(world)
    yield world
    for name in list(world.replicas):
        await world.stop(name)


async def test_a_node_comes_in_and_one_leaves(world: GrowingWorld) -> None:
    for number in range(40):
        await world.replicas["ape"].propose(b"%d" % number, deadline_s=10)
    await world.start("dog")
    await world.settle(world.members(*EVERYBODY))
    await until(world, lambda: b"now 4" in world.machines["dog"].commands)
    assert len(world.machines["dog"].commands) >= 40
    gone = next(name for name in FOUNDERS if name != world.leading())
    kept = tuple(name for name in EVERYBODY if name != gone)
    await world.settle(world.members(*kept))
    # It is told, and then nobody's door is open to it.
    await until(world, lambda: b"now 3" in world.machines[gone].commands)
    await until(world, lambda: not any(gone in world.links[name].peers for name in kept))
    answer = await world.replicas[gone].propose(b"of a stranger", deadline_s=1.0)
    assert isinstance(answer, Problem)
    assert await world.replicas[kept[0]].propose(b"x", deadline_s=10) == b"applied x"


async def test_after_a_restart_members_are_known_from_the_log(world: GrowingWorld) -> None:
    await world.start("dog")
    await world.settle(world.members(*EVERYBODY))
    for name in EVERYBODY:
        await world.stop(name)
    for name in ("ape", "bee", "dog"):
        await world.start(name)
        assert world.replicas[name].members() == world.members(*EVERYBODY)
    await until_led(world)
    assert await world.replicas["dog"].propose(b"x", deadline_s=10) == b"applied x"


async def test_a_leader_that_is_removed_makes_room(world: GrowingWorld) -> None:
    first = world.leading()
    await world.settle(world.members(*(name for name in FOUNDERS if name != first)))
    await until(world, lambda: world.leading() not in (None, first))
