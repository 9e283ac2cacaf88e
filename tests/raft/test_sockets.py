"""The sockets let in whom the allow list names, and survive everybody else."""

import asyncio
import sys
from collections.abc import Callable, Iterator

import pytest
import zmq

from cluster.raft.links import SocketLinks
from cluster.raft.wire import MOST_PEERS
from cluster.sockets import CurveKeys, Listener, Sender, is_key, keys_of, make_keys
from packages.core.problem import Problem

SERVER, ALICE, BOB, MALLORY = make_keys(), make_keys(), make_keys(), make_keys()


class Room:
    """A listener that keeps what it received and answers each message with its echo."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:*", limit: int = 1 << 20) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.listener = Listener(
            [endpoint], keys=SERVER, received=self._received, max_message_bytes=limit,
        )
        self.listener.allow({ALICE.public: "alice", BOB.public: "bob"})

    def _received(self, peer: str, route: bytes, payload: bytes) -> None:
        self.heard.append((peer, payload))
        self.listener.send(route, b"echo " + payload)


@pytest.fixture
async def room() -> Iterator[Room]:
    room = Room()
    assert room.listener.start() is None
    yield room
    room.listener.close()


def caller(room: Room, keys: CurveKeys, answers: list[bytes] | None = None) -> Sender:
    heard = answers.append if answers is not None else None
    return Sender(
        room.listener.endpoints[0], server_key=SERVER.public, keys=keys, received=heard,
    )


async def until(happened: Callable[[], object], deadline_s: float = 10.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not happened():
            await asyncio.sleep(0.005)


async def test_a_peer_is_known_by_its_key_and_answered(room: Room) -> None:
    answers: list[bytes] = []
    alice, bob = caller(room, ALICE, answers), caller(room, BOB)
    assert await alice.send_when_up(b"1", deadline_s=10)
    assert await bob.send_when_up(b"2", deadline_s=10)
    await until(lambda: len(room.heard) == 2 and answers)
    assert sorted(room.heard) == [("alice", b"1"), ("bob", b"2")]
    assert answers == [b"echo 1"]
    alice.close()
    bob.close()


async def test_many_messages_arrive_all_and_in_order(room: Room) -> None:
    answers: list[bytes] = []
    alice = caller(room, ALICE, answers)
    assert await alice.send_when_up(b"0", deadline_s=10)
    for number in range(1, 1500):
        assert alice.send(b"%d" % number)
    await until(lambda: len(answers) == 1500)
    assert room.heard == [("alice", b"%d" % number) for number in range(1500)]
    alice.close()


async def test_an_unknown_key_is_refused_and_comes_in_once_it_is_allowed(room: Room) -> None:
    stranger = caller(room, MALLORY)
    assert not await stranger.send_when_up(b"let me in", deadline_s=0.5)
    await until(lambda: room.listener.drops["unknown-key"])
    assert room.heard == []
    room.listener.allow({MALLORY.public: "carol"})
    assert await stranger.send_when_up(b"and now", deadline_s=10)
    await until(lambda: room.heard)
    assert room.heard == [("carol", b"and now")]
    stranger.close()


async def test_a_key_struck_off_the_list_is_not_heard_on_its_old_connection(room: Room) -> None:
    alice = caller(room, ALICE)
    assert await alice.send_when_up(b"1", deadline_s=10)
    await until(lambda: room.heard)
    room.listener.allow({BOB.public: "bob"})
    assert alice.send(b"2")
    await until(lambda: room.listener.drops["key-struck-off"])
    assert room.heard == [("alice", b"1")]
    alice.close()


async def test_a_message_beyond_the_limit_is_not_received() -> None:
    room = Room(limit=1000)
    assert room.listener.start() is None
    alice = caller(room, ALICE)
    assert await alice.send_when_up(b"x" * 2000, deadline_s=10)
    # ZeroMQ ends the connection; the sender comes back and is heard again.
    await until(lambda: alice.send(b"small") and room.heard, deadline_s=10)
    assert {payload for _, payload in room.heard} == {b"small"}
    alice.close()
    room.listener.close()


async def test_plain_connections_and_garbage_never_get_in(room: Room) -> None:
    host, port = room.listener.endpoints[0].removeprefix("tcp://").split(":")
    for junk in (b"GET / HTTP/1.0\r\n\r\n", b"\xff" + b"\0" * 200, bytes(range(256))):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(junk)
        await writer.drain()
        writer.close()
    plain = zmq.Context.instance().socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(room.listener.endpoints[0])
    plain.send(b"hello")
    alice = caller(room, ALICE)
    assert await alice.send_when_up(b"still here", deadline_s=10)
    await until(lambda: room.heard)
    assert room.heard == [("alice", b"still here")]
    plain.close()
    alice.close()


async def test_strangers_are_counted_and_said_once_a_minute(
    room: Room, caplog: pytest.LogCaptureFixture,
) -> None:
    """Garbage, a connection that goes, and keys that nobody has: by kind, and from where."""
    host, port = room.listener.endpoints[0].removeprefix("tcp://").split(":")
    for _ in range(20):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.0\r\n\r\n" * 8)
        writer.close()
    strangers = [caller(room, make_keys()) for _ in range(5)]
    await until(lambda: room.listener.drops["no-handshake"] >= 20)
    await until(lambda: room.listener.drops["unknown-key"] >= 5)
    said = [each.getMessage() for each in caplog.records if each.name == "vmsg.doors"]
    assert sorted(each.split(":")[0] for each in said) == ["no-handshake", "unknown-key"]
    assert "somebody at 127.0.0.1 has shown a key" in "".join(said)
    for each in strangers:
        each.close()


async def test_whoever_came_in_is_not_counted_as_a_stranger(room: Room) -> None:
    for _ in range(3):
        alice = caller(room, ALICE)
        assert await alice.send_when_up(b"1", deadline_s=10)
        alice.close()
    host, port = room.listener.endpoints[0].removeprefix("tcp://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))  # it comes last
    opened = room.listener._handshakes._open
    await until(lambda: room.listener.drops["no-handshake"] and not opened)
    writer.close()
    assert room.listener.drops["no-handshake"] == 1


async def test_where_a_message_comes_from_is_known_while_it_is_given(room: Room) -> None:
    alice = caller(room, ALICE)
    assert await alice.send_when_up(b"1", deadline_s=10)
    await until(lambda: room.heard)
    assert room.listener.address == "127.0.0.1"
    alice.close()


@pytest.mark.parametrize("endpoint", [
    "tcp://10.0.0.1", "tcp://10.0.0.1:0", "rubbish", "ipc:///etc/shadow", "tcp://10.0.0.1:5470",
    ""])
async def test_what_another_member_says_of_a_peer_need_not_be_true(endpoint: str) -> None:
    """It is not connected to, and nothing raises; the others are."""
    key = "k" * 39 if endpoint.endswith(":5470") else ALICE.public
    links = SocketLinks({}, bind="tcp://127.0.0.1:*", keys=SERVER)
    assert links.start(lambda *_: None) is None
    links.reach({"dog": endpoint, "cat": "tcp://127.0.0.1:1"})
    links.introduce("dog", (key,))
    links.introduce("cat", (BOB.public,))
    assert {peer for peer, _ in links._senders} == {"cat"}
    links.close()


async def test_no_more_peers_are_connected_to_than_a_cluster_can_have() -> None:
    """And those of the record before those that somebody has told of."""
    links = SocketLinks({}, bind="tcp://127.0.0.1:*", keys=SERVER)
    links.trust({"zoe": (ALICE.public,)}, SERVER)
    assert links.start(lambda *_: None) is None
    told = {f"x{number}": f"tcp://127.0.0.1:{2000 + number}" for number in range(300)}
    links.reach({**told, "zoe": "tcp://127.0.0.1:1999"})
    for peer in told:
        links._introduced[peer] = (BOB.public,)
    assert len(links._accepted) == MOST_PEERS
    assert "zoe" in links._accepted
    links.close()


async def test_a_message_of_many_frames_is_dropped(room: Room) -> None:
    raw = zmq.Context.instance().socket(zmq.DEALER)
    raw.linger = 0
    raw.curve_serverkey = SERVER.public.encode()
    raw.curve_publickey, raw.curve_secretkey = ALICE.public.encode(), ALICE.secret.encode()
    raw.connect(room.listener.endpoints[0])
    raw.send_multipart([b"a", b"b", b"c"])
    await until(lambda: room.listener.drops["frames"])
    assert room.heard == []
    raw.close()


async def test_what_cannot_be_sent_is_dropped_and_counted_and_a_late_peer_is_found() -> None:
    first = Room()
    assert first.listener.start() is None
    endpoint = first.listener.endpoints[0]
    alice = caller(first, ALICE)
    first.listener.close()
    await until(lambda: not alice.send(b"lost"))
    assert alice.drops["peer-down"]
    second = Room(endpoint)
    assert second.listener.start() is None
    assert await alice.send_when_up(b"found", deadline_s=10)
    await until(lambda: second.heard)
    alice.close()
    second.listener.close()


async def test_an_answer_to_a_peer_that_left_is_dropped(room: Room) -> None:
    assert not room.listener.send(b"\0none", b"hello?")
    assert room.listener.drops["peer-gone"] == 1


async def test_an_address_in_use_is_a_problem(room: Room) -> None:
    other = Room(room.listener.endpoints[0])
    found = other.listener.start()
    assert isinstance(found, Problem) and found.code == "cannot-listen"
    wrong = Room("tcp://not an address")
    assert isinstance(wrong.listener.start(), Problem)


async def test_local_sockets_work_as_well(tmp_path) -> None:
    room = Room(f"ipc://{tmp_path}/vmsg.sock")
    assert room.listener.start() is None
    alice = caller(room, ALICE)
    assert await alice.send_when_up(b"local", deadline_s=10)
    await until(lambda: room.heard)
    alice.close()
    room.listener.close()


def test_keys_are_recognised_and_their_secret_is_not_printed() -> None:
    keys = make_keys()
    assert is_key(keys.public) and is_key(keys.secret)
    assert not any(map(is_key, ("", "short", "ä" * 40, "%" * 40, keys.public + "12345")))
    assert keys.secret not in repr(keys)
    assert keys_of(keys.secret) == keys and keys_of("nonsense") is None


NEW = make_keys()
"""What the server changes over to."""


async def test_a_listener_that_changes_its_key_is_found_by_whoever_knows_the_new_one(
    room: Room,
) -> None:
    told, untold = caller(room, ALICE), caller(room, BOB)
    assert await told.send_when_up(b"1", deadline_s=10)
    assert await untold.send_when_up(b"2", deadline_s=10)
    told.change_keys(server_keys=(SERVER.public, NEW.public), keys=ALICE)
    assert told.is_up()  # the connection stands: nothing was dropped
    assert room.listener.change_keys(NEW) is None
    await until(lambda: told.send(b"3") and ("alice", b"3") in room.heard)
    assert not await untold.send_when_up(b"4", deadline_s=0.5)
    told.change_keys(server_keys=(NEW.public,), keys=ALICE)
    assert told.is_up()
    told.close()
    untold.close()


async def test_a_caller_changes_its_own_key_while_both_are_allowed(room: Room) -> None:
    alice = caller(room, ALICE)
    assert await alice.send_when_up(b"1", deadline_s=10)
    room.listener.allow({ALICE.public: "alice", NEW.public: "alice"})
    alice.change_keys(server_keys=(SERVER.public,), keys=NEW)
    assert await alice.send_when_up(b"2", deadline_s=10)
    await until(lambda: len(room.heard) == 2)
    room.listener.allow({NEW.public: "alice"})
    assert alice.send(b"3")
    await until(lambda: len(room.heard) == 3)
    assert {peer for peer, _ in room.heard} == {"alice"}
    alice.close()


async def test_a_caller_that_goes_while_nothing_is_read_ends_nobody() -> None:
    """ZeroMQ's own heartbeats end the process here (cluster/socket_options.py); hence a process of
    its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.raft.unread", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(60.0):
        told, _ = await child.communicate()
    assert (child.returncode, told.decode()) == (0, "still here\n")


async def test_links_hear_a_voter_once_its_key_is_known() -> None:
    heard: list[tuple[str, bytes]] = []
    links = SocketLinks(
        {"bee": ("tcp://127.0.0.1:9", "")}, bind="tcp://127.0.0.1:*", keys=SERVER)
    assert links.start(lambda peer, raw: heard.append((peer, raw))) is None
    assert list(links.peers) == ["bee"] and not links.send("bee", b"lost")
    bee = Sender(links.bound, server_key=SERVER.public, keys=BOB)
    assert not await bee.send_when_up(b"1", deadline_s=0.5)
    assert links.trust({"bee": (BOB.public,), "stranger": (ALICE.public,)}, SERVER) is None
    assert await bee.send_when_up(b"2", deadline_s=10)
    await until(lambda: heard)
    assert heard == [("bee", b"2")]
    bee.close()
    links.close()
