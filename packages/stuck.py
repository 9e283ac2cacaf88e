"""An agent whose every look ends in an exception: counted, said, and given a way out.

Its package would read "up" for ever while nobody works at it. What must never happen here: a guest
that runs ended for a bug of ours; so only what has not begun to run, or is on its way, is given up.
"""

import logging

from cluster.core import entries
from cluster.core.duties import AnyDuty, Receive, Send, Start, Thaw
from packages.core.problem import Problem, problem
from packages.surroundings import Surroundings

log = logging.getLogger(__name__)

LIMIT = 3
"""Looks in a row that end in an exception, two seconds apart: what the next look mends by itself is
not told."""


class Attempts:
    """Of one package's agent."""

    def __init__(self, around: Surroundings, package: str) -> None:
        self._around, self._package = around, package
        self._in_vain = 0
        self.stuck: Problem | None = None

    def succeeded(self) -> None:
        self._in_vain, self.stuck = 0, None

    async def failed(self, duty: AnyDuty | None, failure: Exception) -> None:
        self._in_vain += 1
        if self._in_vain < LIMIT:
            return
        self.stuck = problem(
            "agent-stuck", f"package:{self._package}",
            what=f"Nothing is done about package {self._package} on {self._around.node}.",
            because=f"Its agent has failed {self._in_vain} times in a row: {failure!r}",
            fix=f"Restart vmsgd on {self._around.node} (its guests run on), and report what its "
                "log says.",
        )
        if duty is not None:
            await self._way_out(duty, self.stuck)

    async def _way_out(self, duty: AnyDuty, stuck: Problem) -> None:
        """Whoever is not running yet is a failure, as one that cannot be started; a move that does
        not go on is ended."""
        say, node = self._around.ledger.say, self._around.node
        if isinstance(duty, Start | Thaw):
            await say(
                entries.GuestFailed, stuck.because, package=self._package, epoch=duty.epoch,
                node=node, problem=stuck,
            )
        elif isinstance(duty, Send | Receive) and duty.move.abort_because is None:
            await say(
                entries.MoveAbortAsked, f"the agent on {node} fails again and again",
                move=duty.move.id, package=self._package,
            )
