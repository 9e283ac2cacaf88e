"""The simulated network: connections between processes, and what can happen to their messages.

Along one connection messages keep their order, as over TCP. A cut in one direction holds them up
(they arrive late, if it heals in time) or loses them. A `wild` network also repeats messages and
lets some come long after their time, which queues in front of a connection can do.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Literal, Protocol

from cluster.api.messages import AnyRequest, Call, Reply
from cluster.api.roles import Caller, refused_to
from packages.core.problem import Problem, problem
from packages.core.values import changed, from_msgpack, to_msgpack
from tests.simulation.process import Process
from tests.simulation.timeline import Timeline

Manner = Literal["orderly", "wild"]

STALL_S = 1.5
"""A connection through which nothing came for so long is given up, and what was under way with
it (cluster.socket_options.HOST_DEAD_AFTER_MS)."""
CONNECT_S = 0.4
"""How long an asker waits for a connection (cluster.api.peer.CONNECT_S)."""

Taken = Callable[[str, bytes], None]
"""(who sent it, what)"""


class Ear:
    """Where one process takes messages of one kind."""

    def __init__(self, process: Process, taken: Taken) -> None:
        self.process, self.taken = process, taken


class Network:
    def __init__(self, timeline: Timeline, manner: Manner) -> None:
        self._timeline, self.dice, self._manner = timeline, timeline.dice, manner
        self._ears: dict[tuple[str, str], Ear] = {}
        self._cut: dict[tuple[str, str], float] = {}
        """Direction -> since when nothing passes."""
        self._slow: dict[tuple[str, str], float] = {}
        self.hanging: dict[str, float] = {}
        """Hosts that stand still as a whole -> since when."""
        self._last_due_s: dict[tuple[str, str, str], float] = {}
        self._stalled: dict[tuple[str, str], list[tuple[float, str, bytes, Ear]]] = {}

    # who listens

    def listen(self, host: str, kind: str, process: Process, taken: Taken) -> None:
        self._ears[host, kind] = Ear(process, taken)

    def leave(self, host: str, kind: str, process: Process) -> None:
        if self.hears(host, kind, process):
            del self._ears[host, kind]

    def hears(self, host: str, kind: str, process: Process | None) -> bool:
        ear = self._ears.get((host, kind))
        return ear is not None and ear.process is process

    def reaches(self, source: str, target: str, kind: str) -> bool:
        """Whether a connection from source to target stands."""
        ear = self._ears.get((target, kind))
        if ear is None or not ear.process.is_alive:
            return False
        now_s = self._timeline.now_s
        return all(
            now_s - self._cut.get(each, now_s) < STALL_S
            for each in ((source, target), (target, source))
        )

    # what passes

    def send(self, source: str, target: str, kind: str, raw: bytes) -> bool:
        if not self.reaches(source, target, kind):
            return False
        ear = self._ears[target, kind]
        if (source, target) in self._cut:
            stalled = (self._timeline.now_s, kind, raw, ear)
            self._stalled.setdefault((source, target), []).append(stalled)
            return True
        self._carry(source, target, kind, raw, ear)
        return True

    def _carry(self, source: str, target: str, kind: str, raw: bytes, ear: Ear) -> None:
        dice, now_s, way = self.dice, self._timeline.now_s, (source, target, kind)
        delay_s = dice.uniform(0.0001, 0.002) + self._slow.get((source, target), 0.0)
        if self._manner == "wild" and dice.random() < 0.04:
            late_s = dice.expovariate(2.0) if dice.random() < 0.7 else 0.0
            ear.process.after(delay_s + late_s, self._arrive, source, kind, raw, ear)
            if dice.random() < 0.5:
                return  # only late; else it comes twice
        due_s = max(now_s + delay_s, self._last_due_s.get(way, 0.0) + 1e-7)
        self._last_due_s[way] = due_s
        ear.process.at(due_s, self._arrive, source, kind, raw, ear)

    def _arrive(self, source: str, kind: str, raw: bytes, ear: Ear) -> None:
        if ear in self._ears.values():
            ear.taken(source, raw)

    # what happens to it

    def cut(self, source: str, target: str) -> None:
        """In this direction nothing passes from now on."""
        self._cut.setdefault((source, target), self._timeline.now_s)

    def is_cut(self, one: str, other: str) -> bool:
        return (one, other) in self._cut or (other, one) in self._cut or (
            one in self.hanging or other in self.hanging)

    def cut_for_s(self, one: str, other: str) -> float:
        """For how long the two have not been able to talk to each other."""
        since_s = [self._cut[each] for each in ((one, other), (other, one)) if each in self._cut]
        since_s += [self.hanging[each] for each in (one, other) if each in self.hanging]
        return self._timeline.now_s - min(since_s) if since_s else 0.0

    def slow(self, source: str, target: str, by_s: float) -> None:
        self._slow[source, target] = by_s

    def heal(self) -> None:
        self._cut, self._slow = {}, {}
        stalled, self._stalled = self._stalled, {}
        for (source, target), messages in stalled.items():
            for since_s, kind, raw, ear in messages:
                if self._timeline.now_s - since_s < STALL_S and ear.process.is_alive:
                    self._carry(source, target, kind, raw, ear)


class SimulatedLinks:
    """A voter's links (cluster.raft.links.Links)."""

    def __init__(
        self, host: str, peers: Collection[str], network: Network, process: Process,
    ) -> None:
        self.peers = peers
        self._host, self._network, self._process = host, network, process

    def start(self, received: Taken) -> Problem | None:
        self._network.listen(self._host, "raft", self._process, received)
        return None

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        return self._network.send(self._host, peer, "raft", raw)

    def close(self) -> None:
        self._network.leave(self._host, "raft", self._process)


