"""The door to agreement: propose bytes, have them applied in the same order on every node.

What must never happen here: an acknowledgement before what it acknowledges is on disk; a machine
applied to differently on two nodes; a leader that acts after its majority is gone.
"""

from collections.abc import Callable
from typing import Protocol

from cluster.raft.members import Members
from packages.core.problem import Problem

Announce = Callable[[Members], bytes]
"""Makes the machine's command that is applied with a change of the members."""

MAX_COMMAND_BYTES = 8 << 20
"""A larger command is refused as `bad-request`: an entry is a decision, not a payload."""


class Machine(Protocol):
    """What is replicated. `apply` is total: it refuses by what it returns and never raises."""

    def apply(self, index: int, command: bytes) -> object:
        """Apply one committed command; the result is what `propose` returns on the proposer."""

    def dump(self) -> bytes:
        """The whole state, for a snapshot."""

    def load(self, snapshot: bytes) -> None:
        """Replace the whole state by a snapshot."""


class Replica(Protocol):
    name: str

    async def start(self) -> Problem | None:
        """Open journal and snapshot, join the others. A Problem: this node must not take part
        (a damaged journal, an unpinned engine), with how to rejoin it. May be called again after
        `close`: the machine is then given everything from the beginning."""

    async def disk_trouble(self) -> Problem | None:
        """Why this node's disk does not take what agreement has to write; None: it does."""

    async def propose(self, command: bytes, *, deadline_s: float) -> object | Problem:
        """The machine's result once committed and applied here; `no-quorum` when it certainly was
        not proposed, `timed-out` when nobody knows (ask again by the entry's own id)."""

    async def confirm(self, *, deadline_s: float) -> Problem | None:
        """A majority has confirmed, after this call began, that what is applied here is current
        (a read index). None: reads may decide."""

    def members(self) -> Members:
        """Who belongs to agreement and who votes, as this node's log has it."""

    def present(self) -> frozenset[str]:
        """The members this node has heard of lately, itself included."""

    def heard_from_s(self, peer: str) -> float:
        """When anything came from that member last, on CLOCK_BOOTTIME; 0: not lately."""

    async def step_members(
        self, wanted: Members, announce: Announce, *, deadline_s: float,
    ) -> Problem | None:
        """On the leader: agree upon the next change towards those who are wanted, if one may be
        made now. A leader that is to lose its vote has another elected instead."""

    def leader(self) -> str | None:
        """Who leads, as far as this node knows."""

    def is_leader(self) -> bool:
        """This node leads, holds an unexpired majority lease and has applied its first entry:
        safe to act upon at this instant, and only at this instant."""

    def quorum_at_s(self) -> float:
        """On the leader: when the last heartbeat round that a majority has confirmed began, on
        CLOCK_BOOTTIME (t_q of the leases). Elsewhere and before any round: 0."""

    def elected_at_s(self) -> float:
        """On the leader: when it was elected, on CLOCK_BOOTTIME. Elsewhere: 0."""

    def earlier_until_s(self) -> float:
        """On the leader: no heartbeat round of an earlier leader that a majority confirmed began
        later than this, on CLOCK_BOOTTIME; it is not after the election. Elsewhere: 0."""

    def heard_at_s(self) -> float:
        """When this node last knew of a leader with a majority, on CLOCK_BOOTTIME."""

    def term(self) -> int: ...

    def known_boot(self, peer: str) -> int:
        """How often that node was started, as far as this one has heard; 0 when it has not."""

    def applied(self) -> int:
        """Index of the last entry applied here."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after entries were applied or leadership changed, on the event loop."""

    async def close(self) -> None: ...
