"""The door to what switches a host's power off: one fence agent with its parameters.

What must never happen here: an agent that does not answer in time, or in a way nobody foresaw,
taken for one that has proven something. What proves a host off is levels.py.
"""

from typing import Literal, Protocol

from cluster.config.schema import FenceConfig
from packages.core.problem import Problem, problem

Power = Literal["on", "off"]


class PowerFence(Protocol):
    """Doing any of these twice is the same as once. Each ends within the fence's `timeout_s`."""

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        """None: whatever switches it says that it is done. Whether it is, `power` tells."""

    async def power(self, fence: FenceConfig) -> Power | Problem:
        """How the power stands; changes nothing."""

    async def check(self, fence: FenceConfig) -> list[Problem]:
        """What is wrong with the agent or its parameters, as far as it can be told without
        touching the host's power."""


def fence_failed(fence: FenceConfig, because: str) -> Problem:
    return problem(
        "fence-failed", f"fence:{fence.agent}", what=f"{fence.agent} did not do what it was asked.",
        because=because,
        fix="See the device it talks to, then try: vmsg node fence NODE --test", severity="warn",
    )