class Answers(Protocol):
    async def __call__(self, caller: Caller, request: AnyRequest) -> Reply: ...


class SimulatedServer:
    """A node's door for requests (cluster.node.Server)."""

    def __init__(
        self, host: str, network: Network, process: Process, answer: Answers,
    ) -> None:
        self._host, self._network, self._process = host, network, process
        self._answer = answer
        self._tasks: dict[asyncio.Task[None], None] = {}

    def start(self) -> Problem | None:
        self._network.listen(self._host, "api", self._process, self._received)
        return None

    def _received(self, source: str, raw: bytes) -> None:
        call: Call = from_msgpack(raw, Call)
        caller = self.caller_of(source)
        if caller is None:
            return  # as by an unknown key: it is not even refused
        assert refused_to(caller, call.ask) is None
        task = asyncio.get_running_loop().create_task(self._carry_out(source, caller, call))
        self._tasks[task] = None
        task.add_done_callback(lambda ended: self._tasks.pop(ended, None))

    def caller_of(self, source: str) -> Caller | None:
        return Caller(name=source, role="full-admin", is_node=source != OPERATOR)

    async def _carry_out(self, source: str, caller: Caller, call: Call) -> None:
        reply = await self._answer(caller, call.ask)
        self._network.send(
            self._host, source, "reply", to_msgpack(changed(reply, number=call.number)))

    async def close(self) -> None:
        self._network.leave(self._host, "api", self._process)
        for task in self._tasks:
            task.cancel()


OPERATOR = "operator"
"""The host an operator's requests come from; no cut concerns it."""


class Asker:
    """One process's side of all its requests: matches replies to them by number."""

    def __init__(self, host: str, network: Network, process: Process) -> None:
        self.host, self.network = host, network
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Reply | Problem]] = {}
        network.listen(host, "reply", process, self._arrived)

    @property
    def is_waiting(self) -> bool:
        """Whether something asked may yet come to pass."""
        return bool(self._waiting)

    def _arrived(self, _source: str, raw: bytes) -> None:
        reply: Reply = from_msgpack(raw, Reply)
        waiting = self._waiting.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    async def ask(
        self, target: str, request: AnyRequest, *, deadline_s: float,
    ) -> Reply | Problem:
        if not self.network.reaches(self.host, target, "api"):
            await asyncio.sleep(min(deadline_s, CONNECT_S))
        self._number += 1
        number = self._number
        payload = to_msgpack(Call(number=number, ask=request))
        if not self.network.send(self.host, target, "api", payload):
            return unanswered("node-unreachable", target)
        answer: asyncio.Future[Reply | Problem] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            return await asyncio.wait_for(answer, deadline_s)
        except TimeoutError:
            return unanswered("timed-out", target)
        finally:
            del self._waiting[number]


class SimulatedNeighbour:
    """Another node, as this one asks it (cluster.api.neighbour.Neighbour)."""

    def __init__(self, asker: Asker, name: str) -> None:
        self._asker, self._name = asker, name

    def is_reached(self) -> bool:
        """Whether it would be let in there, and finds whom it expects."""
        return True

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        if not self.is_reached():
            await asyncio.sleep(min(deadline_s, CONNECT_S))
            return unanswered("node-unreachable", self._name)
        return await self._asker.ask(self._name, request, deadline_s=deadline_s)


def unanswered(code: str, target: str) -> Problem:
    return problem(
        code, f"node:{target}", what="There is no answer.", because="The simulation says so.",
        fix="Ask again.",
    )
