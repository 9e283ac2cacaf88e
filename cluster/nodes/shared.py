"""One question to the host for all who ask it at the same moment, and for a moment after.

What a program of the host says of it is the same for everybody. To start that program for each of
a hundred askers takes the host a hundred times as long, and all of them are late.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """`ask` is called with the deadline of whoever asks first, and never while it is being asked.
    Its answer is good for `kept_s`; an exception is everybody's who waits, and is not kept."""

    def __init__(self, ask: Callable[[float], Awaitable[T]], *, kept_s: float) -> None:
        self._ask, self._kept_s = ask, kept_s
        self._asking: asyncio.Task[T] | None = None
        self._ended_s = 0.0

    async def answer(self, *, deadline_s: float) -> T:
        loop = asyncio.get_running_loop()
        asking = self._asking
        if asking is None or asking.get_loop() is not loop or self._is_old(asking, loop.time()):
            asking = self._asking = loop.create_task(self._asked(deadline_s))
        return await asyncio.shield(asking)  # who gives up ends it for nobody else

    async def _asked(self, deadline_s: float) -> T:
        try:
            return await self._ask(deadline_s)
        finally:
            self._ended_s = asyncio.get_running_loop().time()

    def _is_old(self, asking: "asyncio.Task[T]", now_s: float) -> bool:
        return asking.done() and (
            asking.cancelled() or asking.exception() is not None
            or now_s - self._ended_s > self._kept_s)
