"""A daemon whose loop stands is known to its supervisor."""

import asyncio
import configparser
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.supervision import SIGN, signs_of_life

ROOT = Path(__file__).parents[2]
PERIOD_S = 0.1


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as heard:
        heard.bind(str(tmp_path / "notify"))
        yield heard


def asked(tmp_path: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_PID": "1", "PATH": "/bin",
            "WATCHDOG_USEC": str(int(PERIOD_S * 1e6))}


def all_said(supervisor: socket.socket) -> list[bytes]:
    said = []
    while True:
        try:
            said.append(supervisor.recv(64))
        except BlockingIOError:
            return said


async def test_a_loop_that_goes_round_says_so_and_one_that_stands_does_not(
    supervisor: socket.socket, tmp_path: Path,
) -> None:
    environment = asked(tmp_path)
    telling = asyncio.ensure_future(signs_of_life(environment))
    while len(said := all_said(supervisor)) == 0:
        await asyncio.sleep(0.01)
    assert set(said) == {SIGN}
    assert environment == {"PATH": "/bin"}, "a guest must not answer for its daemon"
    threading.Event().wait(3 * PERIOD_S)  # the loop stands
    assert all_said(supervisor) == []
    while not all_said(supervisor):
        await asyncio.sleep(0.01)
    telling.cancel()


async def test_where_nobody_asks_nothing_is_said() -> None:
    await signs_of_life({})
    await signs_of_life({"NOTIFY_SOCKET": "/nowhere"})


def service(name: str) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "conf/systemd" / name)
    return unit["Service"]


def test_the_unit_asks_and_starts_it_again() -> None:
    daemon = service("vmsgd.service")
    assert daemon["WatchdogSec"] == "30s" and daemon["NotifyAccess"] == "main"
    assert daemon["Restart"] == "always"


def test_the_guardians_unit_spares_it_when_memory_is_short() -> None:
    guardian = service("vmsg-guard.service")
    assert guardian["OOMScoreAdjust"] == "-1000" and guardian["Restart"] == "always"
