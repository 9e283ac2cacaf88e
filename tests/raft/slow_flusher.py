"""A disk that takes simulated time now and then, for searches.

A crash in that time finds any part of what was to be done: written and not synced, synced and not
renamed, or nothing at all.
"""

import random
from collections.abc import Callable

from cluster.clock import Clock
from cluster.raft.journal import Write
from tests.raft.memory_disk import MemoryDisk


class SlowFlusher:
    """How often and how long is the disk's own."""

    def __init__(self, disk: MemoryDisk, clock: Clock, dice: random.Random) -> None:
        self._disk, self._clock, self._dice = disk, clock, dice
        self._left: list[Callable[[], None]] = []
        self._done_at_s = 0.0

    def begin(self, write: Write) -> None:
        assert not self._left, "the work before is not done"
        if self._disk.slow_share == 0.0 or self._dice.random() >= self._disk.slow_share:
            write()
            return
        steps = self._disk.put_off(write)
        if not steps:
            return
        at = self._dice.randrange(len(steps))
        self._left = steps[at:]
        self._done_at_s = self._clock.boottime_s() + self._dice.uniform(0.0, self._disk.slowest_s)
        for step in steps[:at]:
            step()

    def is_done(self) -> bool:
        if self._left and self._clock.boottime_s() < self._done_at_s:
            return False
        self._finish()
        return True

    def _finish(self) -> None:
        left, self._left = self._left, []
        for step in left:
            step()


class HastyFlusher(SlowFlusher):
    """Broken on purpose: says that it is done when nothing is, and does it when it must."""

    def begin(self, write: Write) -> None:
        self._finish()
        self._left = self._disk.put_off(write)

    def is_done(self) -> bool:
        return True
