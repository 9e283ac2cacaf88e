"""A guardian that becomes the one that is installed now, and what it tells its supervisor."""

import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cluster.nodes.guardian_link import GuardianLink, GuardianNews, GuardianReport
from tests.live.guarded import LONG_S, Guard, Ticker, now_s
from tests.live.waiting import DEADLINE_S, until

pytestmark = pytest.mark.live


class Line:
    """The daemon's end, and what it heard."""

    def __init__(self, guard: Guard) -> None:
        self.news: list[GuardianNews] = []
        self.link = GuardianLink(guard.socket_path, heard=self.news.append)

    async def report(self) -> GuardianReport:
        """The first answer; the line may have just broken."""
        while True:
            answer = await self.link.ask(deadline_s=DEADLINE_S)
            if isinstance(answer, GuardianReport):
                return answer
            await until(lambda: self.link.connected)


@pytest.fixture
async def line(guard: Guard) -> AsyncIterator[Line]:
    line = Line(guard)
    assert await line.link.connect(deadline_s=DEADLINE_S) is None
    yield line
    await line.link.close()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Ticker]:
    web = Ticker(tmp_path, "web")
    yield web
    web.end()


async def test_it_is_the_same_process_with_the_same_lease_and_guests(
    guard: Guard, line: Line, web: Ticker,
) -> None:
    expiry_s = now_s() + LONG_S
    line.link.renew(expiry_s, expiry_s + LONG_S)
    line.link.guard([web.guest])
    await line.report()
    guard.process.send_signal(signal.SIGHUP)
    await until(lambda: guard.says("guarding 1 guests"))
    held = await line.report()
    assert [each.pid for each in held.guarded] == [web.guest.pid]
    assert held.expiry_s == expiry_s and not held.ending
    assert guard.process.poll() is None and not line.news
    await web.ticks()


async def test_without_room_for_its_record_it_stays_what_it_is(
    guard: Guard, line: Line, web: Ticker,
) -> None:
    """The next one would not know that the lease is good."""
    line.link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    line.link.guard([web.guest])
    await line.report()
    os.mkdir(guard.folder / "guardian.json.new")
    guard.process.send_signal(signal.SIGHUP)
    await until(lambda: guard.says("CANNOT write"))
    assert len((await line.report()).guarded) == 1
    assert not guard.says("begins anew")


async def test_its_supervisor_hears_that_it_is_there_and_lives(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        guard = Guard(tmp_path, environment={
            "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
        said: list[bytes] = []

        def count(word: bytes) -> int:
            try:
                while True:
                    said.append(supervisor.recv(256))
            except BlockingIOError:
                return said.count(word)

        try:
            await until(lambda: count(b"WATCHDOG=1") > 1)
            assert said[0] == b"READY=1"
            assert b"STATUS=guards 0 guests; the lease is over; watchdog: none" in said
            guard.process.send_signal(signal.SIGHUP)
            await until(lambda: count(b"READY=1") == 2)
            before = count(b"WATCHDOG=1")
            await until(lambda: count(b"WATCHDOG=1") > before)
        finally:
            guard.end()
