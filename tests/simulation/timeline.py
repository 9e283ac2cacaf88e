"""Simulated time: everything that will happen, in order, and whose it is.

One thread, one queue, one pair of dice: the same seed gives the same run. Each host has its own
idea of how fast time passes and when it began, as real hosts have.
"""

import heapq
import random
from collections.abc import Callable
from typing import Any

LEAST_WAIT_S = 1e-6
"""Nothing that is waited for takes no time: a loop that waits for a hair's breadth gets on."""


MOST_AT_ONCE = 200_000
"""More steps than this without time passing: somebody waits for nothing, again and again."""


class TimeStandsStill(AssertionError):
    """A loop that does not wait."""


class HostTime:
    """What a host's CLOCK_BOOTTIME shows: `rate` seconds for each second that really passes."""

    def __init__(self, timeline: "Timeline", *, rate: float, shown_s: float, wall_s: float) -> None:
        self._timeline = timeline
        self._rate, self._since_s, self._shown_s = rate, timeline.now_s, shown_s
        self.wall_s = wall_s
        """How far the wall clock is ahead of the truth."""
        self.turned: Callable[[], None] = lambda: None
        """Told when it ticks at another rate: the kernel's own timers follow their clock."""

    def now_s(self) -> float:
        return self._shown_s + (self._timeline.now_s - self._since_s) * self._rate

    def when_s(self, shown_s: float) -> float:
        """The true time at which the clock will show this, if its rate stays."""
        return self._since_s + (shown_s - self._shown_s) / self._rate

    def turn(self, rate: float) -> None:
        """Tick at another rate from now on."""
        self._shown_s, self._since_s, self._rate = self.now_s(), self._timeline.now_s, rate
        self.turned()

    def reboot(self, shown_s: float) -> None:
        self._shown_s, self._since_s = shown_s, self._timeline.now_s


class Timeline:
    def __init__(self, seed: int) -> None:
        self.now_s = 0.0
        self.dice = random.Random(seed)
        self.here: HostTime | None = None
        """The clock of the host whose code is running."""
        self.is_over = False
        self.steps = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def at(self, when_s: float, action: Callable[..., None], *args: Any) -> None:
        if not self.is_over:
            self._number += 1
            heapq.heappush(self._queue, (max(when_s, self.now_s), self._number, action, args))

    def after(self, delay_s: float, action: Callable[..., None], *args: Any) -> None:
        self.at(self.now_s + delay_s, action, *args)

    def run(self, until_s: float) -> None:
        queue, at_once = self._queue, 0
        while queue and queue[0][0] <= until_s:
            when_s, _, action, args = heapq.heappop(queue)
            at_once = at_once + 1 if when_s == self.now_s else 0
            if at_once > MOST_AT_ONCE:
                raise TimeStandsStill(f"{self.now_s:.6f} s: {action} {args}")
            self.now_s = when_s
            self.steps += 1
            action(*args)
        self.now_s = until_s

    def end(self) -> None:
        self.is_over = True
        self._queue.clear()


class WorldClock:
    """The product's Clock: the time of the host whose code asks, and the run's own dice."""

    EPOCH_MS = 1_700_000_000_000

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def boottime_s(self) -> float:
        here = self._timeline.here
        assert here is not None, "only a host's own code may ask what time it is"
        return here.now_s()

    def wall_ms(self) -> int:
        here = self._timeline.here
        assert here is not None, "only a host's own code may ask what time it is"
        return self.EPOCH_MS + int((self._timeline.now_s + here.wall_s) * 1000)

    def token(self) -> str:
        return f"{self._timeline.dice.getrandbits(64):016x}"
