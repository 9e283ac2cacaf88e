"""The whole story in about a minute, told while it happens on a lab of its own.

Up; a TCP connection to the guest is held open; the guest moves, and both its life and the
connection go on; the node it is on loses its power, and it starts elsewhere; that node is drained;
down. Whatever is not as it should be ends the story with a Problem, and the lab is removed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from cluster.api.client import Client
from cluster.api.messages import AnyRequest, DrainNode, GetMove, GetStatus, MovePackage, Reply
from cluster.clock import Clock, HostClock
from cluster.lab import lab, ready
from cluster.lab.echo_client import EchoClient
from cluster.lab.plan import ECHO_PORT, LabOptions
from cluster.lab.record import LabRecord
from packages.core.problem import Problem, problem
from packages.core.values import Value

Tell = Callable[[str], None]

ANSWER_S = 10.0
LONG_S = 90.0
"""Each chapter takes seconds; a starved machine takes longer."""

LOOK_S = 0.1
HELD_S = 1.0
"""How long the connection is used before and after what it must survive."""


class Chapters(Value):
    """What was measured."""

    move: dict[str, Any]
    longest_silence_ms: float
    """Of the connection, over the move."""
    answers: int
    """On that one connection."""
    failover_s: float
    """From the power cut until the guest answers on another node."""
    drain_s: float


class Broken(Exception):
    """Ends the story early; caught where the story is told."""

    def __init__(self, why: Problem) -> None:
        super().__init__(why.what)
        self.why = why


async def demo(options: LabOptions, tell: Tell, clock: Clock | None = None) -> Chapters | Problem:
    """Make a lab, tell the story, remove the lab whatever comes."""
    tell(f"A cluster of {options.nodes} nodes on this machine, with one virtual machine:")
    record = await lab.up(options, lambda line: tell(f"  {line}"))
    if isinstance(record, Problem):
        return record
    outcome: Chapters | Problem
    try:
        outcome = await told(Story(record, tell, clock or HostClock()))
    finally:
        tell("Down: everything is removed again.")
        failure = await lab.down(record.dir)
    return outcome if failure is None else failure


async def told(story: "Story") -> Chapters | Problem:
    try:
        async with story.asked_of():
            return await story.tell_all()
    except Broken as end:
        return end.why


class Story:
    def __init__(self, record: LabRecord, tell: Tell, clock: Clock) -> None:
        self._record, self._tell, self._clock = record, tell, clock
        self._package = record.plan.packages[0]
        self._client: Client

    @contextlib.asynccontextmanager
    async def asked_of(self) -> AsyncIterator[None]:
        found = await ready.api_client(self._record.plan)
        if isinstance(found, Problem):
            raise Broken(found)
        self._client = found
        try:
            yield
        finally:
            self._client.close()

    async def tell_all(self) -> Chapters:
        move, client = await self._move_under_load()
        failover_s, killed = await self._lose_a_node()
        await self._power_on(killed)
        drain_s = await self._drain()
        return Chapters(
            move=move, longest_silence_ms=round(client.longest_silence_ms, 1),
            answers=client.answers, failover_s=round(failover_s, 2), drain_s=round(drain_s, 2),
        )

    async def _move_under_load(self) -> tuple[dict[str, Any], EchoClient]:
        before = await self._status_of_package()
        target = next(each for each in self._package.nodes if each != before["node"])
        async with EchoClient(self._package.guest_address, ECHO_PORT).held_open() as client:
            await asyncio.sleep(HELD_S)
            name = self._package.name
            self._tell(f"{name} runs on {before['node']}; a TCP client talks to it. "
                       f"vmsg move {name} {target}")
            opened = await self._ask(MovePackage(
                request=self._clock.token(), package=name, node=target, reason="vmsg lab demo",
            ))
            move = await self._until(lambda: self._move_ended(opened["id"]), "the move to end")
            await asyncio.sleep(HELD_S)
        after = await self._status_of_package()
        if move["result"] != "completed":
            raise Broken(failed("The move did not complete.", str(move["problem"])))
        if client.broken or after["boot_id"] != before["boot_id"]:
            raise Broken(failed(
                "The guest did not survive its move.",
                client.broken or f"Its life was {before['boot_id']}, now {after['boot_id']}.",
            ))
        self._tell(
            f"  moved in {move['total_ms'] / 1000:.1f} s; freeze {move['freeze_ms']:.1f} ms; "
            f"monitoring suspended {move['monitoring_suspended_ms']:.1f} ms"
        )
        self._tell(
            f"  same life {after['boot_id']}; the connection held: {client.answers} answers, "
            f"longest silence {client.longest_silence_ms:.0f} ms"
        )
        return move, client

    async def _lose_a_node(self) -> tuple[float, str]:
        before = await self._status_of_package()
        node = before["node"]
        self._tell(f"The power of {node} is cut. vmsg lab kill {node}")
        began_s = self._clock.boottime_s()
        failure = await lab.kill(self._record.dir, node)
        if failure is not None:
            raise Broken(failure)

        async def answers_elsewhere() -> dict[str, Any] | None:
            now = await self._try_package()
            if not now or now["node"] in (None, node) or now["state"] != "running":
                return None
            spoke = await ready.answered(ready.echoes(self._package.guest_address))
            return now if spoke else None

        now = await self._until(answers_elsewhere, "the failover")
        took_s = self._clock.boottime_s() - began_s
        self._tell(f"  {self._package.name} answers on {now['node']} after {took_s:.1f} s, "
                   f"in a new life {now['boot_id']}")
        return took_s, node

    async def _power_on(self, node: str) -> None:
        self._tell(f"{node} gets its power back. vmsg lab start {node}")
        started = await lab.start(self._record.dir, node)
        if isinstance(started, Problem):
            raise Broken(started)

        async def is_up() -> bool:
            status = await self._try_status()
            return status is not None and all(each["status"] == "up" for each in status["nodes"])

        await self._until(is_up, f"{node} to come up")

    async def _drain(self) -> float:
        node = (await self._status_of_package())["node"]
        self._tell(f"{node} is emptied for maintenance. vmsg node drain {node}")
        began_s = self._clock.boottime_s()
        async with EchoClient(self._package.guest_address, ECHO_PORT).held_open() as client:
            await self._ask(DrainNode(
                request=self._clock.token(), node=node, reason="vmsg lab demo",
            ))

            async def is_empty() -> dict[str, Any] | None:
                now = await self._try_package()
                return now if now and now["node"] != node and now["move"] is None else None

            now = await self._until(is_empty, f"{node} to be empty")
        took_s = self._clock.boottime_s() - began_s
        if client.broken:
            raise Broken(failed("The connection did not survive the drain.", client.broken))
        self._tell(f"  empty after {took_s:.1f} s: {self._package.name} runs on {now['node']}, "
                   f"and its connection held")
        return took_s

    # asking

    async def _ask(self, request: AnyRequest) -> Any:
        answer = await self._client.ask(request, deadline_s=LONG_S)
        if isinstance(answer, Problem):
            raise Broken(answer)
        if answer.verdict != "done":
            raise Broken(answer.problems[0] if answer.problems else failed(
                f"{type(request).__name__} was not done.", answer.verdict))
        return answer.result

    async def _try_status(self) -> Any:
        answer = await self._client.ask(GetStatus(), deadline_s=ANSWER_S)
        return answer.result if isinstance(answer, Reply) and answer.verdict == "done" else None

    async def _try_package(self) -> dict[str, Any] | None:
        status = await self._try_status()
        found = status["packages"] if status is not None else ()
        return next((each for each in found if each["name"] == self._package.name), None)

    async def _status_of_package(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._until(self._try_package, "a status")
        return found

    async def _move_ended(self, move_id: str) -> dict[str, Any] | None:
        answer = await self._client.ask(
            GetMove(package=self._package.name), deadline_s=ANSWER_S,
        )
        if not isinstance(answer, Reply) or not isinstance(answer.result, dict):
            return None
        shown: dict[str, Any] = answer.result
        return shown if shown["id"] == move_id and shown["result"] is not None else None

    async def _until(self, found: Callable[[], Any], what: str) -> Any:
        """The first answer that is not empty."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONG_S):
                while not (answer := await found()):
                    await asyncio.sleep(LOOK_S)
                return answer
        raise Broken(failed(f"Waiting for {what} was in vain.", f"It took over {LONG_S:g} s."))


def failed(what: str, because: str) -> Problem:
    return problem(
        "lab-failed", "lab", what=what, because=because,
        fix="See whether this machine is overloaded, then tell the story again.",
    )
