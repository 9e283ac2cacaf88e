"""Declaring a node dead by the word of somebody or something else than its lease.

Only the coordinator does it, because only it can stop granting leases to the node before anybody
hears of its death. What must never happen here: a node declared dead on somebody's word while it is
heard; leases granted to it while the fate of its declaration is not known.
"""

import logging
from collections.abc import Callable, Mapping

from cluster.clock import Clock
from cluster.core.beside import Silence
from cluster.core.entries import NodeFailed
from cluster.core.model import ProofKind, State, may_be_lost
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.raft.problems import no_quorum
from packages.core.problem import Problem, problem

log = logging.getLogger(__name__)

DECLARE_S = 5.0
"""Outlasts an election; after that its asker is told that nobody knows."""


class Deaths:
    """One per daemon; at work on the leader alone."""

    def __init__(self, *, node: str, ledger: Ledger, landlord: Landlord, clock: Clock) -> None:
        self._node, self._ledger, self._landlord, self._clock = node, ledger, landlord, clock
        self.fenced: Callable[[], tuple[str, ...]] = tuple
        """Nodes that a power fence can switch off."""
        self.ahead_ms: Mapping[str, int] = {}
        """Node -> how far its wall clock is ahead of this one's."""

    def silence(self) -> Silence | None:
        """Who is heard and who is not, as the coordinator knows it; None: this is not it."""
        replica = self._ledger.replica
        if not replica.is_leader() or not self._landlord.settled():
            return None
        now_ms, left_ms = self._clock.wall_ms(), {
            name: round(left_s * 1000)
            for name, left_s in sorted(self._landlord.silences().items())
        }
        return Silence(
            fenced=self.fenced(), term=replica.term(), ahead_ms=dict(self.ahead_ms),
            through=dict(self._landlord.links.broken(
                within_s=self._landlord.numbers.suspect_s)),
            narrow={name: others for name, others in sorted(self._landlord.links.narrow.items())
                    if others},
            heard=(*sorted(self._landlord.heard() | self._landlord.arrived() | {self._node}),),
            lease_over_ms={name: now_ms + each for name, each in left_ms.items()},
            lease_left_ms={name: max(0, each) for name, each in left_ms.items()},
        )

    async def declare(self, death: NodeFailed) -> Problem | None:
        """Have it agreed that the node is dead."""
        if not self._ledger.replica.is_leader():
            return no_quorum(self._node)
        self._landlord.stop(death)
        refused = await self._ledger.propose(death, deadline_s=DECLARE_S)
        if refused is not None:
            log.warning("refused: %s %s", refused.what, refused.because)
            self._landlord.pardon(death, refused)
        return refused


def against_death(state: State, known: Silence, name: str, kind: ProofKind) -> Problem | None:
    """Why the node is not to be called dead by this kind of proof."""
    node = state.nodes[name]
    if kind == "operator" and name in known.heard:
        return problem(
            "node-heard", f"node:{name}", what=f"Node {name} is not called dead.",
            because="It is heard: its daemon asked for its lease just now.",
            fix=f"Empty it with: vmsg node drain {name}, or stop its packages with: "
                f"vmsg node halt {name} -f",
        )
    if not may_be_lost(state, node, kind):
        return problem(
            "nothing-to-prove", f"node:{name}", what=f"Nothing waits for the death of {name}.",
            because=f"It is {node.state}, and holds no package.",
            fix="Nothing needs to be done. Look at: vmsg status",
        )
    return None
