"""Waiting for what must come, with a deadline that a busy machine keeps."""

import asyncio
import os
import time
from collections.abc import Callable


def patience_s(usual_s: float) -> float:
    """Shorter where a broken line is to be noticed, which is often by waiting in vain
    (tests/mutants/run.py)."""
    return min(usual_s, float(os.environ.get("TESTS_PATIENCE_S", usual_s)))


DEADLINE_S = patience_s(30.0)


async def until(condition: Callable[[], object], *, within_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"waited {within_s} s in vain"
        await asyncio.sleep(0.005)
