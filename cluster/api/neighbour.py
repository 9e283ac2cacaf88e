"""How one node asks another: the door that `Peer` opens over sockets."""

from typing import Protocol

from cluster.api.messages import AnyRequest, Reply
from packages.core.problem import Problem


class Neighbour(Protocol):
    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        """The other node's answer, or the Problem of not having one in time."""
