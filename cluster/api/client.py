"""A client of the cluster: any node answers for all of it.

Nodes are asked in order until one answers, and the one that did is asked first the next time. A
request keeps its id when it goes to another node, and an entry of one id is applied once, so
asking again does no harm. A large question that was sent is not carried on to another node: were it
too much for the first, it would be for the next. What cannot be reached is a Problem, never an
exception.
"""

import asyncio
import itertools
import os
from collections.abc import Iterator, Sequence

from cluster.api.bounds import SMALL_BYTES
from cluster.api.messages import AnyRequest, Changing, GetEvents, Reply
from cluster.api.peer import CONNECT_S, Endpoint, Peer
from cluster.local_door import CLOSED, LOCAL
from cluster.sockets import CurveKeys
from packages.core.problem import Problem, problem
from packages.core.values import to_msgpack

CONNECT_STARVED_S, CONNECT_NOW_S = 1.0, 0.05
"""For the second time round, when nobody was reached in the first: all of them are being connected
to at the same time, so the wait for one is the wait for all."""

QUESTION_S = 5.0
"""A status of 5,000 packages takes tens of milliseconds: a node that has not answered a mere
question by then is stuck, and the next one is asked."""

NEVER_SENT = frozenset({"node-unreachable", "not-authorised"})


class Client:
    """Made on the running event loop."""

    def __init__(self, endpoints: Sequence[Endpoint], keys: CurveKeys) -> None:
        self._endpoints = list(endpoints)
        self._keys = keys
        self._peers: dict[str, Peer] = {}

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        """The first good answer. A node without quorum is believed when no other knows better: one
        that is cut off can only tell the past."""
        due_s = asyncio.get_running_loop().time() + deadline_s
        each = itertools.repeat(CONNECT_S)
        answer = await self._ask_round(request, due_s=due_s, connects_s=each)
        if isinstance(answer, Problem) and answer.code == "no-cluster" and self._peers:
            # Connections go on being made meanwhile: on a starved machine one may come yet.
            once = itertools.chain([CONNECT_STARVED_S], itertools.repeat(CONNECT_NOW_S))
            return await self._ask_round(request, due_s=due_s, connects_s=once)
        return answer

    async def _ask_round(
        self, request: AnyRequest, *, due_s: float, connects_s: Iterator[float],
    ) -> Reply | Problem:
        """`connects_s`: how long to wait for the connection to each node."""
        loop = asyncio.get_running_loop()
        without_quorum: Reply | None = None
        problems: list[Problem] = []
        endpoints, is_large = list(self._endpoints), len(to_msgpack(request)) > SMALL_BYTES
        for endpoint in endpoints:
            left_s = due_s - loop.time()
            if left_s <= 0:
                break
            is_last = is_large or endpoint is endpoints[-1]
            patience_s = left_s if is_last else min(left_s, patience(request))
            answer = await self._ask_one(
                endpoint, request, patience_s=patience_s, connect_s=next(connects_s),
            )
            if isinstance(answer, Problem):
                problems.append(answer)
                if is_large and answer.code not in NEVER_SENT:
                    break
            elif answer.verdict == "no-quorum" or not (
                    answer.quorum or isinstance(request, Changing)):
                without_quorum = without_quorum or answer
            else:
                self._prefer(endpoint)
                return answer
        return without_quorum if without_quorum is not None else nobody_answered(problems)

    async def _ask_one(
        self, endpoint: Endpoint, request: AnyRequest, *, patience_s: float, connect_s: float,
    ) -> Reply | Problem:
        peer = self._peers.get(endpoint.address)
        path = endpoint.address.removeprefix(LOCAL)
        if path != endpoint.address and not os.path.exists(path) and (
                peer is None or not peer.is_up):
            return nothing_listens(endpoint, is_closed=os.path.exists(path + CLOSED))
        if peer is None:
            peer = self._peers[endpoint.address] = Peer(endpoint, self._keys)
        answer = await peer.ask(request, deadline_s=patience_s, connect_s=connect_s)
        if isinstance(answer, Problem) and answer.code != "node-unreachable":
            self._peers.pop(endpoint.address, None)
            peer.close()
        return answer

    def _prefer(self, endpoint: Endpoint) -> None:
        self._endpoints.remove(endpoint)
        self._endpoints.insert(0, endpoint)

    def close(self) -> None:
        for peer in self._peers.values():
            peer.close()
        self._peers.clear()


def patience(request: AnyRequest) -> float:
    """How long one node of several is given. What changes something may rightly take long."""
    if isinstance(request, Changing):
        return float("inf")
    return QUESTION_S + (request.wait_s if isinstance(request, GetEvents) else 0.0)


def nobody_answered(problems: Sequence[Problem]) -> Problem:
    """One Problem for all nodes: the one in which the request got furthest."""
    sent = [each for each in problems if each.code not in NEVER_SENT]
    if sent:
        return sent[-1]
    refused = [each for each in problems if each.code == "not-authorised"]
    if refused:
        return refused[0]
    return problem(
        "no-cluster", "cluster", what="No node of the cluster answered.",
        because=" ".join(each.what for each in problems) or "No node is known.",
        fix="Start vmsgd on the nodes, or name a node that runs with --endpoint. Why it does not "
            "run says: systemctl status vmsgd vmsg-guard",
    )


def nothing_listens(endpoint: Endpoint, *, is_closed: bool) -> Problem:
    if is_closed:
        return problem(
            "node-unreachable", f"node:{endpoint.shown}",
            what=f"{endpoint.shown} lets no caller of this host in.",
            because="Its daemon is short of file descriptors.",
            fix="Ask another node with --endpoint, and give vmsgd.service a higher LimitNOFILE=.")
    return problem(
        "node-unreachable", f"node:{endpoint.shown}", what=f"{endpoint.shown} cannot be reached.",
        because="There is no such socket.", fix="Start vmsgd on this host.",
    )
