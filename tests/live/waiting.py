"""Waiting for what must come, with a deadline that a busy machine keeps."""

import asyncio
import time
from collections.abc import Callable

DEADLINE_S = 30.0


async def until(condition: Callable[[], object], *, within_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"waited {within_s} s in vain"
        await asyncio.sleep(0.005)
