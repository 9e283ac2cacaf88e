"""Long answers take turns, so that neither the loop nor another caller waits for all of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from cluster.answers import questions
from cluster.answers.fair import Fair
from cluster.api import messages as ask
from cluster.api.roles import Caller
from cluster.clock import HostClock
from cluster.core.beside import Surroundings
from cluster.core.machine import StateMachine
from cluster.core.model import Event, PackageRecord, State, with_package
from cluster.ledger import Ledger
from packages.core.model import PackageSpec, VmSpec
from packages.core.values import Map, changed

WORK_S = 0.01


def work() -> None:
    end_s = time.monotonic() + WORK_S
    while time.monotonic() < end_s:
        pass


async def test_the_loop_has_turns_between_and_a_pause_as_long() -> None:
    fair, turns = Fair(), 0
    done: list[float] = []

    async def one() -> None:
        async with fair.turn("a"):
            work()
            done.append(asyncio.get_running_loop().time())

    asking = [asyncio.ensure_future(one()) for _ in range(10)]
    while not all(each.done() for each in asking):
        turns += 1
        await asyncio.sleep(0)
    pauses = [later - earlier for earlier, later in zip(done, done[1:])]
    assert turns > 20 and min(pauses) >= 2 * WORK_S * 0.9 and not fair._own


async def test_who_asks_much_stands_in_the_line_once() -> None:
    fair, order = Fair(), list[str]()

    async def one(caller: str) -> None:
        async with fair.turn(caller):
            order.append(caller)

    asking = [asyncio.ensure_future(one("flood")) for _ in range(20)]
    for _ in range(3):
        await asyncio.sleep(0)
    asking.append(asyncio.ensure_future(one("other")))
    await asyncio.gather(*asking)
    assert "other" in order[:5]


class Quiet:
    def watch(self, changed: object) -> None:
        pass


def desk(state: State) -> Any:
    replica: Any = Quiet()
    machine = StateMachine()
    machine.state = state

    async def around(_: object) -> Surroundings:
        return Surroundings(
            now_ms=1, time_ms=1, leader="n1", quorum=True, term=1, addresses={})

    async def silence() -> None:
        return None

    return SimpleNamespace(
        ledger=Ledger(replica, machine, HostClock(), "n1"), machine=machine, fair=Fair(),
        around=around, silence=silence, node="n1", refused=dict)


def told(number: int) -> State:
    events = {each: Event(index=each, at_ms=0, subject="a", what="b")
              for each in range(1, number + 1)}
    return State(events=Map(events), next_event=number + 1)


async def test_each_long_question_waits_for_its_turn() -> None:
    state = with_package(told(5), PackageRecord(spec=PackageSpec(
        name="web", nodes=("n1",), vm=VmSpec(memory_mib=1, disks=()))))
    caller = Caller(name="a")
    asked: dict[Any, ask.AnyRequest] = {
        questions.status: ask.GetStatus(), questions.packages: ask.GetPackages(),
        questions.events: ask.GetEvents()}
    for answer, request in asked.items():
        there = desk(state)
        async with there.fair.turn("b"):
            asking = asyncio.ensure_future(answer(there, caller, request))
            for _ in range(50):
                await asyncio.sleep(0)
            assert not asking.done(), answer
        assert (await asking).verdict == "done"


async def test_descriptions_are_told_in_parts() -> None:
    state = State()
    for each in range(2 * questions.TOLD_AT_ONCE + 1):
        state = with_package(state, PackageRecord(spec=PackageSpec(
            name=f"p{each:04}", nodes=("n1",), vm=VmSpec(memory_mib=1, disks=()))))
    there = desk(state)
    turns = there.fair = Counting()
    reply = await questions.packages(there, Caller(name="a"), ask.GetPackages())
    assert turns.times == 3
    assert [each["name"] for each in reply.result["packages"]] == sorted(state.packages)
    assert reply.result["text"].count("name:") == len(state.packages)


class Counting:
    def __init__(self) -> None:
        self.times = 0

    @asynccontextmanager
    async def turn(self, _: str) -> AsyncIterator[None]:
        self.times += 1
        yield


async def test_who_waits_for_news_looks_at_each_event_once() -> None:
    there = desk(told(3000))
    asking = [asyncio.ensure_future(questions.events(there, Caller(name="a"), ask.GetEvents(
        of_request="mine", wait_s=30.0))) for _ in range(20)]
    for _ in range(50):
        await asyncio.sleep(0)
    looked = [waits for waits in there.ledger._waiting.values()]
    assert len(looked) == 20 and {waits._ask.after for waits in looked} == {3000}
    state = there.machine.state
    there.machine.state = changed(state, next_event=3002, events=state.events.set(
        3001, Event(index=9, at_ms=0, subject="a", what="b", request="mine-1")))
    there.ledger._moved_on()
    answers = await asyncio.gather(*asking)
    assert {len(each.result["events"]) for each in answers} == {1}
