"""What switches simulated hosts off: their management controllers and their power strips.

A host's controller hangs on the host's own supply: with the mains gone it answers nobody. The
strip has an outlet for each of the host's two supplies, and answers all the same. An order
that is on its way strikes whatever has become of who gave it; its answer may come late, or never.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from cluster.config.schema import FenceConfig
from cluster.power.fence import Power, fence_failed
from packages.core.problem import Problem
from tests.simulation.process import Process
from tests.simulation.timeline import Timeline

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.judge import Judge

CONTROLLER, STRIP = "fence_controller", "fence_strip"
OUTLETS = ("a", "b")
ANSWER_S = 2.0
"""How long an agent has; a real one has 20 s, and a run is over in 30."""

Manner = Literal["well", "deaf", "refuses", "mute", "lies"]
"""Does what it is told; hears nothing; says that it did not; does it, and does not say so; says
that it did, and did not."""
BROKEN_MANNERS: tuple[Manner, ...] = ("deaf", "refuses", "mute", "lies")
Action = Literal["off", "status"]
Answered = Callable[[Power | None], None]
"""None: it was not done."""


def fences_of(host: str, agents: tuple[str, ...]) -> tuple[FenceConfig, ...]:
    """One level for each of these agents, in this order."""
    found = []
    for level, agent in enumerate(agents, 1):
        plugs = [{"plug": host}] if agent == CONTROLLER else [
            {"plug": host, "outlet": each} for each in OUTLETS]
        found += [FenceConfig(agent=agent, level=level, options=each, timeout_s=ANSWER_S)
                  for each in plugs]
    return tuple(found)


class Controllers:
    """Of all hosts. `switched_off` is told of each host that lost its power by an order."""

    def __init__(self, timeline: Timeline, judge: "Judge", hosts: dict[str, "Host"]) -> None:
        self._timeline, self._dice, self._judge = timeline, timeline.dice, judge
        self._hosts = hosts
        self._open: set[tuple[str, str]] = set()
        """Outlets that are off: (host, outlet)."""
        self.without_mains: set[str] = set()
        """Hosts whose own controller has no power either."""
        self.manners: dict[tuple[str, str], Manner] = {}
        """(agent, host) -> how it takes orders; well, if it does not stand here."""
        self.cut_off: set[str] = set()
        """Hosts whose line to all of these is broken."""
        self.under_way = 0
        """Orders that may yet strike."""
        self.switched_off: Callable[[str], None] = lambda host: None

    def power_on(self, host: str) -> None:
        self.without_mains.discard(host)
        self._open -= {(host, each) for each in OUTLETS}

    def order(self, by: str, fence: FenceConfig, action: Action, answered: Answered) -> None:
        """On its way. `answered` hears of it sooner or later, or never."""
        if action == "off":
            self._judge.proofs.aims(by, fence.options["plug"])
        self.under_way += 1
        self._timeline.after(
            self._dice.uniform(0.02, 0.3), self._take, by, fence, action, answered)

    def _take(self, by: str, fence: FenceConfig, action: Action, answered: Answered) -> None:
        host = fence.options["plug"]
        manner = self.manners.get((fence.agent, host), "well")
        is_dead = fence.agent == CONTROLLER and host in self.without_mains
        if is_dead or manner == "deaf" or by in self.cut_off:
            self.under_way -= 1
        elif action == "status" or manner in ("refuses", "lies"):
            self.under_way -= 1
            shown: Power = "on" if self._hosts[host].has_power else "off"
            self._answer(by, answered, shown if manner in ("well", "lies") else None)
        else:
            slowest_s = self._dice.choice((0.2, 1.0, 1.8))
            self._timeline.after(
                self._dice.uniform(0.02, slowest_s), self._strike, by, fence, manner, answered)

    def _strike(self, by: str, fence: FenceConfig, manner: Manner, answered: Answered) -> None:
        self.under_way -= 1
        host = fence.options["plug"]
        if fence.agent == STRIP:
            self._open.add((host, fence.options["outlet"]))
        if fence.agent == CONTROLLER or all((host, each) in self._open for each in OUTLETS):
            self._switch_off(host)
        if manner == "well" and by not in self.cut_off:
            self._answer(by, answered, "off")

    def _switch_off(self, host: str) -> None:
        if self._hosts[host].has_power:
            self._judge.counts["shot"] += 1
            self._judge.saw(f"{host} is switched off")
            self._hosts[host].lose_power()
            self.switched_off(host)

    def _answer(self, by: str, answered: Answered, said: Power | None) -> None:
        """Most come at once; one that comes after the agent's time is up is heard by nobody."""
        late_s = self._dice.expovariate(0.5) if self._dice.random() < 0.15 else 0.0
        self._timeline.after(self._dice.uniform(0.01, 0.2) + late_s, answered, said)


class SimulatedPowerFence:
    """A daemon's agents (cluster.power.fence.PowerFence)."""

    def __init__(self, host: str, process: Process, controllers: Controllers) -> None:
        self._host, self._process, self._controllers = host, process, controllers

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        said = await self._asked(fence, "off")
        return said if isinstance(said, Problem) else None

    async def power(self, fence: FenceConfig) -> Power | Problem:
        return await self._asked(fence, "status")

    async def check(self, fence: FenceConfig) -> list[Problem]:
        return []

    async def _asked(self, fence: FenceConfig, action: Action) -> Power | Problem:
        heard: asyncio.Future[Power | None] = asyncio.get_running_loop().create_future()

        def answered(said: Power | None) -> None:
            self._process.after(0.0, settle, said)

        def settle(said: Power | None) -> None:
            if not heard.done():
                heard.set_result(said)

        self._controllers.order(self._host, fence, action, answered)
        try:
            async with asyncio.timeout(fence.timeout_s):
                said = await heard
        except TimeoutError:
            return fence_failed(fence, f"It had not ended after {fence.timeout_s:g} s.")
        return said if said is not None else fence_failed(fence, "It ended with 1.")
