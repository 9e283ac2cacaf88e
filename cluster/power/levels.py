"""A node's fences in order: level by level, all agents of a level, until one level is through.

A host with two power supplies has an agent for each on one level: it is off when both are. What
must never happen here: a host taken for off because one of its supplies is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from cluster.config.schema import FenceConfig
from cluster.power.fence import PowerFence
from packages.core.problem import Problem

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
        return await door.switch_off(fence) if may_go_on() else "given up"

    for number, level in levels_of(fences):
        problems = await asyncio.gather(*map(asked, level))
        first = next((each for each in problems if each is not None), None)
        if first == "given up":
            return None
        if first is None:
            return f"{' and '.join(each.agent for each in level)} (level {number})"
        await failed(first, number)
    return None
