"""A fence whose hosts are what a test says they are; answers as the real one does."""

import asyncio
from collections.abc import Callable

from cluster.config.schema import FenceConfig
from cluster.power.fence import Power, fence_failed
from packages.core.problem import Problem


class FakePowerFence:
    """The host a fence is for is its option `plug`; `off` is told of each that loses its power."""

    def __init__(self, off: Callable[[str], None] = lambda host: None) -> None:
        self.broken: set[str] = set()
        """Agents that end with a failure."""
        self.hanging: set[str] = set()
        self.lying: set[str] = set()
        """Agents that say that it is done, and do nothing."""
        self.blind: set[str] = set()
        """Agents that do it, and cannot tell how the power stands."""
        self.late_looks = 0
        """How often a host that was switched off is still seen on."""
        self.without_power: set[str] = set()
        self.asked: list[str] = []
        """Agent and host of each switch_off, in order."""
        self._off = off

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        host = fence.options.get("plug", "")
        self.asked.append(f"{fence.agent} {host}")
        failure = await self._failure(fence)
        is_done = failure is None and fence.agent not in self.lying
        if is_done and host not in self.without_power:
            self.without_power.add(host)
            self._off(host)
        return failure

    async def power(self, fence: FenceConfig) -> Power | Problem:
        failure = await self._failure(fence)
        if failure is None and fence.agent in self.blind:
            failure = fence_failed(fence, "It ended with 1.")
        if failure is not None:
            return failure
        if self.late_looks:
            self.late_looks -= 1
            return "on"
        return "off" if fence.options.get("plug") in self.without_power else "on"

    async def check(self, fence: FenceConfig) -> list[Problem]:
        return []

    async def _failure(self, fence: FenceConfig) -> Problem | None:
        if fence.agent in self.hanging:
            await asyncio.sleep(fence.timeout_s)
            return fence_failed(fence, f"It had not ended after {fence.timeout_s:g} s.")
        if fence.agent in self.broken:
            return fence_failed(fence, "It ended with 1.")
        return None
