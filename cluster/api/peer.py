"""One lasting connection to one node's API, on which many requests may be under way at once.

Each answer is matched to its request by number, whatever order they come in. Every wait has a
deadline and ends with a Reply or a Problem that says how far the request got, because whoever asked
must know whether it may have been carried out:

    node-unreachable, not-authorised    it was never sent
    answer-lost, timed-out, bad-reply   it was sent, and may be carried out

What must never happen here: an answer given to another request than its own.
"""

import asyncio
from collections.abc import Sequence

from cluster.api.messages import AnyRequest, Call, Reply
from cluster.api.ping import PING, PONG
from cluster.api.vital import WAY
from cluster.sockets import CurveKeys, Sender
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, from_msgpack, to_msgpack

CONNECT_S = 0.4
"""A connection over a LAN takes 5 ms; a host that lost power never refuses one."""

LOOK_S = 0.2
"""How often a waiting caller looks whether the connection still stands. A dead host is noticed
after 1.5 s, and a daemon that restarts is away for longer than this."""

PING_AFTER_S, SILENT_S = 1.0, 5.0
"""A daemon that was stopped keeps its connections. Whoever waits asks it, once nothing came for so
long, whether it runs, and gives up after so long without a word: its event loop stands for less."""


class Endpoint(Value):
    """Where a node's API listens (tcp://host:port or ipc://path) and the key that proves it."""

    address: str
    server_key: str
    node: str = ""

    @property
    def shown(self) -> str:
        return f"{self.node} at {self.address}" if self.node else self.address


class Peer:
    """Made on the running event loop; connects by itself, again and again, until closed."""

    def __init__(self, endpoint: Endpoint, keys: CurveKeys) -> None:
        self.endpoint = endpoint
        self.undecodable = 0
        """Answers that were not of the declared shape."""
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Reply | Problem]] = {}
        self._server_keys: Sequence[str] = (endpoint.server_key,)
        self._keys = keys
        self._sender = self._made()
        self._others: dict[str, Sender] = {}
        """By what they are for (cluster/api/vital.py); made when they are first needed."""

    def _made(self) -> Sender:
        return Sender(
            self.endpoint.address, server_key=self._server_keys[0], keys=self._keys,
            received=self._arrived, watch_refusals=True,
        )

    def _sender_for(self, request: AnyRequest) -> Sender:
        way = WAY.get(type(request))
        if way is None:
            return self._sender
        if way not in self._others:
            self._others[way] = self._made()
            self._others[way].change_keys(server_keys=self._server_keys, keys=self._keys)
        return self._others[way]

    def change_keys(self, *, server_keys: Sequence[str], keys: CurveKeys) -> None:
        """The node is known by these keys from now on, and this one is proved to it."""
        self._server_keys, self._keys = server_keys, keys
        for each in (self._sender, *self._others.values()):
            each.change_keys(server_keys=server_keys, keys=keys)

    @property
    def is_up(self) -> bool:
        """Whether a connection stands for what is not a lease."""
        return self._sender.is_up()

    async def ask(
        self, request: AnyRequest, *, deadline_s: float, connect_s: float = CONNECT_S,
    ) -> Reply | Problem:
        """The node's answer, or the Problem of not having one (see the module's table)."""
        due_s = self._loop.time() + deadline_s
        self._number += 1
        call = Call(number=self._number, ask=request)
        answer: asyncio.Future[Reply | Problem] = self._loop.create_future()
        self._waiting[call.number] = answer
        try:
            payload = to_msgpack(call)
            try:
                sender = self._sender_for(request)
            except OSError as error:  # this host's trouble: it must not end whoever only asks
                return problem(
                    "node-unreachable", f"node:{self.endpoint.shown}",
                    what=f"{self.endpoint.shown} cannot be asked.",
                    because=f"This host is short of something: {error.strerror}.",
                    fix="Give the daemon more descriptors: LimitNOFILE of its unit.")
            if not await sender.send_when_up(payload, deadline_s=min(connect_s, deadline_s)):
                return self._unsent(sender, connect_s)
            return await self._answer(
                answer, request, sender, due_s=due_s, deadline_s=deadline_s)
        finally:
            del self._waiting[call.number]

    async def _answer(
        self, answer: asyncio.Future[Reply | Problem], request: AnyRequest, sender: Sender, *,
        due_s: float, deadline_s: float,
    ) -> Reply | Problem:
        began_s = self._loop.time()
        while (left_s := due_s - self._loop.time()) > 0:
            await asyncio.wait([answer], timeout=min(left_s, LOOK_S))
            if answer.done():
                return answer.result()
            if not sender.is_up():
                return self._lost(
                    request, what="The connection ended before the answer came.",
                    because="is gone or its daemon was restarted.")
            silent_s = self._loop.time() - max(began_s, sender.heard_s)
            if silent_s >= SILENT_S:
                return self._lost(
                    request, what=f"Nothing came for {SILENT_S:g} s, also not that it is busy.",
                    because="has stopped, or its daemon stands still.")
            if silent_s >= PING_AFTER_S:
                sender.send(PING)
        if sender is not self._sender:
            sender.renew()  # a connection that is stuck is not waited for
        return problem(
            "timed-out", f"node:{self.endpoint.shown}",
            what=f"No answer came within {deadline_s:g} s.",
            because=f"{self.endpoint.shown} took the request and has not answered.",
            fix=how_to_follow(request),
        )

    def _lost(self, request: AnyRequest, *, what: str, because: str) -> Problem:
        return problem(
            "answer-lost", f"node:{self.endpoint.shown}", what=what,
            because=f"{self.endpoint.shown} {because}", fix=how_to_follow(request))

    def _unsent(self, sender: Sender, connect_s: float) -> Problem:
        subject = f"node:{self.endpoint.shown}"
        if sender.was_refused():
            return problem(
                "not-authorised", subject, what="The node does not know this key.",
                because="The key is not in the node's keys.yaml.",
                fix="Use a key of the cluster, or add this one to keys.yaml on every node.",
            )
        return problem(
            "node-unreachable", subject, what=f"{self.endpoint.shown} cannot be reached.",
            because=f"No connection was made within {connect_s:g} s.",
            fix="See whether the host is up and vmsgd runs there, and whether its key changed.",
        )

    def _arrived(self, payload: bytes) -> None:
        if payload == PONG:
            return
        try:
            reply: Reply = from_msgpack(payload, Reply)
        except Undecodable as error:
            self.undecodable += 1
            # Whose it was cannot be told, and nobody waits in vain for an answer that came.
            for each in self._waiting.values():
                if not each.done():
                    each.set_result(self._bad_reply(str(error)))
            return
        waiting = self._waiting.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _bad_reply(self, because: str) -> Problem:
        return problem(
            "bad-reply", f"node:{self.endpoint.shown}",
            what="The node's answer could not be understood.", because=because,
            fix="See that this host and the node run the same version of the product.",
        )

    def close(self) -> None:
        """Whoever still waits is told that the answer is lost."""
        for each in (self._sender, *self._others.values()):
            each.close()


def how_to_follow(request: AnyRequest) -> str:
    """What to do about a request of unknown outcome."""
    if not request.request:
        return "Ask again."
    return f"It may still complete: vmsg events --request {request.request}"
