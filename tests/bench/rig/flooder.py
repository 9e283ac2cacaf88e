"""One caller who asks as fast as a node answers, in a process of its own.

    python tests/bench/rig/flooder.py  <orders  >answers

Orders are JSON: {"address", "server_key", "secret", "role", "package", "node", "seconds"}; the
answer counts what came back, by verdict. Each request of the role is always under way; what changes
the cluster is a dry run, but for switching, whose reasons are as long as they may be.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cluster.api import messages as ask
from cluster.api.messages import Changing, NamedText, Request
from cluster.api.peer import Endpoint, Peer
from cluster.api.roles import LEAST_ROLE, RANK
from cluster.clock import HostClock
from cluster.sockets import keys_of

UNDER_WAY = 60
ANSWER_S = 30.0
HOSTILE = "name: x\nnodes: [" + "a," * 30_000 + "]\n"
"""Which is 60 KiB, just within what one description may have."""
WITHOUT_END = {ask.JoinNode}
"""Nobody's but an invited host's."""


def requests_of(role: str, *, package: str, node: str) -> list[Iterator[Request]]:
    """All that the role may ask, each again and again, with what it names there."""
    kinds = [
        kind for kind, least in LEAST_ROLE.items()
        if kind not in WITHOUT_END and least in RANK and RANK[least] <= RANK[role]  # type: ignore
    ]
    clock = HostClock()
    named = {"package": package, "node": node, "nodes": (node,), "text": HOSTILE, "limit": 1000,
             "files": tuple(NamedText(name=f"f{at}", text=HOSTILE) for at in range(8)),
             "verbose": True, "reason": "x" * 500}

    def again(kind: type[Request]) -> Iterator[Request]:
        fields: dict[str, Any] = {
            key: value for key, value in named.items() if key in kind.__struct_fields__}
        while True:
            if issubclass(kind, Changing):
                fields |= {"request": clock.token(), "dry_run": kind is not ask.SetSwitching}
            yield kind(**fields)

    return [again(kind) for kind in kinds]


async def flood(orders: dict[str, Any]) -> Counter[str]:
    keys = keys_of(orders["secret"])
    assert keys is not None
    peer = Peer(Endpoint(address=orders["address"], server_key=orders["server_key"],
                         node=orders["node"]), keys)
    end_s = time.monotonic() + orders["seconds"]
    found: Counter[str] = Counter()
    requests = requests_of(orders["role"], package=orders["package"], node=orders["node"])

    async def ask_on(kind: Iterator[Request]) -> None:
        while time.monotonic() < end_s:
            answer = await peer.ask(next(kind), deadline_s=ANSWER_S, connect_s=ANSWER_S)
            found[getattr(answer, "verdict", None) or answer.code] += 1  # type: ignore

    asking = [asyncio.ensure_future(ask_on(requests[at % len(requests)]))
              for at in range(UNDER_WAY)]
    _, left = await asyncio.wait(asking, timeout=orders["seconds"])
    for each in left:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    peer.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(flood(json.load(sys.stdin)))))
