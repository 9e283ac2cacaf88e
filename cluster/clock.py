"""The one file that reads clocks and rolls dice.

Decisions take time as data; doors take a Clock, so that the simulation can hand them another.
CLOCK_BOOTTIME counts suspend: a host that slept has not kept its lease.
"""

import secrets
import time
from typing import Protocol


class Clock(Protocol):
    def boottime_s(self) -> float:
        """Seconds on CLOCK_BOOTTIME; never steps back, counts suspend, differs between hosts."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, for people and records; never for deciding who is dead."""

    def token(self) -> str:
        """A fresh identifier, 16 hexadecimal digits."""


class HostClock:
    """The host's own clock."""

    def boottime_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def token(self) -> str:
        return secrets.token_hex(8)
