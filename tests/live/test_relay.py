"""The migration channel: only the expected node, with the token, reaches QEMU's socket.

Real relays, real certificates, loopback. A plain unix server stands where QEMU would: it echoes,
and remembers whether anybody ever came.
"""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cluster.clock import HostClock
from packages.core.problem import Problem
from packages.core.values import changed
from packages.vm.carrier import Landing
from packages.vm.processes import command_line, find
from packages.vm.relay_carrier import LOGS_KEPT, RelayCarrier, Transport
from tests.live.certificates import make_authority, make_node

pytestmark = pytest.mark.live

DEADLINE_S = 30.0
SECRET = b"guest memory " * 5000
MOVE = "move-1"


class Hypervisor:
    """Stands where a target's QEMU listens."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.visits = 0
        self.heard = b""
        self.left = asyncio.Event()
        self.leaves_after = 1 << 40

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._echo, self.path)

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        while len(self.heard) < self.leaves_after and (piece := await reader.read(1 << 16)):
            self.heard += piece
            writer.write(piece)
            await writer.drain()
        writer.close()
        self.left.set()


class Nodes:
    """Two nodes of one cluster, and a place for others."""

    def __init__(
        self, folder: Path, transport: Transport, *,
        address_of: Callable[[str], str] = lambda node: "",
    ) -> None:
        self.folder, self._address_of = folder, address_of
        self.transport = transport
        self.authority = make_authority(folder / "authority")
        self.hypervisor = Hypervisor(folder / "qemu")
        self._carriers: list[RelayCarrier] = []
        self.source = self.node("alpha")
        self.target = self.node("beta")

    def node(self, name: str, authority: Path | None = None) -> RelayCarrier:
        etc = make_node(authority or self.authority, self.folder / f"etc{len(self._carriers)}",
                        name)
        carrier = RelayCarrier(
            etc, self.folder / f"run{len(self._carriers)}", "127.0.0.1", HostClock(),
            transport=self.transport, address_of=self._address_of,
        )
        self._carriers.append(carrier)
        return carrier

    async def land(self) -> Landing:
        landing = await self.target.land(
            MOVE, socket_path=self.hypervisor.path, source="alpha",
        )
        assert isinstance(landing, Landing), landing
        return landing

    async def close(self) -> None:
        for carrier in self._carriers:
            await carrier.close()


@pytest.fixture(params=["tls", "plain"])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    made = Nodes(tmp_path, request.param)
    server = await made.hypervisor.serve()
    yield made
    await made.close()
    server.close()


@pytest.fixture
async def tls_nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    made = Nodes(tmp_path, "tls")
    server = await made.hypervisor.serve()
    yield made
    await made.close()
    server.close()


async def echoed(path: str, content: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(content)
    async with asyncio.timeout(DEADLINE_S):
        answer = await reader.readexactly(len(content))
    writer.close()
    return answer


async def closes(reader: asyncio.StreamReader) -> bool:
    """True when the other side ends the connection, whatever it says before."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            await reader.read()
    except (ConnectionError, ssl.SSLError):
        return True
    return True


async def test_memory_passes_both_ways_on_several_connections(nodes: Nodes) -> None:
    path = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
    assert isinstance(path, str), path
    answers = await asyncio.gather(*(echoed(path, bytes([n]) * 3_000_000) for n in range(3)))
    assert answers == [bytes([n]) * 3_000_000 for n in range(3)]
    assert nodes.hypervisor.visits == 3


async def test_relays_that_were_prepared_get_their_orders(nodes: Nodes) -> None:
    await nodes.target.prepare(MOVE)
    await nodes.source.prepare(MOVE)
    prepared = [carrier._relays[MOVE].pid for carrier in (nodes.source, nodes.target)]
    path = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    assert prepared == [carrier._relays[MOVE].pid for carrier in (nodes.source, nodes.target)]


async def test_a_relay_without_orders_ends_with_its_daemon(tls_nodes: Nodes) -> None:
    await tls_nodes.target.prepare(MOVE)
    process = tls_nodes.target._relays[MOVE]
    tls_nodes.target._waiting.pop(MOVE).close()  # as the daemon's end would
    assert await process.ended_within(DEADLINE_S)
    assert process.exit_code == 0


async def test_the_end_of_the_source_is_the_end_at_the_target(nodes: Nodes) -> None:
    path = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
    assert isinstance(path, str), path
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(SECRET)
    await reader.readexactly(len(SECRET))
    await nodes.source.end(MOVE)
    async with asyncio.timeout(DEADLINE_S):
        await nodes.hypervisor.left.wait()
    writer.close()


async def test_a_channel_that_its_source_closes_has_ended_well(tls_nodes: Nodes) -> None:
    path = await tls_nodes.source.launch(MOVE, landing=await tls_nodes.land(), target="beta")
    assert isinstance(path, str), path
    assert not await tls_nodes.target.has_ended_well(MOVE)
    assert await echoed(path, SECRET) == SECRET
    async with asyncio.timeout(DEADLINE_S):
        while not await tls_nodes.target.has_ended_well(MOVE):
            await asyncio.sleep(0.01)
    await tls_nodes.target.end(MOVE)
    assert not await tls_nodes.target.has_ended_well(MOVE), "the next attempt begins anew"


async def test_also_when_the_target_closes_first(tls_nodes: Nodes) -> None:
    """As QEMU does: the target acknowledges and closes, and then the source knows that it may."""
    tls_nodes.hypervisor.leaves_after = len(SECRET)
    path = await tls_nodes.source.launch(MOVE, landing=await tls_nodes.land(), target="beta")
    assert isinstance(path, str), path
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(SECRET)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == SECRET
        writer.close()
        while not await tls_nodes.target.has_ended_well(MOVE):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("killed", ["source", "target"])
async def test_a_channel_that_broke_has_not_ended_well(tls_nodes: Nodes, killed: str) -> None:
    path = await tls_nodes.source.launch(MOVE, landing=await tls_nodes.land(), target="beta")
    assert isinstance(path, str), path
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(SECRET)
    await reader.readexactly(len(SECRET))
    carrier = tls_nodes.source if killed == "source" else tls_nodes.target
    os.kill(carrier._relays[MOVE].pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE_S):
        await tls_nodes.hypervisor.left.wait()
    for each in (tls_nodes.source, tls_nodes.target):
        assert await each._relays[MOVE].ended_within(DEADLINE_S)
    assert not await tls_nodes.target.has_ended_well(MOVE)
    writer.close()


async def test_in_the_clear_nobody_can_tell_an_end_from_a_break(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "plain")
    server = await nodes.hypervisor.serve()
    path = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    assert await nodes.target._relays[MOVE].ended_within(DEADLINE_S)
    assert not await nodes.target.has_ended_well(MOVE)
    await nodes.close()
    server.close()


async def test_a_launch_that_sends_nothing_never_reaches_the_hypervisor(nodes: Nodes) -> None:
    landing = await nodes.land()
    assert isinstance(await nodes.source.launch(MOVE, landing=landing, target="beta"), str)
    await nodes.source.end(MOVE)
    path = await nodes.source.launch(MOVE, landing=landing, target="beta")
    assert isinstance(path, str), path
    assert await echoed(path, b"the real one") == b"the real one"
    assert nodes.hypervisor.visits == 1


async def test_a_wrong_token_is_refused(nodes: Nodes) -> None:
    landing = changed(await nodes.land(), token="0" * 32)
    refusal = await nodes.source.launch(MOVE, landing=landing, target="beta")
    assert isinstance(refusal, Problem) and refusal.code == "carrier-untrusted"
    assert nodes.hypervisor.visits == 0


async def test_nobody_listening_is_told_at_once(nodes: Nodes) -> None:
    landing = await nodes.land()
    await nodes.target.end(MOVE)
    refusal = await nodes.source.launch(MOVE, landing=landing, target="beta")
    assert isinstance(refusal, Problem) and refusal.code == "carrier-unreachable"


async def test_garbage_is_dropped_and_the_source_still_gets_through(nodes: Nodes) -> None:
    landing = await nodes.land()
    for garbage in (b"\0" * 4096, b"\n", b"GET / HTTP/1.0\r\n\r\n", os.urandom(70_000)):
        reader, writer = await asyncio.open_connection(landing.address, landing.port)
        writer.write(garbage)
        assert await closes(reader)
        writer.close()
    assert nodes.hypervisor.visits == 0
    path = await nodes.source.launch(MOVE, landing=landing, target="beta")
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET


async def test_a_stranger_that_says_nothing_does_not_hold_up_the_source(nodes: Nodes) -> None:
    landing = await nodes.land()
    idle = [socket.create_connection((landing.address, landing.port)) for _ in range(5)]
    path = await nodes.source.launch(MOVE, landing=landing, target="beta")
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("transport", ["tls", "plain"])
async def test_a_target_that_stalls_is_given_up(tmp_path: Path, transport: Transport) -> None:
    nodes = Nodes(tmp_path, transport)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        landing = Landing(address="127.0.0.1", port=silent.getsockname()[1], token="0" * 32)
        async with asyncio.timeout(DEADLINE_S):
            refusal = await nodes.source.launch(MOVE, landing=landing, target="beta")
    assert isinstance(refusal, Problem) and refusal.code == "carrier-untrusted"
    await nodes.close()


async def test_another_clusters_node_is_refused(tls_nodes: Nodes) -> None:
    landing = await tls_nodes.land()
    foreign = make_authority(tls_nodes.folder / "foreign")
    stranger = tls_nodes.node("alpha", foreign)
    refusal = await stranger.launch(MOVE, landing=landing, target="beta")
    assert isinstance(refusal, Problem) and refusal.code == "carrier-untrusted"
    assert tls_nodes.hypervisor.visits == 0


async def test_a_node_that_is_not_the_source_is_refused(tls_nodes: Nodes) -> None:
    landing = await tls_nodes.land()
    other = tls_nodes.node("gamma")
    refusal = await other.launch(MOVE, landing=landing, target="beta")
    assert isinstance(refusal, Problem) and refusal.code == "carrier-untrusted"
    assert tls_nodes.hypervisor.visits == 0


async def test_a_target_that_is_another_node_is_refused(tls_nodes: Nodes) -> None:
    landing = await tls_nodes.land()
    refusal = await tls_nodes.source.launch(MOVE, landing=landing, target="gamma")
    assert isinstance(refusal, Problem) and refusal.code == "carrier-untrusted"


async def test_nothing_on_the_wire_can_be_read(tls_nodes: Nodes) -> None:
    """A tap in the middle sees every byte of both directions, and neither memory nor token."""
    landing = await tls_nodes.land()
    seen = bytearray()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1 << 16):
            seen.extend(piece)
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def tapped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, outward = await asyncio.open_connection(landing.address, landing.port)
        await asyncio.gather(copy(reader, outward), copy(onward, writer), return_exceptions=True)

    tap = await asyncio.start_server(tapped, "127.0.0.1", 0)
    port = tap.sockets[0].getsockname()[1]
    path = await tls_nodes.source.launch(
        MOVE, landing=changed(landing, port=port), target="beta",
    )
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    assert len(seen) > 2 * len(SECRET)
    assert b"guest memory" not in seen and landing.token.encode() not in seen
    tap.close()


async def test_the_token_is_on_no_command_line(tls_nodes: Nodes) -> None:
    landing = await tls_nodes.land()
    lines = {pid: command_line(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
    assert lines[tls_nodes.target._relays[MOVE].pid], "the relay's own is among them"
    assert not any(landing.token in word for line in lines.values() for word in line)


async def test_a_restarted_daemon_ends_what_an_earlier_one_began(tls_nodes: Nodes) -> None:
    landing = await tls_nodes.land()
    relay = next((tls_nodes.folder / "run1" / "relays").glob("*.json"))
    successor = RelayCarrier(
        tls_nodes.folder / "etc1", tls_nodes.folder / "run1", "127.0.0.1", HostClock(),
    )
    await successor.end(MOVE)
    assert not relay.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((landing.address, landing.port))


async def test_a_relay_is_over_by_itself_when_its_connections_have_ended(nodes: Nodes) -> None:
    path = await nodes.source.launch(MOVE, landing=await nodes.land(), target="beta")
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    for carrier in (nodes.source, nodes.target):
        process = carrier._relays[MOVE]
        assert await process.ended_within(DEADLINE_S)
        assert process.exit_code == 0
        assert find(process.pid, process.start_ticks) is None


async def test_moves_leave_next_to_nothing_behind(tls_nodes: Nodes) -> None:
    """/run is memory: a log that says nothing goes, of the others the newest stay."""
    folder = tls_nodes.folder / "run1" / "relays"
    await tls_nodes.target.prepare("quiet")
    await tls_nodes.target.end("quiet")
    assert list(folder.iterdir()) == []
    for number in range(LOGS_KEPT + 5):
        (folder / f"old-{number}.log").write_text("it ended without a word\n")
        os.utime(folder / f"old-{number}.log", (number, number))
    await tls_nodes.target.end("quiet")
    assert sorted(int(each.stem.removeprefix("old-")) for each in folder.iterdir()) == list(
        range(5, LOGS_KEPT + 5))
