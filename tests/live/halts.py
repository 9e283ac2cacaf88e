"""What one scenario leaves behind in a lab that the next wants in order."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cluster.api.messages import RunNode

JOINED_WITHIN_S, LOOK_S = 40.0, 0.02


class Joining:
    """Daemons that were started: until each has joined, the record has the node as it was before,
    up perhaps, and may yet call it failed."""

    def __init__(self) -> None:
        self._begun: dict[Path, int] = {}
        """Log -> how much of it is an earlier daemon's."""

    def begins(self, log: Path) -> None:
        self._begun[log] = log.stat().st_size

    async def over(self) -> None:
        async with asyncio.timeout(JOINED_WITHIN_S):
            while any(b"has joined" not in log.read_bytes()[size:]
                      for log, size in self._begun.items()):
                await asyncio.sleep(LOOK_S)
        self._begun.clear()


async def take_back_halts(
    until: Callable[..., Awaitable[dict[str, Any]]], done: Callable[[RunNode], Awaitable[Any]],
) -> None:
    """Run every halted node again, once what is halted or left alone there is settled: a halt
    outlives daemons and hosts, so that no healing ends it. `until`, `done`: of a `LiveCluster`."""
    status = await until(
        lambda status: all(each["state"] != "halting" for each in status["nodes"]), settled=True)
    for each in status["nodes"]:
        if each["state"] == "halted":
            await done(RunNode(request=secrets.token_hex(8), node=each["name"]))
