"""The door to the migration channel: guest memory from one node's unix socket to another's.

The carrier is a process of its own, never the daemon's loop; it encrypts and authenticates both
ends with the cluster's certificates. Aborting is closing it.
"""

from typing import Protocol

from packages.core.problem import Problem
from packages.core.values import Value


class Landing(Value):
    """Where a target's carrier listens, and the one-time token the source must present."""

    address: str
    port: int
    token: str


class Carrier(Protocol):
    async def prepare(self, move: str) -> None:
        """On either end: begin whatever takes time before it is known where to. To be followed by
        `land` or `launch`, which do without it too, and which tell what went wrong here."""

    async def land(self, move: str, *, socket_path: str, source: str) -> Landing | Problem:
        """On the target: accept this one move's connections, from the node `source` alone, and
        pass them to the hypervisor's unix socket."""

    async def launch(self, move: str, *, landing: Landing, target: str) -> str | Problem:
        """On the source: a unix socket path whose connections arrive at the landing, on the node
        that can prove it is `target`. Returns when it listens."""

    async def has_ended_well(self, move: str) -> bool:
        """On the target: the source's hypervisor closed its end by itself, or died, with the
        channel whole: nothing made it let its guest run on."""

    async def end(self, move: str) -> None:
        """Close this move's carrier on this node; harmless when there is none."""

    async def close(self) -> None:
        """End every carrier this node started."""
