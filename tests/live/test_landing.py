"""Strangers at the landing: however many there are, the source gets in, and nobody else.

Real relays, real certificates, loopback, as in test_relay.py.
"""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from packages.core.problem import Problem
from packages.vm.carrier import Landing
from packages.vm.hall import SILENCE_S
from tests.live.test_relay import MOVE, SECRET, Nodes, echoed

pytestmark = pytest.mark.live


@contextlib.asynccontextmanager
async def serving(
    folder: Path, transport: str = "tls", address_of: Callable[[str], str] = lambda node: "",
) -> AsyncIterator[Nodes]:
    made = Nodes(folder, transport, address_of=address_of)
    server = await made.hypervisor.serve()
    yield made
    await made.close()
    server.close()


def known_as(address: str) -> Callable[[str], str]:
    return lambda node: address if node == "alpha" else ""


@pytest.fixture(params=["tls", "plain"])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    async with serving(tmp_path, request.param) as made:
        yield made


def silent(landing: Landing, count: int) -> list[socket.socket]:
    return [socket.create_connection((landing.address, landing.port)) for _ in range(count)]


@contextlib.contextmanager
def besieged(landing: Landing, threads: int, words: bytes = b"") -> Iterator[list[int]]:
    """Connections that say nothing, or these words and no more, made again whenever they end."""
    stop, made = threading.Event(), [0]

    def hold() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(
                    (landing.address, landing.port), timeout=1) as connection:
                made[0] += 1
                connection.settimeout(0.5)
                connection.sendall(words)
                connection.recv(1)

    workers = [threading.Thread(target=hold, daemon=True) for _ in range(threads)]
    for each in workers:
        each.start()
    try:
        yield made
    finally:
        stop.set()
        for each in workers:
            each.join()


@pytest.mark.parametrize("count", [16, 300])
async def test_silent_strangers_make_room_for_the_source(nodes: Nodes, count: int) -> None:
    landing = await nodes.land()
    strangers = silent(landing, count)
    for _ in range(3):
        async with asyncio.timeout(SILENCE_S - 1):  # before the strangers are given up
            path = await nodes.source.launch(MOVE, landing=landing, target="beta")
        assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    for each in strangers:
        each.close()


@pytest.mark.parametrize("words", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "begun"])
async def test_strangers_that_come_again_and_again_do_not_keep_the_source_out(
    nodes: Nodes, words: bytes,
) -> None:
    """Also such as begin to speak TLS and stop."""
    landing = await nodes.land()
    with besieged(landing, 40, words) as made:
        path = await nodes.source.launch(MOVE, landing=landing, target="beta")
        assert isinstance(path, str), path
        assert await echoed(path, SECRET) == SECRET
    assert made[0] >= 40


async def test_only_the_sources_address_is_let_in(tmp_path: Path) -> None:
    async with serving(tmp_path, address_of=known_as("127.0.0.1")) as nodes:
        landing = await nodes.land()
        with socket.create_connection(
                (landing.address, landing.port), source_address=("127.0.0.2", 0)) as stranger:
            stranger.settimeout(SILENCE_S - 1)  # not when it has been silent for too long
            with pytest.raises(ConnectionResetError):
                stranger.recv(1)
        path = await nodes.source.launch(MOVE, landing=landing, target="beta")
        assert isinstance(path, str), path
        assert await echoed(path, SECRET) == SECRET


async def test_a_source_comes_from_its_own_address(tmp_path: Path) -> None:
    """Of several on the same network: by that one the landing knows it."""
    async with serving(tmp_path, address_of=known_as("127.0.0.3")) as nodes:
        nodes.source._address = "127.0.0.3"
        path = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
        assert isinstance(path, str), path


async def test_a_source_that_is_kept_out_says_by_whom(
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    """The landing knows it by another address: as good as a crowd that never ends."""
    async with serving(tmp_path, address_of=known_as("127.0.0.9")) as nodes:
        refusal = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
        assert isinstance(refusal, Problem) and refusal.code == "carrier-crowded"
        assert "strangers" in refusal.what and "certificate" not in refusal.fix
        assert nodes.hypervisor.visits == 0
        await nodes.target.end(MOVE)
        assert re.search(r"[1-9]\d* connections of strangers were closed", caplog.text)
