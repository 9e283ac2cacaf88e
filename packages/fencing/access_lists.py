"""What `target_access` wants of a target's own tool, whichever it is.

One target has one package's LUNs, so that its list is the package's.
"""

from typing import Protocol

from packages.core.fencing import Lun
from packages.core.problem import Problem
from packages.core.values import Value
from packages.fencing.fence import FencedDisk


class Session(Value):
    """One of an initiator, with its connections, as the target numbers them."""

    initiator: str
    number: int
    connections: tuple[int, ...] = ()


class AccessList(Value):
    """A target's list, its sessions, and the LUN that was asked for."""

    initiators: tuple[str, ...] = ()
    open_to: tuple[str, ...] = ()
    """What lets in more than one initiator: an address, ALL, a target without a list."""
    sessions: tuple[Session, ...] = ()
    reference: str = ""
    """How the tool names the target."""
    identity: str = ""
    size_bytes: int = 0
    sector_bytes: int = 0


class AccessLists(Protocol):
    async def read(
        self, disk: FencedDisk, lun: Lun, *, deadline_s: float) -> AccessList | Problem: ...

    async def admit(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None: ...

    async def expel(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None:
        """Off the list first, then each of its connections: one that is only off the list goes on
        writing, and one that is only cut comes back."""
