"""When the guardian pets its watchdog, a pipe that takes what /dev/watchdog would."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cluster.nodes.guardian_link import GuardianLink, GuardianReport, Watchdog
from packages.vm.driver import Guest
from packages.vm.processes import start_ticks
from tests.live.guarded import LONG_S, Guard, Ticker, now_s
from tests.live.waiting import DEADLINE_S, until

pytestmark = pytest.mark.live


class Pipe:
    """Reads what was written to the watchdog since the last look."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "dog")
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def said(self) -> bytes:
        try:
            return os.read(self.fd, 65536)
        except BlockingIOError:
            return b""


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path)
    yield pipe
    os.close(pipe.fd)


@pytest.fixture
def guard(tmp_path: Path, pipe: Pipe) -> Iterator[Guard]:
    guard = Guard(tmp_path, "--watchdog", pipe.path, "--watchdog-s", "0.3")
    yield guard
    guard.end()


@pytest.fixture
async def link(guard: Guard) -> AsyncIterator[GuardianLink]:
    link = GuardianLink(guard.socket_path, heard=lambda news: None)
    assert await link.connect(deadline_s=DEADLINE_S) is None
    yield link
    await link.close()


async def test_it_is_petted_while_the_lease_is_good_and_while_all_stand_frozen(
    link: GuardianLink, pipe: Pipe, tmp_path: Path,
) -> None:
    """A host that is well is never reset, whatever becomes of its network."""
    web = Ticker(tmp_path, "web")
    try:
        expiry_s = now_s() + 0.5
        link.renew(expiry_s, expiry_s + LONG_S)
        link.guard([web.guest])
        await until(lambda: b"\0" in pipe.said())
        await until(web.stopped)
        pipe.said()
        await until(lambda: b"\0" in pipe.said())
        assert await link.watchdog() == Watchdog(name="dog", proves_s=0.3)
    finally:
        web.end()


async def test_it_is_not_petted_while_one_runs_without_a_lease(tmp_path: Path, pipe: Pipe) -> None:
    """Whoever takes over counts on the host's reset: here a guest that cannot be stopped."""
    stubborn = subprocess.Popen(["sleep", "600"], user=65534)
    guard = Guard(tmp_path, "--watchdog", pipe.path, "--watchdog-s", "0.3", may_kill=False)
    link = GuardianLink(guard.socket_path, heard=lambda news: None)
    try:
        assert await link.connect(deadline_s=DEADLINE_S) is None
        await until(lambda: b"\0" in pipe.said())
        link.guard([Guest(
            package="web", epoch=1, boot_id="life", pid=stubborn.pid,
            start_ticks=start_ticks(stubborn.pid) or 0, accel="tcg", machine="q35")])
        await until(lambda: guard.says("CANNOT signal"))
        pipe.said()
        for _ in range(3):  # each answer is a turn of its loop, and pets or does not
            report = await link.ask(deadline_s=DEADLINE_S)
            assert isinstance(report, GuardianReport) and report.guarded and not report.frozen
        assert pipe.said() == b""
    finally:
        await link.close()
        guard.end()
        stubborn.kill()
        stubborn.wait()


async def test_one_that_ends_calls_it_off_and_one_that_is_killed_does_not(
    guard: Guard, link: GuardianLink, pipe: Pipe,
) -> None:
    await until(lambda: b"\0" in pipe.said())
    guard.restart()
    assert b"V" not in pipe.said(), "a killed one leaves it counting"
    await until(lambda: b"\0" in pipe.said())
    guard.process.terminate()
    guard.process.wait()
    assert pipe.said().endswith(b"V")


async def test_without_a_watchdog_it_says_so_and_goes_on(tmp_path: Path) -> None:
    guard = Guard(tmp_path, "--watchdog", str(tmp_path / "none"))
    link = GuardianLink(guard.socket_path, heard=lambda news: None)
    try:
        assert await link.connect(deadline_s=DEADLINE_S) is None
        assert await link.watchdog() == Watchdog()
        assert guard.says("no watchdog")
    finally:
        await link.close()
        guard.end()


async def test_one_that_is_busy_at_first_is_petted_as_soon_as_it_is_let_go(tmp_path: Path) -> None:
    """A killed predecessor leaves it counting: whoever does not pet it then has the host reset."""
    path = tmp_path / "dog"
    os.mkfifo(path)  # that nobody reads: it cannot be opened
    guard = Guard(tmp_path, "--watchdog", str(path), "--watchdog-s", "3.0")
    link = GuardianLink(guard.socket_path, heard=lambda news: None)
    try:
        assert await link.connect(deadline_s=DEADLINE_S) is None
        await until(lambda: guard.says("no watchdog"))
        assert await link.watchdog() == Watchdog(), "nothing rests on one that is not held"
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        await until(lambda: guard.says("resets this host after 3 s"))
        assert await link.watchdog() == Watchdog(name="dog", proves_s=3.0)
        assert os.read(reader, 1) == b"\0"
        os.close(reader)
    finally:
        await link.close()
        guard.end()


async def test_one_that_takes_no_more_is_said_and_stops_nothing(
    guard: Guard, link: GuardianLink, pipe: Pipe, tmp_path: Path,
) -> None:
    """Then it resets the host, and guarding goes on until it does."""
    web = Ticker(tmp_path, "web")
    try:
        expiry_s = now_s() + LONG_S
        link.renew(expiry_s, expiry_s + LONG_S)
        link.guard([web.guest])
        await until(lambda: guard.says("watchdog dog"))
        while True:
            try:
                os.write(pipe.fd, bytes(4096))
            except BlockingIOError:
                break
        await until(lambda: guard.says("CANNOT write to the watchdog"))
        link.revoke(now_s(), now_s() + LONG_S)
        await until(web.stopped)
    finally:
        web.end()
