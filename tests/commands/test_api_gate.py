"""What one caller sends costs the others nothing: over real sockets, with messages made by hand."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest

from cluster.api import messages as ask
from cluster.api.bounds import SMALL_BYTES
from cluster.api.client import Client
from cluster.api.gate import KINDS, MOST_LARGE_OF_NODE, SHARE, Gate, Head, head_of
from cluster.api.messages import Call, NamedText, Reply
from cluster.api.peer import Endpoint, Peer
from cluster.api.roles import Caller
from cluster.api.server import LARGEST_ANSWER_BYTES, MOST_TOLD, REFUSED_AFTER_S, ApiServer
from cluster.socket_inbox import TURN_S
from cluster.sockets import CurveKeys, Sender
from packages.core.problem import Problem, problem
from packages.core.values import from_msgpack, to_msgpack
from tests.commands.api_room import (
    INVITED, KEEPER, KNOWN, LONG_S, LOOKER, NODE, ROOT, SERVER, asked, code_of, until
)

LARGE = "x" * (SMALL_BYTES + 1)
FILES = (NamedText(name="a", text=LARGE),)
MANY = (8 << 20) - 100


def by_hand(tag: bytes, field: bytes, items: int) -> bytes:
    """A call whose one field is a list of so many empty texts."""
    return (b"\x82\xa6number\x01\xa3ask\x82\xa3ask" + bytes([0xa0 + len(tag)]) + tag
            + bytes([0xa0 + len(field)]) + field
            + b"\xdd" + struct.pack(">I", items) + b"\xa0" * items)


class Door:
    """A server that counts what got as far as an answer; checks wait until they are released."""

    def __init__(self, folder: Path, name: str = "api") -> None:
        self.released, self.begun = asyncio.Event(), list[str]()
        self.server = ApiServer(
            [f"ipc://{folder}/{name}.sock"], keys=SERVER, answer=self.answer, most_under_way=3)
        self.server.allow(KNOWN, [INVITED])

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(address=self.server.endpoints[0], server_key=SERVER.public, node="n1")

    async def answer(self, caller: Caller, request: ask.AnyRequest) -> Reply:
        self.begun.append(type(request).__name__)
        if isinstance(request, (ask.CheckPackages, ask.ApplyPackages, ask.GetMove)):
            await self.released.wait()
        if isinstance(request, ask.GetConfig):
            return Reply(result="x" * (LARGEST_ANSWER_BYTES + 1))
        if isinstance(request, ask.GetPackages):
            told = [problem(f"p-{number}", "a", what="a", because="b", fix="c",
                            severity="refuse" if number == 500 else "warn")
                    for number in range(1000)]
            return Reply(problems=tuple(told))
        return Reply(result=caller.name)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    door = Door(tmp_path)
    assert door.server.start() is None
    yield door
    await door.server.close()


class Hand:
    """Sends bytes as they are, and keeps what comes back."""

    def __init__(self, door: Door, keys: CurveKeys) -> None:
        self.got: list[Reply] = []
        self._sender = Sender(
            door.endpoint.address, server_key=SERVER.public, keys=keys,
            received=lambda raw: self.got.append(from_msgpack(raw, Reply)))

    async def send(self, raw: bytes) -> None:
        assert await self._sender.send_when_up(raw, deadline_s=LONG_S)

    def close(self) -> None:
        self._sender.close()


async def said(door: Door, raw: bytes, keys: CurveKeys) -> Reply:
    hand = Hand(door, keys)
    try:
        await hand.send(raw)
        await until(lambda: hand.got)
        return hand.got[0]
    finally:
        hand.close()


@pytest.mark.parametrize("kind", get_args(ask.AnyRequest), ids=lambda kind: kind.__name__)
def test_the_first_bytes_say_what_it_is(kind: Any) -> None:
    tag = str(kind.__struct_config__.tag)
    for number in (0, 127, 128, 255, 256, 1 << 16, 1 << 40):
        assert head_of(to_msgpack(Call(number=number, ask=kind()))) == Head(number=number, tag=tag)
    assert KINDS[tag] is kind


@pytest.mark.parametrize("raw", [
    b"", b"\x82", b"\x82\xa6number", b"\x82\xa6number\x01", b"\x82\xa6number\x01\xa3ask",
    b"\x82\xa6number\x01\xa3ask\x81\xa3ask", b"\x82\xa6number\x01\xa3ask\x81\xa3ask\xa9abc",
    b"\x82\xa6number\xff\xa3ask\x81\xa3ask\xa1a",
    b"\x82\xa6number\x01\xa3ask\x81\xa3ask\xa2\xff\xff",
    b"\x82\xa6number\xcf", b"\x93" * 100,
])
def test_other_bytes_say_nothing(raw: bytes) -> None:
    assert head_of(raw) is None


async def test_a_large_message_of_a_small_kind_is_not_read(door: Door) -> None:
    reply = await said(door, by_hand(b"plan-fail", b"nodes", MANY), LOOKER)
    assert reply.problems[0].code == "request-too-large" and reply.number == 1
    assert door.server.counts["unread"] == 1 and not door.server.counts["undecodable"]


async def test_a_role_is_looked_at_before_a_large_message_is_read(door: Door) -> None:
    reply = await said(door, by_hand(b"package-apply", b"files", MANY), LOOKER)
    assert reply.verdict == "not-authorised" and door.server.counts["unread"] == 1


async def test_a_list_beyond_its_bound_is_refused_in_words(door: Door) -> None:
    reply = await said(door, by_hand(b"plan-fail", b"nodes", 65), LOOKER)
    assert reply.problems[0].code == "bad-request" and "Give less" in reply.problems[0].fix
    reply = await said(door, by_hand(b"package-apply", b"files", MANY), KEEPER)
    assert reply.problems[0].code == "bad-request" and "length <= 5000" in reply.problems[0].because


@pytest.mark.parametrize("request_", [
    ask.SetSwitching(package="a", reason="x" * 501), ask.GetStatus(request="x" * 65),
    ask.SetSwitching(package="x" * 254), ask.SetSwitching(for_s=float("nan")),
    ask.SetMaintenance(for_s=float("inf")), ask.SetMaintenance(for_s=-1.0),
    ask.InviteNode(for_s=float("nan")), ask.GetEvents(wait_s=float("inf")),
    ask.GetEvents(after=(1 << 63) + 1), ask.GetEvents(limit=-5),
    ask.AddNode(raft_port=65536), ask.PlanFailure(nodes=("n1",) * 65),
], ids=lambda each: type(each).__name__)
async def test_what_is_beyond_a_bound_is_a_problem(door: Door, request_: ask.AnyRequest) -> None:
    answer = await asked(door.endpoint, ROOT, request_)
    assert code_of(answer) == "bad-request" and not door.begun


async def test_one_large_request_at_a_time_for_each_operator(door: Door) -> None:
    first = asyncio.ensure_future(asked(door.endpoint, KEEPER, ask.ApplyPackages(files=FILES)))
    await until(lambda: door.begun)
    second = await asked(door.endpoint, KEEPER, ask.ApplyPackages(files=FILES))
    assert code_of(second) == "too-many-requests"
    assert isinstance(await asked(door.endpoint, KEEPER, ask.GetStatus()), Reply)
    other = asyncio.ensure_future(asked(door.endpoint, ROOT, ask.ApplyPackages(files=FILES)))
    await until(lambda: len(door.begun) == 3)
    door.released.set()
    for each in (await first, await other):
        assert isinstance(each, Reply) and each.verdict == "done"
    assert not door.server._gate._under_way


def test_a_node_may_have_several_under_way() -> None:
    gate, node = Gate(), Caller(name="n1", role="full-admin", is_node=True)
    head = Head(number=1, tag="facts")
    for _ in range(MOST_LARGE_OF_NODE):
        assert gate.refused(node, "key", head, now_s=1.0) is None
        gate.begins("key")
    assert gate.refused(node, "key", head, now_s=1.0) is not None
    assert gate.refused(node, "other", head, now_s=1.0) is None
    gate.ended("key")
    assert gate.refused(node, "key", head, now_s=1.0) is None


def test_what_took_long_to_read_is_paid_for() -> None:
    gate, caller, head = Gate(), Caller(name="a"), Head(number=1, tag="cluster-check")
    gate.was_read("key", began_s=10.0, ended_s=10.5)
    refused = gate.refused(caller, "key", head, now_s=10.5 + SHARE * 0.5 - 0.01)
    assert refused is not None and refused.code == "too-many-requests"
    assert gate.refused(caller, "key", head, now_s=10.5 + SHARE * 0.5) is None
    assert gate.refused(caller, "other", head, now_s=10.5) is None


async def test_who_has_too_much_under_way_is_refused_unread(door: Door) -> None:
    hand = Hand(door, LOOKER)
    for number in range(3):
        await hand.send(to_msgpack(Call(number=number, ask=ask.GetMove())))
    await until(lambda: len(door.begun) == 3)
    await hand.send(by_hand(b"plan-fail", b"nodes", 65))
    await until(lambda: hand.got)
    assert hand.got[0].problems[0].code == "too-many-requests"
    assert not door.server.counts["undecodable"]
    hand.close()


async def test_who_floods_hears_of_it_later(door: Door) -> None:
    hand, loop = Hand(door, LOOKER), asyncio.get_running_loop()
    began_s = loop.time()
    await hand.send(by_hand(b"plan-fail", b"nodes", SMALL_BYTES))
    await until(lambda: hand.got)
    assert loop.time() - began_s >= 0.9 * REFUSED_AFTER_S
    hand.close()


async def test_a_long_answer_is_cut_and_what_refuses_stays(door: Door) -> None:
    answer = await asked(door.endpoint, ROOT, ask.GetPackages())
    assert isinstance(answer, Reply) and len(answer.problems) == MOST_TOLD
    assert answer.problems[0].code == "p-500" and answer.problems[-1].code == "more-problems"
    assert answer.problems[-1].what == "There are 901 more."


async def test_an_answer_that_no_client_takes_is_a_problem(door: Door) -> None:
    assert code_of(await asked(door.endpoint, ROOT, ask.GetConfig())) == "answer-too-long"


async def test_a_flood_of_large_messages_leaves_the_loop_to_the_others(door: Door) -> None:
    """None of them is decoded, and another's questions are answered meanwhile."""
    hand, raw = Hand(door, LOOKER), by_hand(b"plan-fail", b"nodes", MANY)
    other, answered = Peer(door.endpoint, NODE), 0

    async def flood() -> None:
        for _ in range(20):
            await hand.send(raw)

    try:
        flooding = asyncio.ensure_future(flood())
        while len(hand.got) < 20:
            answer = await other.ask(ask.GetStatus(), deadline_s=LONG_S, connect_s=LONG_S)
            assert isinstance(answer, Reply)
            answered += len(hand.got) < 20
            await asyncio.sleep(0)
        await flooding
    finally:
        hand.close()
        other.close()
    assert {each.problems[0].code for each in hand.got} == {"request-too-large"}
    assert answered > 5 and door.server.counts["unread"] == 20


