"""All agents of one node: who is needed, who is woken, what the guardian must know.

The worker performs `duties(state, me)`. It wakes an agent when the record of its package changed
and makes one for each package the record gives this node a part in.
"""

import asyncio
import logging

from cluster.core.entries import GuestReport, StrayEnded
from cluster.core.membership import gives
from cluster.core.model import PackageRecord
from packages.agent import PackageAgent
from packages.core.problem import Problem
from packages.core.values import Map
from packages.surroundings import Surroundings
from packages.vm.driver import Guest

log = logging.getLogger(__name__)

TOLD_S = 2.0
"""The history is not worth waiting for; the node joins without it."""


class Worker:
    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.agents: dict[str, PackageAgent] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._seen: dict[str, PackageRecord | None] = {}
        self.is_working = False
        """This node has joined."""
        self.frozen: frozenset[int] = frozenset()
        """Pids of guests that this daemon has stopped because no lease was good any more."""

    async def adopt(self) -> None:
        """Take up the guests that outlived an earlier daemon."""
        found = await self.around.driver.adopt()
        for guest in found:
            # All before any is told of: a list that leaves one out unguards it.
            self._agent(guest.package).body.guest = guest
        for guest in found:
            self.agents[guest.package].adopt(guest)

    def guests(self) -> list[Guest]:
        return [agent.body.guest for _, agent in sorted(self.agents.items()) if agent.body.guest]

    def guarded(self) -> list[Guest]:
        return [agent.guarded for _, agent in sorted(self.agents.items()) if agent.guarded]

    async def freeze(self, pids: frozenset[int] | None = None) -> bool:
        """Stop what the record gives to this node and what does not stand by this hand already,
        or was continued by somebody; whether there was anything. What is not this node's to guard
        any more goes on."""
        guests = self.guarded() if pids is None else [
            each for each in self.guests() if each.pid in pids]
        standing = {each.pid for each in guests if each.pid in self.frozen}
        await self._let_go(self.frozen - standing)
        ran = {each.pid: await self._stopped(each) for each in guests}
        new = {pid for pid, it_ran in ran.items()
               if it_ran or it_ran is not None and pid not in standing}
        if again := new & standing:
            log.error("%d guests that were stopped for want of a lease ran, continued by somebody "
                      "perhaps: stopped again", len(again))
            # It may have been the guardian, under a lease not heard of yet, and it has to hear
            # that they were stopped since: a list that is as the last one is not said again.
            self.frozen = frozenset(standing - again)
            self.around.guests_changed()
        self.frozen = frozenset(standing | new)
        return bool(new)

    async def _stopped(self, guest: Guest) -> bool | None:
        """Whether it ran; None: it could not be stopped. Whatever is wrong with one must not let
        the others run on; it is tried again."""
        try:
            return await self.around.driver.freeze(guest)
        except Exception as error:
            log.error("%s runs without a lease and could not be stopped: %r", guest.package, error)
            return None

    async def _let_go(self, pids: frozenset[int]) -> None:
        for each in self.guests():
            if each.pid in pids:
                await self.around.driver.unfreeze(each)

    def all_thawed(self) -> None:
        """The lease is good again, and the guardian has let them go on."""
        if self.frozen:
            self.frozen = frozenset()
            self.around.guests_changed()

    def reports(self) -> tuple[GuestReport, ...]:
        return tuple(
            GuestReport(package=each.package, epoch=each.epoch, boot_id=each.boot_id)
            for each in self.guests()
        )

    async def end_foreign(self) -> Problem | None:
        """Before joining: end the guests that the record does not give to this node, and those that
        nobody holds. What is left then: the node must not join and say that it has nothing."""
        state = self.around.ledger.state
        for guest in self.guests():
            if not gives(state, self.around.node, guest.package, guest.epoch):
                log.warning("ending a guest of %s, epoch %d: it is not given to this node",
                            guest.package, guest.epoch)
                if await self.agents[guest.package].end_foreign() is None:
                    continue  # its agent was at it already, and says so
                await self.around.ledger.say(
                    StrayEnded, "the record does not give it to this node", deadline_s=TOLD_S,
                    node=self.around.node, package=guest.package, epoch=guest.epoch,
                )
        return await self.around.driver.end_remains()

    async def end_all(self) -> list[str]:
        """The host goes down, and these would go down with it: whose guests were ended."""
        left = self.guests()
        ended = await asyncio.gather(*(self.around.driver.destroy(each) for each in left))
        for each, refused in zip(left, ended, strict=True):
            if refused is not None:
                log.error("%s: %s %s", each.package, refused.what, refused.because)
        return [each.package for each in left]

    def begin(self) -> None:
        """This node has joined: perform duties from now on. Joining again changes nothing."""
        if not self.is_working:
            self.is_working = True
            self.around.ledger.watch(self.look)
        for name in self.agents:
            self._run(name)
        self.look()

    def look(self) -> None:
        """After the record moved on: wake whom it concerns."""
        state = self.around.ledger.state
        for name in sorted(state.placed.get(self.around.node, Map())):
            if name not in self.agents:
                self._agent(name)
                self._run(name)
        moved_on = [name for name in self.agents
                    if self._seen.get(name) is not state.packages.get(name)]
        for name in moved_on:
            self._seen[name] = state.packages.get(name)
            self.agents[name].wake()
        if moved_on:
            # Not left to the agents, who may be waiting for a guest that does not answer: whom the
            # guardian answers for is the record's word, and the daemon may be gone the next moment.
            self.around.guests_changed()

    def _agent(self, name: str) -> PackageAgent:
        if name not in self.agents:
            self.agents[name] = PackageAgent(name, self.around)
        return self.agents[name]

    def _run(self, name: str) -> None:
        if self.is_working and name not in self._tasks:
            self._tasks[name] = asyncio.ensure_future(self.agents[name].run())

    async def close(self) -> None:
        """Stop performing; guests run on."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for agent in self.agents.values():
            await agent.close()
