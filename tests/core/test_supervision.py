"""A daemon whose loop stands is known to its supervisor; what else it tells; its log's shape."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.daemon_log import ForJournal
from cluster.signs_of_life import signs_of_life
from cluster.supervision import Supervisor, is_journal, prioritised

PERIOD_S = 0.1
ALIVE = b"WATCHDOG=1"


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as heard:
        heard.bind(str(tmp_path / "notify"))
        yield heard


def asked(tmp_path: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_PID": "1", "PATH": "/bin",
            "WATCHDOG_USEC": str(int(PERIOD_S * 1e6))}


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(asked(tmp_path))
    yield supervisor
    supervisor.close()


def all_said(heard: socket.socket) -> list[bytes]:
    said = []
    while True:
        try:
            said.append(heard.recv(64))
        except BlockingIOError:
            return said


async def test_a_loop_that_goes_round_says_so_and_one_that_stands_does_not(
    supervisor: Supervisor, heard: socket.socket,
) -> None:
    telling = asyncio.ensure_future(signs_of_life(supervisor))
    while len(said := all_said(heard)) == 0:
        await asyncio.sleep(0.01)
    assert set(said) == {ALIVE}
    threading.Event().wait(3 * PERIOD_S)  # the loop stands
    assert all_said(heard) == []
    while not all_said(heard):
        await asyncio.sleep(0.01)
    telling.cancel()


def test_what_asks_is_taken_away_and_kept_for_who_begins_anew(tmp_path: Path) -> None:
    """A guest must not answer for its daemon."""
    environment = asked(tmp_path)
    taken = Supervisor(environment).taken
    assert environment == {"PATH": "/bin"}
    assert taken | environment == asked(tmp_path)


def test_a_sign_of_life_is_given_four_times_a_period_at_most(
    supervisor: Supervisor, heard: socket.socket,
) -> None:
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.6):
        supervisor.alive(share * PERIOD_S)
    assert all_said(heard) == [ALIVE] * 3


def test_what_is_shown_is_said_where_it_has_changed(
    supervisor: Supervisor, heard: socket.socket,
) -> None:
    supervisor.show("one")
    supervisor.show("one")
    supervisor.show("two\nlines")
    supervisor.ready()
    supervisor.ending()
    assert all_said(heard) == [b"STATUS=one", b"STATUS=two lines", b"READY=1", b"STOPPING=1"]


def test_a_word_that_was_lost_is_said_again(tmp_path: Path) -> None:
    supervisor = Supervisor(asked(tmp_path))
    supervisor.show("one")
    supervisor.alive(0.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as heard:
        heard.bind(str(tmp_path / "notify"))
        supervisor.show("one")
        supervisor.alive(0.0)
        assert all_said(heard) == [b"STATUS=one", ALIVE]
    supervisor.close()


async def test_where_nobody_asks_nothing_is_said(tmp_path: Path, heard: socket.socket) -> None:
    await signs_of_life(Supervisor({}))
    supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    supervisor.alive(0.0)
    assert all_said(heard) == []


def test_the_journal_is_known_by_its_stream(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        there = os.fstat(log.fileno())
        stream = f"{there.st_dev}:{there.st_ino}"
        assert is_journal({"JOURNAL_STREAM": stream}, log.fileno())
        assert not is_journal({"JOURNAL_STREAM": f"{stream}1"}, log.fileno())
        assert not is_journal({}, log.fileno())


@pytest.mark.parametrize(("level", "priority"), [
    (logging.CRITICAL, 3), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6),
])
def test_each_line_for_the_journal_has_its_priority(level: int, priority: int) -> None:
    record = logging.LogRecord("vmsgd", level, "", 0, "two\nlines", None, None)
    assert ForJournal("%(name)s: %(message)s").format(record) == (
        f"<{priority}>vmsgd: two\n<{priority}>lines")
    assert prioritised("one", 4) == "<4>one"
