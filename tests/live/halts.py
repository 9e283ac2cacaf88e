"""What an operator's halt leaves behind in a lab that the next scenario wants in order."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from cluster.api.messages import RunNode


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
