"""The one door to uvloop: what the daemon's tasks run on.

A change passes through the loops of three daemons some twenty times before it is answered, and each
time Python's own loop takes three times what libuv does. Tests and simulations bring their own.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run` does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
