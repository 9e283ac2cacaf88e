"""The door through which operators and other nodes ask this node.

What arrives is decoded to a declared type or refused, the caller is who its key says, and what its
role forbids is refused before anybody looks at it. Each request is a task of its own, so a slow
answer holds up nobody else; a caller may have a limited number under way.

What must never happen here: an exception because of what arrived; a caller without an answer
because answering failed; an answer to somebody else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

from cluster.api.messages import AnyRequest, Call, Reply, Verdict
from cluster.api.roles import Caller, refused_to
from cluster.api.vital import VITAL
from cluster.config.schema import PublicKeys
from cluster.core.trust import Invitation
from cluster.sockets import CurveKeys, Listener
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, changed, from_msgpack, to_msgpack

Answer = Callable[[Caller, AnyRequest], Awaitable[Reply]]
"""May take its time; raises only for a bug, or because it is cancelled when the server closes."""

MOST_UNDER_WAY = 64
"""For each caller: a dozen operators who follow events, and every question of a busy peer."""

LARGEST_REQUEST_BYTES = 8 << 20
"""A thousand package files of 8 KiB in one `package apply`."""

CLOSING_S = 2.0
"""What a cancelled answer has to end; longer than anything that is not stuck takes."""

log = logging.getLogger("vmsg.api")


class NumberOnly(Value):
    """As much of a Call as is needed to say that the rest of it was not understood."""

    number: int


class ApiServer:
    """`answer` is asked on the running event loop; its reply's number is filled in here."""

    def __init__(
        self, endpoints: Sequence[str], *, keys: CurveKeys, answer: Answer,
        most_under_way: int = MOST_UNDER_WAY,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Requests answered and refused, by reason."""
        self._answer = answer
        self._most_under_way = most_under_way
        self._callers: dict[str, Caller] = {}
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = Listener(
            endpoints, keys=keys, received=self._received,
            max_message_bytes=LARGEST_REQUEST_BYTES,
        )

    @property
    def endpoints(self) -> list[str]:
        """After `start`: those really bound."""
        return self._listener.endpoints

    @property
    def drops(self) -> Counter[str]:
        """Strangers and lost answers, as the listener counts them."""
        return self._listener.drops

    def allow(self, keys: PublicKeys, invitations: Iterable[Invitation] = ()) -> None:
        """Replace the list of those who may speak; holds from the next message on."""
        callers = {
            each.public_key: Caller(name=each.name, role=each.role) for each in keys.operators
        }
        callers |= {
            each.key: Caller(name=each.node, invitation=each.id) for each in invitations
        }
        callers |= {
            key: Caller(name=name, role="full-admin", is_node=True)
            for name, key in (*keys.nodes.items(), *keys.next.items())
        }
        # A node and an operator may have the same name: the key tells them apart.
        self._callers = callers
        self._listener.allow({key: key for key in callers})

    def change_keys(self, keys: CurveKeys) -> Problem | None:
        """Prove another key from now on; who waits for an answer asks again."""
        return self._listener.change_keys(keys)

    def start(self) -> Problem | None:
        return self._listener.start()

    async def close(self) -> None:
        """Hear no more, give up what is under way, and leave nothing behind."""
        self._listener.close()
        tasks = list(self._tasks)
        for each in tasks:
            each.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=CLOSING_S)
            if stuck:
                log.error("%d answers did not end when they were cancelled", len(stuck))

    def _received(self, key: str, route: bytes, payload: bytes) -> None:
        caller = self._callers[key]
        try:
            call: Call = from_msgpack(payload, Call)
        except Undecodable as error:
            self._refuse_undecodable(route, payload, because=str(error))
            return
        refusal = refused_to(caller, call.ask)
        if refusal is not None:
            self._send(route, call, refusing(refusal, verdict="not-authorised"))
        elif self._under_way[key] >= self._most_under_way and not isinstance(call.ask, VITAL):
            self._send(route, call, refusing(self._too_many(caller)))
        else:
            self._begin(caller, key, route, call)

    def _begin(self, caller: Caller, key: str, route: bytes, call: Call) -> None:
        self._under_way[key] += 1
        task = asyncio.get_running_loop().create_task(self._carry_out(caller, route, call))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(key, ended))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]

    async def _carry_out(self, caller: Caller, route: bytes, call: Call) -> None:
        try:
            self._send(route, call, await self._answer(caller, call.ask))
        except Exception:  # a bug in any answer: its caller is told, and the others are served on
            log.exception("answering %s of %s failed", type(call.ask).__name__, caller.name)
            self._send(route, call, refusing(internal_error(call.ask), verdict="failed"))

    def _send(self, route: bytes, call: Call, reply: Reply) -> None:
        request = reply.request or call.ask.request
        payload = to_msgpack(changed(reply, number=call.number, request=request))
        self.counts[reply.verdict] += 1
        self._listener.send(route, payload)

    def _refuse_undecodable(self, route: bytes, payload: bytes, *, because: str) -> None:
        self.counts["undecodable"] += 1
        try:
            numbered: NumberOnly = from_msgpack(payload, NumberOnly)
        except Undecodable:
            return  # not even a number to answer to
        refusal = problem(
            "bad-request", "request", what="The request could not be understood.",
            because=because,
            fix="See that this host and the node run the same version of the product.",
        )
        self._listener.send(route, to_msgpack(changed(refusing(refusal), number=numbered.number)))

    def _too_many(self, caller: Caller) -> Problem:
        return problem(
            "too-many-requests", f"operator:{caller.name}",
            what=f"{caller.name} has too many requests under way.",
            because=f"A node answers {self._most_under_way} at once for each caller.",
            fix="Wait for some of them to end.",
        )


def refusing(*problems: Problem, verdict: Verdict = "refused") -> Reply:
    """The reply that says no."""
    return Reply(verdict=verdict, problems=problems)


def internal_error(request: AnyRequest) -> Problem:
    return problem(
        "internal-error", "node", what="The node failed to answer because of a bug.",
        because=f"Answering {type(request).__name__} ended with an exception.",
        fix="The log of vmsgd on that node holds the details; please report them.",
    )
