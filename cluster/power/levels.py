"""A node's fences in order: level by level, all agents of a level, until one level is through.

A host with two power supplies has an agent for each on one level: it is off when both are. What
must never happen here: a host taken for off because one of its supplies is, or because an agent
said that it did what it was asked. Agents are programs of others: each that reports success is
asked how the power stands after that, and only `off` counts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from cluster.config.schema import FenceConfig
from cluster.power.fence import PowerFence, fence_failed
from packages.core.problem import Problem

LOOKS, LOOK_S = 4, 0.5
"""How often an agent is asked whether the host is off by now: a supply may take a second or two to
discharge, and most agents wait for that themselves."""

Failed = Callable[[Problem, int], Awaitable[None]]
"""Told of each level that failed, before the next is tried."""


def levels_of(fences: Iterable[FenceConfig]) -> list[tuple[int, list[FenceConfig]]]:
    by_level: dict[int, list[FenceConfig]] = {}
    for each in fences:
        by_level.setdefault(each.level, []).append(each)
    return sorted(by_level.items())


async def switched_off(
    door: PowerFence, fences: Iterable[FenceConfig], *, failed: Failed,
    may_go_on: Callable[[], bool],
) -> str | None:
    """Which level did it, in words; None: no level did, or it was given up before the next."""
    async def asked(fence: FenceConfig) -> Problem | Literal["given up"] | None:
        # In the very step in which the agent is called: whoever decided may have ended since.
        if not may_go_on():
            return "given up"
        return await door.switch_off(fence) or await _seen_off(door, fence)

    for number, level in levels_of(fences):
        problems = await asyncio.gather(*map(asked, level))
        first = next((each for each in problems if each is not None), None)
        if first == "given up":
            return None
        if first is None:
            return f"{' and '.join(each.agent for each in level)} (level {number})"
        await failed(first, number)
    return None


async def _seen_off(door: PowerFence, fence: FenceConfig) -> Problem | None:
    """None: asked again, the agent says that the power is off."""
    for _ in range(LOOKS):
        power = await door.power(fence)
        if power != "on":
            return None if power == "off" else power
        await asyncio.sleep(LOOK_S)
    return fence_failed(
        fence, "It reported success, and then that the power is still on.")