async def test_a_turn_of_an_inbox_ends_by_time_as_well(door: Door) -> None:
    """Messages that take long to look at leave the loop its turns."""
    looked, turns = list[int](), list[int]()

    def slow(key: str, route: bytes, payload: bytes) -> None:
        end_s = loop.time() + 2 * TURN_S
        while loop.time() < end_s:
            pass
        looked.append(len(payload))
        if len(looked) == 1:
            loop.call_soon(lambda: turns.append(len(looked)))

    loop = asyncio.get_running_loop()
    hand = Hand(door, LOOKER)
    await hand.send(to_msgpack(Call(number=0, ask=ask.GetStatus())))
    await until(lambda: hand.got)
    door.server._listener._received = slow
    for _ in range(5):
        await hand.send(b"x")
    await until(lambda: len(looked) == 5)
    assert turns == [1]
    hand.close()


@pytest.mark.parametrize("text, asks_next", [(LARGE, False), ("small", True)])
async def test_a_large_question_is_not_carried_on_to_the_next_node(
    door: Door, tmp_path: Path, text: str, asks_next: bool,
) -> None:
    next_ = Door(tmp_path, "next")
    next_.released.set()
    assert next_.server.start() is None
    client = Client([door.endpoint, next_.endpoint], ROOT)
    asking = asyncio.ensure_future(client.ask(
        ask.CheckPackages(files=(NamedText(name="a", text=text),)), deadline_s=LONG_S))
    await until(lambda: door.begun)
    await door.server.close()
    answer = await asking
    assert isinstance(answer, Reply if asks_next else Problem)
    assert bool(next_.begun) == asks_next
    client.close()
    await next_.server.close()
