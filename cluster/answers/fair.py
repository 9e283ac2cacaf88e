"""Long answers take turns: one at a time, each caller one in the line, and then as long a pause.

To tell the state of a thousand packages takes 20 ms of the loop. Sixty who ask for it at once would
take more than a second of it in one go, in which no heartbeat is answered.

What must never happen here: a turn that is held while something is waited for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cluster.turns import Turns

LONG_S, LONGEST_PAUSE_S = 0.002, 0.02
"""What takes less needs no pause; a longer pause only makes everybody wait, on a busy host."""


class Fair:
    def __init__(self) -> None:
        self._line = asyncio.Lock()
        self._own = Turns()

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Of work that waits for nothing; it may let the loop have turns."""
        async with self._own.of(caller), self._line:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            yield
            spent_s = loop.time() - began_s
            await asyncio.sleep(min(spent_s, LONGEST_PAUSE_S) if spent_s > LONG_S else 0)
