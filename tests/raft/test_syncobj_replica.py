"""The replica on real sockets, where it meets disks that fail, peers that lie and folders in ruin.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from cluster.raft.disk import HostDisk
from cluster.raft.links import SocketLinks
from cluster.raft.syncobj import SyncObjReplica
from cluster.raft.wire import HigherTerm, Stamps, Vote
from cluster.sockets import Sender, make_keys
from packages.core.problem import Problem
from tests.contracts.replica_worlds import Register, SocketWorld, until, until_led

NAMES = ("ape", "bee", "cat")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SocketWorld]:
    world = SocketWorld(NAMES, tmp_path, compact_after_entries=20)
    yield world
    for name in list(world.replicas):
        await world.stop(name)


async def decide(world: SocketWorld, name: str, command: bytes) -> None:
    """Propose until it is decided; a starved machine may see an election in between."""
    while await world.replicas[name].propose(command, deadline_s=10) != b"applied " + command:
        await world.pass_time()


async def test_a_node_far_behind_is_given_a_snapshot(world: SocketWorld) -> None:
    for name in NAMES:
        await world.start(name)
    leader = await until_led(world)
    away = next(name for name in NAMES if name != leader)
    await world.stop(away)
    for number in range(100):
        await decide(world, leader, b"%d" % number)
    await world.start(away)
    await until(world, lambda: world.machines[away].commands == world.machines[leader].commands)
    assert len(world.machines[away].commands) >= 100


async def test_many_at_once_are_all_decided_once(world: SocketWorld) -> None:
    for name in NAMES:
        await world.start(name)
    leader = await until_led(world)
    answers = await asyncio.gather(*(
        world.replicas[leader].propose(b"%d" % number, deadline_s=20) for number in range(2000)
    ))
    assert not any(isinstance(each, Problem) for each in answers)
    assert len(world.machines[leader].commands) == len(set(world.machines[leader].commands))


class FullDisk(HostDisk):
    is_full = False

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write_at(handle, raw, offset)


async def test_a_leader_with_a_full_disk_steps_out_and_the_others_go_on(
    world: SocketWorld,
) -> None:
    disks = {name: FullDisk() for name in NAMES}
    for name in NAMES:
        await world.start(name, disk=disks[name])
    leader = await until_led(world)
    await decide(world, leader, b"before")
    disks[leader].is_full = True
    stepping_out = world.replicas[leader]
    assert isinstance(await stepping_out.propose(b"doubtful", deadline_s=10), Problem)
    await until(world, lambda: leader in world.fatal)
    assert world.fatal[leader].code == "journal-not-writable"
    assert not stepping_out.is_leader() and stepping_out.leader() is None
    assert isinstance(await stepping_out.confirm(deadline_s=0.1), Problem)
    await world.stop(leader)
    second = await until_led(world)
    await decide(world, second, b"after")
    await world.start(leader)
    await until(world, lambda: world.machines[leader].commands == world.machines[second].commands)
    assert world.machines[leader].commands[0] == b"before"


async def test_a_node_whose_journal_is_damaged_says_so_and_does_not_start(
    world: SocketWorld, tmp_path: Path,
) -> None:
    for name in NAMES:
        await world.start(name)
    leader = await until_led(world)
    for number in range(5):
        await decide(world, leader, b"%d" % number)
    await world.stop(leader)
    path = tmp_path / leader / "journal"
    raw = bytearray(path.read_bytes())
    raw[40] ^= 0xFF
    path.write_bytes(raw)
    found = await world.made(leader, Register()).start()
    assert isinstance(found, Problem) and found.code == "journal-damaged"


async def test_an_address_in_use_is_a_problem(world: SocketWorld, tmp_path: Path) -> None:
    await world.start("ape")
    keys = make_keys()
    settings = world.made("bee", Register())
    other = SyncObjReplica(
        name="bee", links=SocketLinks({}, bind=world.endpoints["ape"], keys=keys),
        folder=tmp_path / "other", machine=Register(), timings=settings._timings,
        clock=settings._clock,
        on_fatal=lambda found: None,
    )
    found = await other.start()
    assert isinstance(found, Problem) and found.code == "cannot-listen"


async def test_a_folder_that_cannot_be_made_is_a_problem(world: SocketWorld) -> None:
    (world._folder / "ape").write_text("a file where the folder should be")
    found = await world.made("ape", Register()).start()
    assert isinstance(found, Problem) and found.code == "journal-not-writable"


async def test_a_member_is_only_ever_itself_and_a_stranger_nobody(world: SocketWorld) -> None:
    """What is said counts for the key it was said with; nobody's junk stops anybody."""
    await world.start("ape")
    await world.start("bee")
    leader = await until_led(world)
    key, endpoint = world.keys[leader].public, world.endpoints[leader]
    stranger = Sender(endpoint, server_key=key, keys=make_keys())
    member = Sender(endpoint, server_key=key, keys=world.keys["cat"])
    with closing(stranger), closing(member):
        stamps, later = Stamps(99), world.replicas[leader].term() + 5
        command = stamps.sealed(leader, later, HigherTerm())
        assert not await stranger.send_when_up(command, deadline_s=0.5)
        vote = stamps.sealed(leader, later, Vote(term=later))
        for raw in (b"", b"\x80\4\x95junk", os.urandom(500), vote):
            assert await member.send_when_up(raw, deadline_s=10)
        drops = world.replicas[leader]._voter.transport.drops
        await until(world, lambda: drops["vote-of-another-term"] == 1)
        assert drops["undecodable"] == 3
        assert world.replicas[leader]._links.drops["unknown-key"] >= 1
        await decide(world, leader, b"still here")


class Impatient(Register):
    """Its machine takes away the proposal in the very moment in which it is decided."""

    def __init__(self) -> None:
        super().__init__()
        self.proposing: asyncio.Task[object] | None = None

    def apply(self, index: int, command: bytes) -> object:
        if self.proposing is not None:
            self.proposing.cancel()
        return super().apply(index, command)


async def test_a_cancelled_proposal_ends_also_when_it_is_decided_at_once(tmp_path: Path) -> None:
    world = SocketWorld(["ape"], tmp_path)
    machine = world.machines["ape"] = Impatient()
    replica = world.replicas["ape"] = world.made("ape", machine)
    assert await replica.start() is None
    await until_led(world)
    machine.proposing = asyncio.create_task(replica.propose(b"one", deadline_s=10))
    await asyncio.wait([machine.proposing], timeout=10)
    assert machine.proposing.cancelled()
    await world.stop("ape")
