"""A replica whose disk fails closes, and is brought back in place when the disk takes writes."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.comeback import Comeback
from cluster.raft.disk import HostDisk
from packages.core.problem import Problem
from tests.contracts.replica_worlds import SocketWorld, until, until_led

NAMES = ("ape", "bee", "cat")


class FailingDisk(HostDisk):
    """Refuses to write, for the reason a test gives; reading goes on, as on a real one."""

    error = 0

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        self._check()
        super().write_at(handle, raw, offset)

    def sync(self, handle: int) -> None:
        self._check()
        super().sync(handle)

    def _check(self) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SocketWorld]:
    world = SocketWorld(NAMES, tmp_path, compact_after_entries=20)
    yield world
    for name in list(world.replicas):
        await world.stop(name)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
async def test_it_comes_back_with_everything_agreed_meanwhile(
    world: SocketWorld, error: int,
) -> None:
    disk = FailingDisk()
    for name in NAMES:
        await world.start(name, disk=disk if name == "bee" else None)
    await until_led(world)
    bee = world.replicas["bee"]
    comeback = Comeback(bee)
    bringing = asyncio.ensure_future(comeback.run())
    await agreed(world, *(b"before %d" % number for number in range(30)))
    disk.error = error
    await agreed(world, b"meanwhile")
    await until(world, lambda: "bee" in world.fatal)
    assert comeback.takes(world.fatal["bee"])
    await until(world, lambda: comeback.trouble is not None and bee.term() == 0)
    await agreed(world, b"without it")
    disk.error = 0
    await until(world, lambda: comeback.trouble is None)
    await until(world, lambda: world.machines["bee"].commands == world.machines["ape"].commands)
    assert {b"before 29", b"meanwhile", b"without it"} <= set(world.machines["bee"].commands)
    bringing.cancel()


async def test_what_does_not_pass_ends_the_waiting(world: SocketWorld, tmp_path: Path) -> None:
    await world.start("ape")
    comeback = Comeback(world.replicas["ape"])
    bringing = asyncio.ensure_future(comeback.run())
    trouble = Problem(
        code="journal-damaged", subject="node:ape", what="", because="", fix="")
    assert not comeback.takes(trouble) and comeback.trouble is None
    await world.replicas["ape"].close()
    journal = tmp_path / "ape" / "journal"
    journal.write_bytes(b"no journal at all")
    assert comeback.takes(Problem(
        code="journal-not-writable", subject="node:ape", what="", because="", fix=""))
    refused = await asyncio.wait_for(bringing, 30)
    assert refused is not None and refused.code == "journal-damaged"


async def agreed(world: SocketWorld, *commands: bytes) -> None:
    """By one of those that take part."""
    for command in commands:
        answer: object = None
        async with asyncio.timeout(30):
            while answer != b"applied " + command:
                answer = await world.replicas["ape"].propose(command, deadline_s=5.0)
