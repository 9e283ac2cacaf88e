"""The coordinator's power fencing: a node that falls silent with packages on it is switched off.

With that proof nobody waits for its lease. The levels of its fences are tried in order; each that
fails is said in the record, and after the last of them the whole is tried again while the node is
silent. A node whose daemon said that it goes away on purpose is left its lease (`patience`).

What must never happen here: a node fenced that holds nothing anybody waits for; one fenced by a
node that does not coordinate; the coordinator itself.
"""

import asyncio
import logging

from cluster.clock import Clock
from cluster.config.schema import ClusterConfig, FenceConfig
from cluster.core.entries import NodeFailed, PowerFenceFailed
from cluster.core.model import Proof, may_be_lost, packages_of
from cluster.deaths import Deaths
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.power.fence import PowerFence
from cluster.power.levels import switched_off
from cluster.raft.problems import no_quorum
from packages.core.problem import Problem, problem

log = logging.getLogger(__name__)

AGAIN_S = 10.0
"""After every level has failed: a controller that reboots is back after that."""
BY = "coordinator"
TOLD_S = 5.0


class PowerFencing:
    """One per daemon; `look` does something on the leader alone."""

    def __init__(
        self, *, node: str, config: ClusterConfig, ledger: Ledger, landlord: Landlord,
        deaths: Deaths, clock: Clock, door: PowerFence,
    ) -> None:
        self.door = door
        self._node, self._ledger, self._landlord = node, ledger, landlord
        self.deaths, self._clock = deaths, clock
        self.config = config
        """The cluster file as agreed; replaced while this runs."""
        self._under_way: dict[str, asyncio.Task[Problem | None]] = {}
        self._again_s: dict[str, float] = {}

    def fences(self, node: str) -> tuple[FenceConfig, ...]:
        return next((each.fences for each in self.config.nodes if each.name == node), ())

    def fenced(self) -> tuple[str, ...]:
        """Nodes that can be fenced."""
        return tuple(name for name in sorted(self._ledger.state.nodes) if self.fences(name))

    def look(self) -> None:
        """Begin to fence whoever is suspected and holds something."""
        now_s = self._clock.boottime_s()
        for name in self._landlord.suspected():
            if name in self._under_way or now_s < self._again_s.get(name, 0.0):
                continue
            if self.fences(name) and self._is_waited_for(name):
                self._begin(name, by=BY, because="it is silent and holds packages")

    def _is_waited_for(self, name: str) -> bool:
        """Detached packages were left alone on purpose."""
        state = self._ledger.state
        node = state.nodes.get(name)
        return node is not None and may_be_lost(state, node, "power") and any(
            each.owner == name and each.state != "detached" for each in packages_of(state, name))

    def _begin(
        self, name: str, *, by: str, because: str, entry: str = "",
    ) -> "asyncio.Task[Problem | None]":
        log.warning("fencing %s: %s", name, because)
        task = asyncio.ensure_future(self._fence(name, by=by, because=because, entry=entry))
        self._under_way[name] = task

        def ended(_: object) -> None:
            self._under_way.pop(name, None)
            self._again_s[name] = self._clock.boottime_s() + AGAIN_S

        task.add_done_callback(ended)
        return task

    async def by_order(
        self, name: str, *, by: str, because: str, entry: str,
    ) -> Problem | None:
        """An operator wants it off, heard or not."""
        if not self._ledger.replica.is_leader():
            return no_quorum(self._node)
        if name == self._node:
            return problem(
                "fence-self", f"node:{name}", what=f"Node {name} is not fenced.",
                because="It coordinates the cluster, and nobody switches himself off.",
                fix=f"Empty it with: vmsg node drain {name}, and switch it off by hand.",
            )
        if not self.fences(name):
            return not_fenced(name)
        task = self._under_way.get(name) or self._begin(
            name, by=by, because=because, entry=entry)
        return await asyncio.shield(task)

    async def _fence(self, name: str, *, by: str, because: str, entry: str) -> Problem | None:
        """None: it is off, and the record says so."""
        incarnation = self._ledger.state.nodes[name].incarnation
        began_s, term = self._clock.boottime_s(), self._ledger.replica.term()
        last: list[Problem] = []

        async def failed(why: Problem, level: int) -> None:
            last.append(why)
            log.error("fencing %s, level %d: %s", name, level, why.because)
            await self._ledger.say(
                PowerFenceFailed, f"level {level}: {why.because}", deadline_s=TOLD_S, node=name,
                incarnation=incarnation, level=level, problem=why)

        def may_go_on() -> bool:
            # Elected anew, it has heard nobody yet, and suspects nobody by what was before.
            is_wanted = by != BY or self._ledger.replica.term() == term and (
                name not in self._landlord.heard() and self._is_waited_for(name))
            return self._ledger.replica.is_leader() and is_wanted

        done = await switched_off(
            self.door, self.fences(name), failed=failed, may_go_on=may_go_on)
        if done is None:
            return last[-1] if last else no_quorum(self._node)
        took_s = self._clock.boottime_s() - began_s
        said = f"{done} switched it off in {took_s:.2f} s"
        # Good for any coordinator: this life of the node's daemon is over, whoever says so.
        return await self.deaths.declare(NodeFailed(
            id=entry or self._clock.token(), at_ms=self._clock.wall_ms(), by=by, because=because,
            node=name, incarnation=incarnation, proof=Proof(kind="power", because=said),
        ))

    async def settled(self) -> None:
        """Until nobody is being fenced."""
        while self._under_way:
            await asyncio.wait(self._under_way.values())
            await asyncio.sleep(0)

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def not_fenced(name: str) -> Problem:
    return problem(
        "fence-unknown", f"node:{name}", what=f"Node {name} has no power fence.",
        because="The cluster file names no fence for it.",
        fix=f"Add `fences:` to {name} in the cluster file, and apply it.",
    )
