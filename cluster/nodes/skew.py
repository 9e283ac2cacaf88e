"""How far the nodes' wall clocks are from the coordinator's: a fact to be told, never to decide by.

Whoever leads asks each neighbour what time it is there, and halves the way. An answer that took
long says little, so it says nothing.
"""

import asyncio
from collections.abc import Callable, Mapping

from cluster.api.messages import AskProgress, Reply
from cluster.api.neighbour import Neighbour
from cluster.clock import Clock
from packages.core.values import changed

LOOK_S = 5.0
"""Clocks drift by seconds in days; one that steps is seen within this."""
ROUND_S = 0.5
"""The most that is believed: half of it is how wrong the answer may be."""


class Skew:
    """`ahead_ms`: node -> how far its wall clock is ahead of ours; negative: behind."""

    def __init__(
        self, clock: Clock, neighbours: Mapping[str, Neighbour], leads: Callable[[], bool],
    ) -> None:
        self._clock, self._neighbours, self._leads = clock, neighbours, leads
        self.ahead_ms: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            if self._leads():
                await asyncio.gather(*(
                    self._measure(name, door) for name, door in self._neighbours.items()))
            await asyncio.sleep(LOOK_S)

    async def _measure(self, name: str, door: Neighbour) -> None:
        began_s = self._clock.boottime_s()
        reply = await door.ask(AskProgress(package=""), deadline_s=ROUND_S)
        took_s = self._clock.boottime_s() - began_s
        if not isinstance(reply, Reply) or not reply.wall_ms or took_s > ROUND_S:
            self.ahead_ms.pop(name, None)
            return
        self.ahead_ms[name] = reply.wall_ms + round(took_s * 500) - self._clock.wall_ms()


def stamped(reply: Reply, clock: Clock) -> Reply:
    """With what time it is here, for whoever compares."""
    return changed(reply, wall_ms=clock.wall_ms())
