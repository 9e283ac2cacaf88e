"""Wall clocks that differ are told of."""

import asyncio
from contextlib import suppress

from cluster.api.messages import AnyRequest, Reply
from cluster.clock import HostClock
from cluster.core.beside import Silence, Surroundings
from cluster.core.troubles import problems
from cluster.nodes.skew import Skew, stamped
from packages.core.problem import Problem, problem
from tests.core.test_apply import Story

HOUR_MS = 3_600_000


class Fast(HostClock):
    """An hour ahead."""

    def wall_ms(self) -> int:
        return super().wall_ms() + HOUR_MS


class Neighbour:
    def __init__(self, clock: HostClock | None) -> None:
        self.clock = clock

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        if self.clock is None:
            return problem("node-unreachable", "node:n3", what="-", because="-", fix="-")
        return stamped(Reply(), self.clock)


async def measured(leads: bool) -> dict[str, int]:
    around = {"n1": Neighbour(Fast()), "n2": Neighbour(HostClock()), "n3": Neighbour(None)}
    skew = Skew(HostClock(), around, lambda: leads)
    task = asyncio.ensure_future(skew.run())
    await asyncio.sleep(0.05)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return skew.ahead_ms


async def test_each_neighbours_clock_is_compared_by_whoever_leads() -> None:
    found = await measured(True)
    assert set(found) == {"n1", "n2"}
    assert abs(found["n1"] - HOUR_MS) < 300 and abs(found["n2"]) < 300
    assert await measured(False) == {}


def test_status_names_the_node_and_how_much() -> None:
    around = Surroundings(
        now_ms=1, leader="n2", quorum=True, term=1, addresses={}, silence=Silence(
            term=1, heard=("n1", "n2", "n3"), ahead_ms={"n1": -HOUR_MS, "n3": 999}))
    (told,) = problems(Story().state, around)
    assert (told.code, told.subject, told.severity) == ("clock-skew", "node:n1", "warn")
    assert "3600.0 s behind that of n2" in told.what
