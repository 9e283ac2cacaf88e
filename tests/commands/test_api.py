"""A request meets its answer, whoever fails on the way."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.api import messages as ask
from cluster.api.bounds import SMALL_BYTES
from cluster.api.client import Client
from cluster.api.peer import Endpoint, Peer
from cluster.api.ping import PING
from cluster.api.roles import LEAST_ROLE, Caller
from cluster.api.server import ApiServer
from cluster.sockets import CurveKeys, Listener, Sender
from packages.core.problem import Problem, problem
from packages.core.values import from_msgpack, to_msgpack
from tests.commands.api_room import (
    GUEST, INVITED, KEEPER, KNOWN, LONG_S, LOOKER, NEXT, NODE, ROOT, SERVER, STRANGER, asked,
    code_of, until
)


class Room:
    """A server whose answers say who asked what; some requests fail in a way of their own."""

    def __init__(self, folder: Path, name: str = "api") -> None:
        self.released = asyncio.Event()
        self.begun: list[str] = []
        self.has_quorum = True
        self.server = ApiServer(
            [f"ipc://{folder}/{name}.sock"], keys=SERVER, answer=self.answer, most_under_way=3,
        )
        self.server.allow(KNOWN, [INVITED])

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(address=self.server.endpoints[0], server_key=SERVER.public, node="n1")

    async def answer(self, caller: Caller, request: ask.AnyRequest) -> ask.Reply:
        self.begun.append(type(request).__name__)
        if isinstance(request, ask.GetMove):
            await self.released.wait()
        if isinstance(request, ask.GetConfig):
            raise RuntimeError("a bug")
        if isinstance(request, ask.GetPackages):
            return ask.Reply(result=object())
        if isinstance(request, ask.GetEvents):
            cut_off = problem("no-quorum", "node:n1", what="a", because="b", fix="c")
            return ask.Reply(verdict="no-quorum", problems=(cut_off,))
        return ask.Reply(
            result=[caller.name, caller.role, caller.is_node], quorum=self.has_quorum)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    assert room.server.start() is None
    yield room
    await room.server.close()


async def test_the_caller_is_who_its_key_says(room: Room) -> None:
    for keys, expected in (
        (ROOT, ["root", "full-admin", False]), (LOOKER, ["looker", "monitor", False]),
        (NODE, ["n2", "full-admin", True]),
    ):
        answer = await asked(room.endpoint, keys, ask.GetStatus())
        assert isinstance(answer, ask.Reply) and answer.result == expected


@pytest.mark.parametrize("keys, request_, verdict", [
    (LOOKER, ask.RunPackage(package="web"), "not-authorised"),
    (LOOKER, ask.Preflight(package="web"), "done"),
    (KEEPER, ask.RunPackage(package="web"), "done"),
    (KEEPER, ask.DrainNode(node="n1"), "not-authorised"),
    (ROOT, ask.DrainNode(node="n1"), "done"),
    (ROOT, ask.AskLease(), "not-authorised"),
    (NODE, ask.AskLease(), "done"),
    (NEXT, ask.AskLease(), "done"),
    (NODE, ask.Preflight(package="web"), "done"),
    (NODE, ask.DrainNode(node="n1", dry_run=True), "done"),
    (NODE, ask.DrainNode(node="n1"), "not-authorised"),
    (NODE, ask.LeaveNode(node="n2"), "done"),
    (NODE, ask.LeaveNode(node="n9"), "not-authorised"),
    (KEEPER, ask.LeaveNode(node="n1"), "not-authorised"),
    (NODE, ask.CheckPackages(), "not-authorised"),
    (NODE, ask.ApplyPackages(), "not-authorised"),
    (NODE, ask.ApplyCluster(), "not-authorised"),
    (NEXT, ask.RestoreCluster(), "not-authorised"),
    (NODE, ask.InviteNode(node="n9"), "not-authorised"),
    (NODE, ask.RemoveOperator(name="root"), "not-authorised"),
    (NODE, ask.AddOperator(name="eve"), "not-authorised"),
    (NODE, ask.AddOperator(name="ann", proof="looked at by whoever answers"), "done"),
    (GUEST, ask.JoinNode(), "done"),
    (GUEST, ask.GetStatus(), "not-authorised"),
    (GUEST, ask.AskLease(), "not-authorised"),
    (GUEST, ask.InviteNode(), "not-authorised"),
    (ROOT, ask.JoinNode(), "not-authorised"),
    (NODE, ask.JoinNode(), "not-authorised"),
])
async def test_a_role_allows_what_it_names(
    room: Room, keys: CurveKeys, request_: ask.AnyRequest, verdict: str,
) -> None:
    answer = await asked(room.endpoint, keys, request_)
    assert isinstance(answer, ask.Reply) and answer.verdict == verdict


def test_every_request_has_its_row() -> None:
    assert set(LEAST_ROLE) == set(ask.AnyRequest.__args__)  # type: ignore[attr-defined]


async def test_a_stranger_learns_that_it_is_one(room: Room) -> None:
    answer = await asked(room.endpoint, STRANGER, ask.GetStatus(), deadline_s=1.0)
    assert code_of(answer) == "not-authorised"
    assert room.begun == []


async def test_a_bug_in_an_answer_is_a_problem_and_the_rest_goes_on(room: Room) -> None:
    for request in (ask.GetConfig(), ask.GetPackages()):
        answer = await asked(room.endpoint, ROOT, request)
        assert code_of(answer) == "internal-error"
    assert isinstance(await asked(room.endpoint, ROOT, ask.GetStatus()), ask.Reply)


async def test_a_slow_answer_holds_up_nobody_and_a_caller_has_its_limit(room: Room) -> None:
    peer = Peer(room.endpoint, ROOT)
    slow = [
        asyncio.create_task(peer.ask(ask.GetMove(package=f"p{each}"), deadline_s=LONG_S))
        for each in range(3)
    ]
    await until(lambda: len(room.begun) == 3)
    assert code_of(await peer.ask(ask.GetStatus(), deadline_s=LONG_S)) == "too-many-requests"
    assert isinstance(await asked(room.endpoint, LOOKER, ask.GetStatus()), ask.Reply)
    room.released.set()
    assert all(isinstance(each, ask.Reply) for each in await asyncio.gather(*slow))
    again = await peer.ask(ask.GetStatus(), deadline_s=LONG_S)
    assert isinstance(again, ask.Reply) and again.verdict == "done"
    peer.close()


async def test_bytes_that_are_no_request(room: Room) -> None:
    heard: list[bytes] = []
    raw = Sender(
        room.endpoint.address, server_key=SERVER.public, keys=ROOT, received=heard.append,
    )
    for junk in (b"", b"\xff" * 100, b"\x91" * 5000, to_msgpack({"number": "x"})):
        assert await raw.send_when_up(junk, deadline_s=LONG_S)
    nonsense = {"number": 7, "ask": {"ask": "no such thing"}}
    assert raw.send(to_msgpack(nonsense))
    await until(lambda: heard)
    reply: ask.Reply = from_msgpack(heard[0], ask.Reply)
    assert (reply.number, reply.problems[0].code) == (7, "bad-request")
    assert room.server.counts["undecodable"] == 5 and room.begun == []
    raw.close()


async def test_no_answer_in_time_says_how_to_follow_the_request(room: Room) -> None:
    answer = await asked(room.endpoint, ROOT, ask.GetMove(request="r1"), deadline_s=0.5)
    assert isinstance(answer, Problem) and answer.code == "timed-out"
    assert "--request r1" in answer.fix


async def test_an_answer_lost_with_its_server_is_noticed_before_the_deadline(room: Room) -> None:
    waiting = asyncio.create_task(asked(room.endpoint, ROOT, ask.GetMove(), deadline_s=60.0))
    await until(lambda: room.begun)
    await room.server.close()
    async with asyncio.timeout(LONG_S):
        assert code_of(await waiting) == "answer-lost"


async def test_a_daemon_that_stands_still_is_told_from_one_that_is_busy(
    room: Room, tmp_path: Path,
) -> None:
    """A stopped process keeps its connections: only that it says nothing shows it."""
    heard: list[bytes] = []
    still = Listener([f"ipc://{tmp_path}/still.sock"], keys=SERVER,
                     received=lambda _key, _route, payload: heard.append(payload))
    still.allow({ROOT.public: "root"})
    assert still.start() is None
    silent = Endpoint(address=still.endpoints[0], server_key=SERVER.public)
    busy = asyncio.create_task(asked(room.endpoint, ROOT, ask.GetMove(), deadline_s=60.0))
    await until(lambda: room.begun)
    async with asyncio.timeout(LONG_S):
        lost = await asked(silent, ROOT, ask.GetMove(request="r1"), deadline_s=60.0)
    assert isinstance(lost, Problem) and lost.code == "answer-lost" and "r1" in lost.fix
    assert PING in heard and not busy.done()
    room.released.set()
    assert isinstance(await busy, ask.Reply)
    assert room.begun == ["GetMove"] and not room.server.counts["undecodable"]
    still.close()


async def test_an_earlier_version_is_alive_as_well(room: Room) -> None:
    """It says to number 0 that it has no such request."""
    heard: list[bytes] = []
    raw = Sender(
        room.endpoint.address, server_key=SERVER.public, keys=ROOT, received=heard.append)
    assert await raw.send_when_up(PING + b"\0", deadline_s=LONG_S)
    await until(lambda: heard)
    reply: ask.Reply = from_msgpack(heard[0], ask.Reply)
    assert (reply.number, reply.problems[0].code) == (0, "bad-request")
    raw.close()


async def test_a_door_that_closes_keeps_out_who_comes_and_not_who_is_in(
    room: Room, tmp_path: Path,
) -> None:
    inside, outside = Client([room.endpoint], ROOT), Client([room.endpoint], ROOT)
    assert isinstance(await inside.ask(ask.GetStatus(), deadline_s=LONG_S), ask.Reply)
    (tmp_path / "api.sock").rename(tmp_path / "api.sock.closed")
    assert isinstance(await inside.ask(ask.GetStatus(), deadline_s=LONG_S), ask.Reply)
    refused = await outside.ask(ask.GetStatus(), deadline_s=LONG_S)
    assert code_of(refused) == "no-cluster" and "lets no caller of this host in" in refused.because
    inside.close()
    outside.close()


async def test_a_question_to_a_node_that_is_removed_meanwhile_has_an_answer(
    room: Room, tmp_path: Path,
) -> None:
    missing = Endpoint(address=f"ipc://{tmp_path}/none.sock", server_key=SERVER.public)
    for endpoint, request, code in ((missing, ask.GetStatus(), "node-unreachable"),
                                    (room.endpoint, ask.GetMove(), "answer-lost")):
        peer = Peer(endpoint, ROOT)
        waiting = asyncio.create_task(peer.ask(request, deadline_s=LONG_S, connect_s=LONG_S))
        await asyncio.wait([waiting], timeout=0.1)
        if endpoint is room.endpoint:
            await until(lambda: room.begun)
        peer.close()
        assert code_of(await waiting) == code


async def test_a_client_goes_on_to_the_node_that_answers_and_stays_with_it(
    room: Room, tmp_path: Path,
) -> None:
    late = Room(tmp_path, "late")
    dead = Endpoint(address="tcp://127.0.0.1:9", server_key=SERVER.public)
    client = Client([late.endpoint, dead, room.endpoint], ROOT)
    first = await client.ask(ask.GetStatus(), deadline_s=LONG_S)
    assert isinstance(first, ask.Reply) and first.verdict == "done"
    assert late.server.start() is None
    assert isinstance(await client.ask(ask.GetStatus(), deadline_s=LONG_S), ask.Reply)
    assert (late.begun, room.begun) == ([], ["GetStatus", "GetStatus"])
    client.close()
    await late.server.close()


async def test_a_request_goes_to_another_node_under_its_own_id(
    room: Room, tmp_path: Path,
) -> None:
    dying = Room(tmp_path, "dying")
    assert dying.server.start() is None
    room.released.set()
    client = Client([dying.endpoint, room.endpoint], ROOT)
    waiting = asyncio.create_task(client.ask(ask.GetMove(request="r1"), deadline_s=LONG_S))
    await until(lambda: dying.begun)
    await dying.server.close()
    answer = await waiting
    assert isinstance(answer, ask.Reply) and answer.request == "r1" and room.begun == ["GetMove"]
    client.close()


async def test_a_node_without_quorum_is_believed_when_no_other_knows_better(
    room: Room, tmp_path: Path,
) -> None:
    dead = Endpoint(address=f"ipc://{tmp_path}/none.sock", server_key=SERVER.public)
    client = Client([room.endpoint, dead], ROOT)
    answer = await client.ask(ask.GetEvents(), deadline_s=LONG_S)
    assert isinstance(answer, ask.Reply) and answer.verdict == "no-quorum"
    client.close()


@pytest.mark.parametrize("request_", [ask.GetStatus(), ask.CheckCluster()])
async def test_who_has_a_majority_is_believed_before_who_is_cut_off(
    request_: ask.AnyRequest, room: Room, tmp_path: Path,
) -> None:
    cut_off = Room(tmp_path, "cut-off")
    cut_off.has_quorum = False
    assert cut_off.server.start() is None
    client = Client([cut_off.endpoint, room.endpoint], ROOT)
    answer = await client.ask(request_, deadline_s=LONG_S)
    assert isinstance(answer, ask.Reply) and answer.quorum and len(cut_off.begun) == 1
    await client.ask(request_, deadline_s=LONG_S)
    assert len(cut_off.begun) == 1  # and the one that did is asked first the next time
    client.close()
    client = Client([cut_off.endpoint], ROOT)
    answer = await client.ask(request_, deadline_s=LONG_S)
    assert isinstance(answer, ask.Reply) and not answer.quorum and answer.verdict == "done"
    client.close()
    await cut_off.server.close()


async def test_what_a_cut_off_node_was_told_to_change_is_not_asked_of_another(
    room: Room, tmp_path: Path,
) -> None:
    """It was agreed upon before the node was cut off, or refused by what cannot change."""
    cut_off = Room(tmp_path, "cut-off")
    cut_off.has_quorum = False
    assert cut_off.server.start() is None
    client = Client([cut_off.endpoint, room.endpoint], ROOT)
    answer = await client.ask(ask.HaltPackage(package="p1", request="r"), deadline_s=LONG_S)
    assert isinstance(answer, ask.Reply) and not answer.quorum and room.begun == []
    client.close()
    await cut_off.server.close()


async def test_without_any_node_there_is_one_problem(tmp_path: Path) -> None:
    missing = Endpoint(address=f"ipc://{tmp_path}/none.sock", server_key=SERVER.public, node="n1")
    for endpoints in ([], [missing]):
        client = Client(endpoints, ROOT)
        assert code_of(await client.ask(ask.GetStatus(), deadline_s=LONG_S)) == "no-cluster"
        client.close()


async def test_an_answer_that_cannot_be_read_ends_the_waiting(tmp_path: Path) -> None:
    listener = Listener(
        [f"ipc://{tmp_path}/junk.sock"], keys=SERVER,
        received=lambda peer, route, payload: listener.send(route, b"\xc1 junk") or None,
    )
    listener.allow({ROOT.public: "root"})
    assert listener.start() is None
    endpoint = Endpoint(address=listener.endpoints[0], server_key=SERVER.public)
    assert code_of(await asked(endpoint, ROOT, ask.GetStatus())) == "bad-reply"
    listener.close()


async def test_an_invitation_lets_in_to_one_question_only(room: Room) -> None:
    """Whatever else there is to ask, also of what will be added later."""
    for kind in ask.AnyRequest.__args__:  # type: ignore[attr-defined]
        answer = await asked(room.endpoint, GUEST, kind())
        expected = "done" if kind is ask.JoinNode else "not-authorised"
        assert isinstance(answer, ask.Reply) and answer.verdict == expected, kind
    assert room.begun == ["JoinNode"]


async def test_a_server_that_changes_its_key_goes_on_answering(room: Room) -> None:
    peer = Peer(room.endpoint, ROOT)
    assert code_of(await peer.ask(ask.GetEvents(), deadline_s=LONG_S)) == "no-quorum"
    peer.change_keys(server_keys=(SERVER.public, NEXT.public), keys=ROOT)
    assert room.server.change_keys(NEXT) is None
    async with asyncio.timeout(LONG_S):
        while not isinstance(await peer.ask(ask.GetStatus(), deadline_s=1.0), ask.Reply):
            pass
    peer.close()


async def test_who_asks_for_what_they_may_not_is_told_of(room: Room) -> None:
    told: list[tuple[str, str, str]] = []
    room.server.refused = lambda caller, asked, address: told.append((caller.name, asked, address))
    large = "x" * (SMALL_BYTES + 1)
    for keys, request in (
        (LOOKER, ask.HaltCluster()), (GUEST, ask.GetStatus()), (KEEPER, ask.GetStatus()),
        (LOOKER, ask.ApplyCluster(text=large)),
    ):
        await asked(room.endpoint, keys, request)
    here = f"this host, uid {os.getuid()}"
    assert told == [
        ("looker", "cluster-halt", here), ("n3", "status", here),
        ("looker", "cluster-apply", here)]
