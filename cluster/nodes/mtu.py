"""Whether packets of full size pass to each neighbour, tried again and again.

An MTU that is smaller somewhere on the way loses them without a word, while everything small
passes: nodes look well, and whatever is larger than a heartbeat is stuck. What must never happen
here: a try on a connection that anything else needs.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping

from cluster.api.messages import AskEcho, Reply
from cluster.api.neighbour import Neighbour

EVERY_S = 5.0
FULL_BYTES = 9000
"""A full packet of any network, with jumbo frames as well."""
ANSWER_S = 2.0
"""A packet that was lost by chance is sent again within this."""
TWICE = 2
"""A host that was busy for a moment is no narrow way."""


class MtuProbe:
    """One per daemon."""

    def __init__(self, neighbours: Mapping[str, Neighbour]) -> None:
        self._neighbours = neighbours
        self._lost: Counter[str] = Counter()

    @property
    def narrow(self) -> tuple[str, ...]:
        """Neighbours to which small packets pass, and large ones do not."""
        return tuple(sorted(name for name, times in self._lost.items() if times >= TWICE))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await asyncio.gather(*(self.look(name) for name in sorted(self._neighbours)))

    async def look(self, name: str) -> None:
        """One try. Where nothing arrives at all, the size of packets is not what is wrong."""
        if not await self._passes(name, 0):
            self._lost.pop(name, None)
        elif await self._passes(name, FULL_BYTES):
            self._lost.pop(name, None)
        else:
            self._lost[name] += 1

    async def _passes(self, name: str, size: int) -> bool:
        door = self._neighbours.get(name)
        if door is None:
            return False
        reply = await door.ask(AskEcho(filler=bytes(size)), deadline_s=ANSWER_S)
        return isinstance(reply, Reply) and reply.verdict == "done"
