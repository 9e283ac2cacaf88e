"""Whatever is acquired on the way to a guest or a channel is owned before anything can fail.

Each call that takes something of the operating system is made to fail in turn, by the interpreter's
own audit events (opening, making, binding, connecting, spawning, renaming) as on a full disk, and
by the kernel itself where descriptors run out. After each: a Problem, no process, no descriptor, no
tap; and the next attempt works.
"""

import errno
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.clock import HostClock
from packages.core.means import OF_THE_NODE
from packages.core.problem import Problem
from packages.vm.driver import Guest
from packages.vm.processes import running
from packages.vm.qemu.command_line import BINARY
from packages.vm.qemu.records import told_by
from packages.vm.relay_carrier import RelayCarrier
from tests.contracts.driver_worlds import DEADLINE_S, LIFE, QemuWorld, run

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

TAKES = frozenset({
    "os.mkdir", "os.rename", "os.symlink", "os.posix_spawn", "socket.__new__", "socket.bind",
    "fcntl.fcntl", "fcntl.ioctl", "subprocess.Popen",
})
MOST = 200
"""Calls on one way; more would be a loop."""


class Faults:
    """The n-th call from now on that takes something fails; a hook of Python's is for ever."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.hit = ""
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.left is None or event not in TAKES and not self._writes(event, arguments):
            return
        self.left -= 1
        if self.left < 0:
            self.left, self.hit = None, f"{event} {arguments}"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @staticmethod
    def _writes(event: str, arguments: tuple[object, ...]) -> bool:
        """/proc and the interpreter's own modules are not files of ours."""
        return event == "open" and not str(arguments[0]).startswith((
            "/proc", "/usr", "/root", sys.prefix, str(Path(__file__).parents[2])))

    @contextmanager
    def at(self, number: int) -> Iterator[None]:
        self.left, self.hit = number, ""
        yield
        self.left = None


FAULTS = Faults()


@contextmanager
def descriptors(free: int) -> Iterator[None]:
    """No more than so many are to be had beside those that are open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each) for each in os.listdir("/proc/self/fd"))
    fillers = [os.open(os.devnull, os.O_RDONLY)]
    while fillers[-1] < highest:
        fillers.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1 + free, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for each in fillers:
        os.close(each)


def open_files() -> list[str]:
    """What this process has open, without what Python opens by itself for a moment."""
    found = []
    for each in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{each}"))
        except OSError:
            continue  # the one this list was read through
    return sorted(each for each in found if not each.startswith(("anon_inode", "/proc")))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[QemuWorld]:
    made = QemuWorld(tmp_path)
    yield made
    await made.close()


def guests(world: QemuWorld) -> list[int]:
    told = [(pid, told_by(pid)) for pid in running(BINARY)]
    return [pid for pid, each in told if each and each[1].is_relative_to(world.runs)]


async def nothing_is_left(world: QemuWorld, before: list[str], why: str) -> None:
    assert guests(world) == [], why
    assert "vt" not in run("ip", "-brief", "link"), why
    assert [len(before)] == [len(open_files())], (why, before, open_files())


async def each_fails(
    attempt: Callable[[], Awaitable[object]], undo: Callable[[], Awaitable[object]],
    check: Callable[[list[str], str], Awaitable[None]], at: Callable[[int], object],
    codes: Collection[str] = OF_THE_NODE,
) -> int:
    """Attempts with the first, second ... call failing, until one works. Whatever fails is told as
    the node's own want."""
    await attempt()
    await undo()
    before = open_files()
    for number in range(MOST):
        with at(number):  # type: ignore[attr-defined]
            made = await attempt()
        why = f"{number}: {FAULTS.hit}: {made}"
        assert not isinstance(made, Problem) or made.code in codes, why
        await undo()
        await check(before, why)
        if not isinstance(made, Problem) and not FAULTS.hit:
            return number
    raise AssertionError("it never works")


@pytest.mark.parametrize("at", [FAULTS.at, descriptors], ids=["full-disk", "no-descriptors"])
async def test_a_start_that_fails_anywhere_leaves_nothing(world: QemuWorld, at) -> None:
    alpha = world.driver("alpha")

    async def attempt() -> object:
        return await alpha.start(world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)

    async def undo() -> None:
        for guest in await alpha.adopt():
            assert await alpha.destroy(guest) is None
        assert await alpha.end_remains() is None

    async def check(before: list[str], why: str) -> None:
        await nothing_is_left(world, before, why)

    assert await each_fails(attempt, undo, check, at) > 5
    assert isinstance(await attempt(), Guest)


@pytest.mark.parametrize("at", [FAULTS.at, descriptors], ids=["full-disk", "no-descriptors"])
async def test_a_target_that_fails_anywhere_leaves_nothing(world: QemuWorld, at) -> None:
    beta = world.driver("beta")

    async def attempt() -> object:
        return await beta.receive(
            world.spec, epoch=2, boot_id=LIFE, machine="pc-q35-7.2", deadline_s=DEADLINE_S)

    async def undo() -> None:
        for guest in await beta.adopt():
            assert await beta.destroy(guest) is None

    async def check(before: list[str], why: str) -> None:
        await nothing_is_left(world, before, why)

    assert await each_fails(attempt, undo, check, at) > 5


@pytest.mark.parametrize("at", [FAULTS.at, descriptors], ids=["full-disk", "no-descriptors"])
async def test_a_channel_that_fails_anywhere_leaves_nothing(world: QemuWorld, at) -> None:
    carrier = RelayCarrier(
        world.folder / "etc", world.folder / "alpha", "127.0.0.1", HostClock(), transport="plain")

    async def attempt() -> object:
        await carrier.prepare("m1")
        return await carrier.land("m1", socket_path=str(world.folder / "in"), source="beta")

    async def undo() -> None:
        await carrier.end("m1")

    async def check(before: list[str], why: str) -> None:
        ours = [pid for pid in children() if "relay.py" in " ".join(argv(pid))]
        assert ours == [], why
        assert len(before) == len(open_files()), (why, before, open_files())

    codes = {"carrier-failed", "program-missing"}
    assert await each_fails(attempt, undo, check, at, codes) > 3


def children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(each) for each in text.split()]


def argv(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []
