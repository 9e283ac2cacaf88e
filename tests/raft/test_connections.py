"""What one key's connections may hold of a listener: over real sockets, with callers that stop."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from cluster.connections import (
    GREETED_BYTES, NAMELESS, NAMELESS_BYTES, STRANGER_BYTES, Connection, Connections, beyond
)
from cluster.doorkeeper import A_SECOND, AT_ONCE, Pace
from cluster.socket_inbox import Queues
from cluster.sockets import CurveKeys, Listener, Sender
from cluster.tally import Tally
from tests.raft.stalling import StallingWay
from tests.raft.test_sockets import ALICE, BOB, SERVER, until

log = logging.getLogger(__name__)

MIB = 1 << 20
QUEUES = Queues(received=8, sent=128, connections=12, waiting_bytes=2 * MIB, owed_bytes=2 * MIB)
ANSWER = b"x" * MIB
LONG_S = 30.0


class Room:
    """A listener that answers each `1` with a mebibyte."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.listener = Listener(
            ["tcp://127.0.0.1:*"], keys=SERVER, received=self._received, queues=QUEUES,
            max_message_bytes=8 * MIB)
        self.listener.allow({ALICE.public: "alice", BOB.public: "bob"})

    def _received(self, peer: str, route: bytes, payload: bytes) -> None:
        self.heard.append(peer)
        self.listener.send(route, ANSWER if payload == b"1" else b"heard")

    @property
    def endpoint(self) -> str:
        return self.listener.endpoints[0]

    def waiting(self) -> int:
        return sum(each.waiting for each in self.listener._held._open.values())


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    assert room.listener.start() is None
    yield room
    room.listener.close()


def caller(endpoint: str, keys: CurveKeys, answers: list[bytes] | None = None) -> Sender:
    return Sender(endpoint, server_key=SERVER.public, keys=keys,
                  received=None if answers is None else answers.append)


async def is_answered(room: Room, keys: CurveKeys) -> bool:
    answers: list[bytes] = []
    honest = caller(room.endpoint, keys, answers)
    try:
        assert await honest.send_when_up(b"1", deadline_s=LONG_S)
        await until(lambda: answers, LONG_S)
        return answers == [ANSWER]
    finally:
        honest.close()


