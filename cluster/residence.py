"""This node and the set of nodes: it follows the agreed cluster file, and leaves when removed.

What must never happen here: a file taken from a record that is only being read again; a node that
ends while the others may still need its vote.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from cluster.clock import Clock
from cluster.config.cluster_file import cluster_from_text
from cluster.config.schema import ClusterConfig
from cluster.core.model import State
from cluster.core.roles import seat_of
from cluster.ledger import Ledger
from packages.core.problem import Problem, problem

log = logging.getLogger("vmsgd")

LOOK_S = 0.5
TOLD_S = 5.0
"""The others stop hearing a removed node moments after its removal is agreed upon."""
FORGOTTEN_S = 60.0
"""Cut off before the log was without it: by then the others have long agreed upon that, if they
could."""

Changed = Callable[[ClusterConfig, str], Problem | None]
"""(the cluster file, its text): to be followed from now on."""


class Residence:
    def __init__(
        self, *, node: str, text: str, ledger: Ledger, clock: Clock,
        is_current: Callable[[], bool], changed: Changed,
    ) -> None:
        self._node, self._text = node, text
        self._ledger, self._clock = ledger, clock
        self._is_current, self._changed = is_current, changed
        self._heard_s = 0.0
        """When a leader with a majority was known of last, by this daemon."""
        ledger.watch(self.look)

    def look(self) -> None:
        """Follow the cluster file, if it is another than before."""
        text = self._ledger.state.config_text
        if not text or text == self._text or not self._is_current():
            return
        config, problems = cluster_from_text(text)
        if config is None:  # a record of other tests, or of a version with other keys
            log.error("the agreed cluster file is not understood: %s", problems[0].because)
            self._text = text
            return
        refused = self._changed(config, text)
        if refused is not None:  # tried again at the next look
            log.error("%s %s", refused.what, refused.because)
            return
        self._text = text

    async def until_removed(self) -> Problem:
        """Returns when this node is no member any more and nobody needs it."""
        await self._ledger.until(self._is_retired, deadline_s=None)
        log.warning("%s is removed from the cluster", self._node)
        # A daemon that has just started, or whose disk failed, has heard nobody yet.
        self._heard_s = self._clock.boottime_s()
        while self.is_needed():
            await asyncio.sleep(LOOK_S)
        return problem(
            "node-removed", f"node:{self._node}", what=f"{self._node} is no node any more.",
            because="An operator removed it from the cluster.",
            fix="Nothing is left to do here; to use this host again, add it under a new name.",
        )

    def _is_retired(self, state: State) -> bool:
        return self._node in state.retired

    def is_needed(self) -> bool:
        """Its vote may be wanted until the log's membership is without it."""
        replica = self._ledger.replica
        self._heard_s = max(self._heard_s, replica.heard_at_s())
        silent_s, members = self._clock.boottime_s() - self._heard_s, replica.members()
        if silent_s > FORGOTTEN_S and not is_decisive(self._node, members.voters):
            return False
        if self._node not in members.names and silent_s > TOLD_S:
            return False
        return seat_of(self._ledger.state, self._node) is not None


def is_decisive(node: str, voters: Collection[str]) -> bool:
    """Whether the others are no majority without it: then they cannot have gone on, however long
    they are silent, and would be stuck for good if it went."""
    return node in voters and 2 * (len(voters) - 1) <= len(voters)
