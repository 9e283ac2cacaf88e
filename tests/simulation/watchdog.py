"""A simulated host's watchdog: resets the host so long after it was petted last.

Hardware counts whatever the host does. Linux's own timer for it (softdog) stands still when the
whole host does, and goes on where it was.
"""

from collections.abc import Callable

from cluster.nodes.guardian_link import SOFTWARE
from tests.simulation.timeline import Timeline

HARDWARE = "simulated hardware"
NO_WATCHDOG = ("", 0.0)
KINDS = ((HARDWARE, 2.0), (HARDWARE, 3.0), (HARDWARE, 5.0), (SOFTWARE, 2.0), NO_WATCHDOG)
"""What a host may have. The margin of profile `lan` holds the drift of the nemesis over a lease and
five seconds more; over the ten that are usual it would hold 2 %."""
LATEST_PET_S = 1.0
"""The guardian wakes by itself so often at least (cluster.guardian.WAKE_S)."""


class WatchdogDevice:
    def __init__(
        self, timeline: Timeline, name: str, timeout_s: float, *, stands: Callable[[], bool],
        reset: Callable[[], None],
    ) -> None:
        self.name, self.timeout_s = name, timeout_s
        self._timeline, self._stands, self._reset = timeline, stands, reset
        self._pets = 0

    @property
    def pet_every_s(self) -> float:
        return min(LATEST_PET_S, self.timeout_s / 3)

    def pet(self) -> None:
        self._pets += 1
        self._timeline.after(self.timeout_s, self._expire, self._pets)

    def _expire(self, pets: int) -> None:
        if pets != self._pets:
            return
        if self.name == SOFTWARE and self._stands():
            self._timeline.after(self.timeout_s, self._expire, pets)
        else:
            self._reset()

    def lose_power(self) -> None:
        self._pets = -1