async def test_what_is_half_sent_by_one_key_is_bounded(room: Room) -> None:
    """Ten connections of one key stop in the midst of a message of 4 MiB: what the key may hold
    stays, the rest is shut, and another's message comes in."""
    async with StallingWay(room.endpoint, in_bytes=3 * MIB // 2) as way:
        bad = [caller(way.endpoint, ALICE) for _ in range(10)]
        for number, each in enumerate(bad):
            assert await each.send_when_up(b"0", deadline_s=LONG_S)
            await until(lambda: room.heard.count("alice") > number, LONG_S)
            assert each.send(bytes(4 * MIB))
        await until(lambda: room.listener.drops["half-sent"] >= 5, LONG_S)
        await until(lambda: way.ended >= 5, LONG_S)
        bob = caller(room.endpoint, BOB)
        assert await bob.send_when_up(bytes(MIB), deadline_s=LONG_S)
        await until(lambda: "bob" in room.heard, LONG_S)
        assert room.heard == ["alice"] * 10 + ["bob"]
        for each in (bob, *bad):
            each.close()


async def test_one_key_has_so_many_connections_and_the_newest_stay(room: Room) -> None:
    bob_heard: list[bytes] = []
    bob = caller(room.endpoint, BOB, bob_heard)
    assert await bob.send_when_up(b"0", deadline_s=LONG_S)
    async with StallingWay(room.endpoint) as way:
        many = []
        for number in range(20):
            many.append(caller(way.endpoint, ALICE))
            assert await many[-1].send_when_up(b"0", deadline_s=LONG_S)
            await until(lambda: room.heard.count("alice") > number, LONG_S)
        await until(lambda: room.listener.drops["too-many-connections"] >= 8, LONG_S)
        await until(lambda: way.ended >= 8, LONG_S)
        assert bob.is_up() and await is_answered(room, ALICE)
        for each in (bob, *many):
            each.close()


async def test_a_key_that_comes_too_often_is_let_in_later(room: Room) -> None:
    """It tries again by itself, and another key is let in meanwhile."""
    now = [0.0]
    room.listener._keeper._pace = Pace(lambda: now[0])
    many = [caller(room.endpoint, ALICE) for _ in range(AT_ONCE + 10)]
    await until(lambda: room.listener.drops["too-many-connections"], LONG_S)
    assert await is_answered(room, BOB)
    for each in many:
        each.close()
    now[0] += 2.0
    assert await is_answered(room, ALICE)


async def test_answers_that_nobody_fetches_are_bounded(room: Room) -> None:
    async with StallingWay(room.endpoint, out_bytes=4096) as way:
        deaf = caller(way.endpoint, ALICE, [])
        for number in range(40):
            assert await deaf.send_when_up(b"1", deadline_s=LONG_S)
            await until(lambda: len(room.heard) > number, LONG_S)
        assert room.listener.drops["answers-not-fetched"] > 20
        assert await is_answered(room, BOB)
        deaf.close()


async def test_whoever_fetches_gets_all(room: Room) -> None:
    answers: list[bytes] = []
    honest = caller(room.endpoint, ALICE, answers)
    for number in range(40):
        assert await honest.send_when_up(b"1", deadline_s=LONG_S)
        await until(lambda: len(answers) > number, LONG_S)
    assert not room.listener.drops["answers-not-fetched"]
    honest.close()


async def test_a_stranger_gets_no_further_than_a_handshake_is_long(room: Room) -> None:
    """A frame that says it has 8 MiB, before any key was shown: ZeroMQ would take all of it."""
    host, port = room.endpoint.removeprefix("tcp://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
    writer.write(greeting + b"\x06" + (8 * MIB - 1).to_bytes(8, "big") + bytes(MIB))
    await until(lambda: room.listener.drops["half-sent"], LONG_S)
    async with asyncio.timeout(LONG_S):
        try:
            await reader.read()
        except ConnectionError:
            pass  # what it had sent was never read
    writer.close()


async def test_a_descriptor_that_is_anothers_by_now_is_let_be() -> None:
    """Its number was the listener's; what has it now is another connection."""
    held = Connections(QUEUES, Tally(log, asyncio.get_running_loop().time), where="here")
    other = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(other.getsockname())
    far, _ = other.accept()
    held.listens([f"tcp://127.0.0.1:{other.getsockname()[1]}"])
    held.accepted(far.fileno())
    taken = held._open[far.fileno()]
    taken.peer = ("127.0.0.1", 1)
    held._shut(taken)
    near.sendall(b"still")
    assert far.recv(5) == b"still"
    taken.peer = far.getpeername()
    held._shut(taken)
    assert near.recv(1) == b""
    for each in (near, far, other):
        each.close()
    held.close()


def connection(key: str, *, heard_s: float, waiting: int = 0, let_in: bool = True) -> Connection:
    made = Connection(9, ("10.0.0.1", 1), heard_s)
    made.key, made.received = key, waiting
    made.confirmed = GREETED_BYTES + 1 if let_in else GREETED_BYTES
    return made


def test_of_a_key_those_go_that_were_heard_longest_ago() -> None:
    many = [connection("a", heard_s=number) for number in range(QUEUES.connections + 2)]
    other = connection("b", heard_s=0.0)
    assert list(beyond([*many, other], QUEUES)) == [
        (many[1], "too-many-connections"), (many[0], "too-many-connections")]


def test_bytes_of_one_key_are_added_up_and_anothers_are_not() -> None:
    first, second = (connection("a", heard_s=at, waiting=3 * MIB // 2) for at in (1.0, 2.0))
    other = connection("b", heard_s=0.0, waiting=2 * MIB)
    assert list(beyond([first, second, other], QUEUES)) == [(first, "half-sent")]


def test_those_that_said_nothing_yet_are_bounded_together() -> None:
    idle = [connection("", heard_s=number) for number in range(NAMELESS + 1)]
    assert [each for each, _ in beyond(idle, QUEUES)] == [idle[0]]
    half = [connection("", heard_s=number, waiting=NAMELESS_BYTES // 2) for number in range(3)]
    assert list(beyond(half, QUEUES)) == [(half[0], "half-sent")]


def test_strangers_are_not_among_those_who_said_nothing_yet() -> None:
    shaking = [connection("", heard_s=number, let_in=False, waiting=STRANGER_BYTES)
               for number in range(2 * NAMELESS)]
    said = connection("", heard_s=0.0)
    assert not list(beyond([*shaking, said], QUEUES))
    shaking[0].received += 1
    assert list(beyond([*shaking, said], QUEUES)) == [(shaking[0], "half-sent")]


def test_a_key_comes_in_at_its_pace_and_another_at_its_own() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert [pace.may_come(b"a") for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]
    assert pace.may_come(b"b")
    now[0] += 1.0
    assert [pace.may_come(b"a") for _ in range(A_SECOND + 1)] == [True] * A_SECOND + [False]
