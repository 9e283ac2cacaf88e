"""The door through which operators and other nodes ask this node.

What arrives is decoded to a declared type or refused, the caller is who its key says, and what its
role forbids is refused before anybody looks at it. What is large (gate.py), or comes from a caller
who has too much under way, is refused before it is decoded. Each request is a task of its own, so a
slow answer holds up nobody else; a caller may have a limited number under way.

What must never happen here: an exception because of what arrived; a caller without an answer
because answering failed; an answer to somebody else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

from cluster.api.bounds import SMALL_BYTES
from cluster.api.gate import Gate, head_of
from cluster.api.messages import AnyRequest, Call, Reply, Verdict
from cluster.api.ping import PING, PONG
from cluster.api.roles import Caller, refused_to
from cluster.api.vital import VITAL
from cluster.config.schema import PublicKeys
from cluster.core.trust import Invitation
from cluster.socket_inbox import Queues
from cluster.sockets import CurveKeys, Listener
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, changed, from_msgpack, to_msgpack

Answer = Callable[[Caller, AnyRequest], Awaitable[Reply]]
"""May take its time; raises only for a bug, or because it is cancelled when the server closes."""

MOST_UNDER_WAY = 64
"""For each caller: a dozen operators who follow events, and every question of a busy peer."""

LARGEST_REQUEST_BYTES = 8 << 20
"""A thousand package files of 8 KiB in one `package apply`."""

QUEUES = Queues(
    received=8, sent=2 * MOST_UNDER_WAY, connections=2 * MOST_UNDER_WAY, waiting_bytes=24 << 20)
"""A caller's next requests wait at the caller, not in this daemon's memory; its answers wait for it
here, and who does not fetch them loses the rest."""

LARGEST_ANSWER_BYTES = 32 << 20
"""Half of what a client takes (cluster/sockets.py); a status of 5,000 packages has a tenth."""

REFUSED_AFTER_S = 0.1
"""Who asks for too much hears of it a moment later: who asks again at once is slowed down by it."""

MOST_TOLD = 100
"""Problems in one answer: who mends a thousand of them asks again anyway."""

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
        self.refused: Callable[[Caller, str, str], None] = lambda caller, asked, address: None
        """Hears who asked for what they may not, and from where."""
        self._answer = answer
        self._most_under_way = most_under_way
        self._callers: dict[str, Caller] = {}
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = Listener(
            endpoints, keys=keys, received=self._received,
            max_message_bytes=LARGEST_REQUEST_BYTES, queues=QUEUES,
        )
        self._gate = Gate()

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
        if payload == PING:
            self._listener.send(route, PONG)
            return
        caller, is_large = self._callers[key], len(payload) > SMALL_BYTES
        if self._is_refused_unread(caller, key, route, payload, is_large=is_large):
            return
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            call: Call = from_msgpack(payload, Call)
        except Undecodable as error:
            self._refuse_undecodable(route, payload, because=str(error))
            return
        finally:
            if is_large:
                self._gate.was_read(key, began_s=began_s, ended_s=loop.time())
        refusal = refused_to(caller, call.ask)
        if refusal is not None:
            asked = str(type(call.ask).__struct_config__.tag)
            self.refused(caller, asked, self._listener.address)
            self._send(route, call, refusing(refusal, verdict="not-authorised"))
        elif self._is_busy(key) and not isinstance(call.ask, VITAL):
            self._send(route, call, refusing(self._too_many(caller)))
        else:
            self._begin(caller, key, route, call, is_large=is_large)

    def _is_busy(self, key: str) -> bool:
        return self._under_way[key] >= self._most_under_way

    def _is_refused_unread(
        self, caller: Caller, key: str, route: bytes, payload: bytes, *, is_large: bool,
    ) -> bool:
        if not is_large and not self._is_busy(key):
            return False
        head, refusal = head_of(payload), None
        if is_large:
            refusal = self._gate.refused(
                caller, key, head, now_s=asyncio.get_running_loop().time())
        if refusal is None and head is not None and self._is_busy(key) and not head.is_vital:
            refusal = self._too_many(caller)
        if refusal is None:
            return False
        verdict: Verdict = "not-authorised" if refusal.code == "not-authorised" else "refused"
        self.counts["unread"] += 1
        if verdict == "not-authorised" and head is not None:
            self.refused(caller, head.tag, self._listener.address)
        if head is not None:
            asyncio.get_running_loop().call_later(REFUSED_AFTER_S, self._reply, route, changed(
                refusing(refusal, verdict=verdict), number=head.number))
        return True

    def _begin(
        self, caller: Caller, key: str, route: bytes, call: Call, *, is_large: bool,
    ) -> None:
        self._under_way[key] += 1
        if is_large:
            self._gate.begins(key)
        task = asyncio.get_running_loop().create_task(
            self._serve(caller, key, route, call, is_large=is_large))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, caller: Caller, key: str, route: bytes, call: Call, *, is_large: bool,
    ) -> None:
        try:
            await self._carry_out(caller, route, call)
        finally:  # at once: whoever has the answer may send the next one
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
            if is_large:
                self._gate.ended(key)

    async def _carry_out(self, caller: Caller, route: bytes, call: Call) -> None:
        try:
            self._send(route, call, await self._answer(caller, call.ask))
        except Exception:  # a bug in any answer: its caller is told, and the others are served on
            log.exception("answering %s of %s failed", type(call.ask).__name__, caller.name)
            self._send(route, call, refusing(internal_error(call.ask), verdict="failed"))

    def _send(self, route: bytes, call: Call, reply: Reply) -> None:
        request = reply.request or call.ask.request
        self._reply(route, changed(reply, number=call.number, request=request))

    def _reply(self, route: bytes, reply: Reply) -> None:
        payload = to_msgpack(cut(reply))
        if len(payload) > LARGEST_ANSWER_BYTES:
            reply = changed(
                refusing(too_long(len(payload))), number=reply.number, request=reply.request)
            payload = to_msgpack(reply)
        self.counts[reply.verdict] += 1
        self._listener.send(route, payload)

    def _refuse_undecodable(self, route: bytes, payload: bytes, *, because: str) -> None:
        self.counts["undecodable"] += 1
        head = head_of(payload)
        if head is not None:
            self._reply(route, changed(refusing(not_understood(because)), number=head.number))
            return
        if len(payload) > SMALL_BYTES:
            return
        try:
            numbered: NumberOnly = from_msgpack(payload, NumberOnly)
        except Undecodable:
            return  # not even a number to answer to
        self._reply(route, changed(refusing(not_understood(because)), number=numbered.number))

    def _too_many(self, caller: Caller) -> Problem:
        return problem(
            "too-many-requests", f"operator:{caller.name}",
            what=f"{caller.name} has too many requests under way.",
            because=f"A node answers {self._most_under_way} at once for each caller.",
            fix="Wait for some of them to end.",
        )


def not_understood(because: str) -> Problem:
    """The declared bounds name themselves (cluster/api/bounds.py)."""
    is_beyond = " <= " in because or " >= " in because
    return problem(
        "bad-request", "request", because=because,
        what="Something in the request is too long, too many or too large." if is_beyond else
        "The request could not be understood.",
        fix="Give less of it, or a smaller number." if is_beyond else
        "See that this host and the node run the same version of the product.",
    )


def cut(reply: Reply) -> Reply:
    """With as many of its Problems as anybody reads: those that refuse first, and how many more
    there are."""
    if len(reply.problems) <= MOST_TOLD:
        return reply
    worst = sorted(reply.problems, key=lambda each: each.severity != "refuse")
    left = len(worst) - MOST_TOLD + 1
    return changed(reply, problems=(*worst[:MOST_TOLD - 1], problem(
        "more-problems", "request", severity=worst[-left].severity,
        what=f"There are {left} more.",
        because=f"An answer tells of {MOST_TOLD - 1}, those that refuse first.",
        fix="Mend these, then ask again.")))


def too_long(size: int) -> Problem:
    return problem(
        "answer-too-long", "node", what="The answer is too long to be sent.",
        because=f"It has {size >> 20} MiB, and {LARGEST_ANSWER_BYTES >> 20} are sent at the most.",
        fix="Ask for less at a time: one package, one node, a shorter time.",
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
