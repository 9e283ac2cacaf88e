"""A check that does what a test tells it; it keeps the contract of the real ones."""

import asyncio

from packages.core.problem import Problem, problem


class FakeCheck:
    """Set `verdict` (None: healthy) and `is_hanging` (it does not answer) as the story goes."""

    def __init__(self) -> None:
        self.verdict: Problem | None = None
        self.is_hanging = False
        self.begun = 0
        self.called_off = 0

    async def check(self, *, timeout_s: float) -> Problem | None:
        self.begun += 1
        try:
            if self.is_hanging:
                await asyncio.sleep(timeout_s)
                return ill("check-timed-out")
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        return self.verdict


def ill(code: str = "check-failed") -> Problem:
    return problem(
        code, "package:fake", what="the guest is ill", because="a test said so", fix="none",
    )
