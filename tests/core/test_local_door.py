"""A process that listens for local callers outlives having no descriptor left for one."""

import asyncio
import os
import resource
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.descriptors import Descriptors, descriptors
from cluster.local_door import LocalDoor
from packages.core.room import least_descriptors

DEADLINE_S = 20.0


class Child:
    """tests/core/local_listener.py"""

    def __init__(self, path: Path, process: asyncio.subprocess.Process, endpoint: str) -> None:
        self.path, self.process, self.endpoint = path, process, endpoint

    def may_open(self, more: int | None) -> None:
        """So many files more than it has open; None: as many as can be."""
        pid = self.process.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        now = most if more is None else len(os.listdir(f"/proc/{pid}/fd")) + more
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (now, most))

    async def until_closed(self, *, is_closed: bool) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.path.exists() is is_closed:
                await asyncio.sleep(0.01)


@pytest.fixture
async def child(tmp_path: Path) -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.core.local_listener", str(tmp_path / "api.sock"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    yield Child(tmp_path / "api.sock", process, (await process.stdout.readline()).decode().strip())
    process.stdin.close()
    async with asyncio.timeout(DEADLINE_S):
        await process.wait()


def calls(path: Path) -> bool:
    """Whether anybody listens there."""
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(path))
        except OSError:
            return False
        return True


async def test_without_descriptors_a_local_caller_is_kept_out_and_ends_nobody(child: Child) -> None:
    child.may_open(0)  # before anybody calls: a caller that is being let in may take the last one
    await child.until_closed(is_closed=True)
    assert not calls(child.path)
    child.may_open(None)
    await child.until_closed(is_closed=False)
    assert calls(child.path)
    assert child.process.returncode is None


async def test_a_caller_over_tcp_waits_for_a_descriptor(child: Child) -> None:
    """libzmq takes that by itself, at the price of asking again and again."""
    host, _, port = child.endpoint.removeprefix("tcp://").rpartition(":")
    child.may_open(0)
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as caller:
        caller.settimeout(DEADLINE_S)
        child.may_open(None)
        # The greeting (ZMTP 3): somebody has taken the connection after all.
        assert await asyncio.to_thread(caller.recv, 1) == b"\xff"
    assert child.process.returncode is None


async def test_the_door_closes_below_its_least_and_opens_with_some_to_spare(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    path.touch()
    least = least_descriptors(4096)
    now = [Descriptors(left=least, limit=4096)]
    door = LocalDoor(f"ipc://{path}", look=lambda: now[0])

    async def seen(left: int, *, is_there: bool) -> None:
        now[0] = Descriptors(left=left, limit=4096)
        async with asyncio.timeout(DEADLINE_S):
            while path.exists() is not is_there:
                await asyncio.sleep(0.01)

    await seen(least, is_there=True)
    await seen(least - 1, is_there=False)
    await seen(2 * least, is_there=True)
    await seen(0, is_there=False)
    door.close()
    assert not list(tmp_path.iterdir()), "what stood aside is taken away"


def test_it_is_known_how_many_may_still_be_opened() -> None:
    before = descriptors()
    held = os.dup(0)
    after = descriptors()
    os.close(held)
    assert after == before._replace(left=before.left - 1)
