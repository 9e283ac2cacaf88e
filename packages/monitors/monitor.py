"""The door to one health check: ask once whether the guest does what it should.

What must never happen here: a check that outlives its timeout, or that leaves anything of its own
behind when it is cancelled; its caller cancels it when a suspension begins, and counts nothing of
it then.
"""

from typing import Protocol

from packages.core.problem import Problem


class Check(Protocol):
    async def check(self, *, timeout_s: float) -> Problem | None:
        """None: healthy. Takes `timeout_s` at most, and a moment to clean up; never raises."""
