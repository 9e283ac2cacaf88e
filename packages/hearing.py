"""What a guest's hypervisor told since somebody began to listen: kind of event -> when."""

import asyncio
from collections.abc import Callable

from cluster.clock import Clock
from packages.vm.driver import GuestEvent

LONGEST_NAP_S = 1.0
"""The event loop's clock stands still in a suspend; deadlines are kept on the one that does not."""


class Hearing:
    """Each kind is remembered with its latest time, in the hypervisor's wall clock ms."""

    def __init__(self, clock: Clock) -> None:
        self.at_ms: dict[str, float] = {}
        self._clock = clock
        self._news = asyncio.Event()

    def take(self, event: GuestEvent) -> None:
        self.at_ms[event.kind] = event.at_ms
        self._news.set()

    def wake(self) -> None:
        """Something else has changed that `until` asks about."""
        self._news.set()

    async def until(
        self, *kinds: str, otherwise: Callable[[], str | None], deadline_s: float,
    ) -> str | None:
        """The first of these events, what `otherwise` answers, or None after the deadline."""
        end_s = self._clock.boottime_s() + deadline_s
        while True:
            self._news.clear()
            heard = next((kind for kind in kinds if kind in self.at_ms), None) or otherwise()
            left_s = end_s - self._clock.boottime_s()
            if heard is not None or left_s <= 0:
                return heard
            try:
                async with asyncio.timeout(min(left_s, LONGEST_NAP_S)):
                    await self._news.wait()
            except TimeoutError:
                continue
