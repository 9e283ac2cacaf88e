"""Who speaks to a server of the API in tests, and how they ask it."""

import asyncio
from collections.abc import Callable

from cluster.api import messages as ask
from cluster.api.peer import Endpoint, Peer
from cluster.config.schema import Operator, PublicKeys
from cluster.core.trust import Invitation
from cluster.sockets import CurveKeys, make_keys
from packages.core.problem import Problem

SERVER, NODE, ROOT, LOOKER, KEEPER, STRANGER, GUEST, NEXT = (make_keys() for _ in range(8))
KNOWN = PublicKeys(
    nodes={"n2": NODE.public}, next={"n2": NEXT.public},
    operators=(
        Operator(name="root", public_key=ROOT.public),
        Operator(name="looker", public_key=LOOKER.public, role="monitor"),
        Operator(name="keeper", public_key=KEEPER.public, role="package-admin"),
    ),
)
INVITED = Invitation(
    id="inv", node="n3", key=GUEST.public, role="monitor", until_ms=1, by="root",
)
LONG_S = 30.0
"""A generous deadline: reached only when something is broken."""


async def asked(
    endpoint: Endpoint, keys: CurveKeys, request: ask.AnyRequest, deadline_s: float = LONG_S,
) -> ask.Reply | Problem:
    peer = Peer(endpoint, keys)
    try:
        return await peer.ask(request, deadline_s=deadline_s, connect_s=min(deadline_s, 2.0))
    finally:
        peer.close()


async def until(happened: Callable[[], object], deadline_s: float = LONG_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not happened():
            await asyncio.sleep(0.005)


def code_of(answer: ask.Reply | Problem) -> str:
    return answer.code if isinstance(answer, Problem) else answer.problems[0].code
