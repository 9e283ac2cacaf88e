"""The agent of one package on one node: it does what the record wants of this node, again and
again, and says what came of it.

Doing a duty twice is harmless, so there is no memory of what was done: the agent looks at the
duty and at the guest. What must never happen here: a guest let run without a good lease, or kept
when the record gives it to somebody else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from cluster.core import duties, entries
from cluster.core.duties import AnyDuty
from cluster.core.duties import duty as duty_of
from cluster.core.refusals import stale_order
from packages import access, arrival, identity
from packages.core.model import MonitorSpec, PackageSpec
from packages.core.problem import Problem
from packages.departure import Departure
from packages.endings import Answers
from packages.monitors.runner import MonitorRunner
from packages.reviving import revive
from packages.stuck import Attempts
from packages.surroundings import Body, Surroundings
from packages.vm.driver import Guest, GuestEvent
from packages.watching import start_watch

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 2.0
"""Everything that matters wakes the agent; this catches what no event told."""
FROZEN_S = 30.0
"""A suspension for want of a lease ends by itself after this; each look renews it, and a look at
a guest that does not answer takes four seconds."""
THAWED_GRACE_S = 5.0
"""Clients and guest find each other again by retransmission, after seconds at the most."""


class PackageAgent:
    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.around = around
        self.body = Body()
        self.watch: MonitorRunner | None = None
        self.failure: Problem | None = None
        self._monitors: tuple[MonitorSpec, ...] = ()
        """Those that `watch` was begun with."""
        self._news, self._ending = asyncio.Event(), asyncio.Lock()
        self._deafen: Callable[[], None] | None = None
        self._listening_to: Guest | None = None
        self._landed_for: str | None = None
        self._revived: tuple[str, int] | None = None
        self._alone: tuple[str, int] | None = None
        """The guest beside which nobody can write to the disks, for all this agent knows."""
        self.answers = Answers(around, name)
        self.attempts = Attempts(around, name)
        self._do: dict[type[Any], Callable[[Any], Awaitable[None]]] = {
            duties.Start: self._start, duties.Keep: self._keep, duties.Halt: self._halt,
            duties.Destroy: self._destroy, duties.Leave: self._leave, duties.Send: self._send,
            duties.Receive: self._receive, duties.Claim: self._claim, duties.Thaw: self._thaw,
            duties.Hold: self._hold, duties.Attach: self._attach, duties.Fence: self._fence,
            duties.Wait: self._leave,
        }

    def adopt(self, guest: Guest) -> None:
        """A guest found on this node after a restart of the daemon."""
        self._hold_guest(guest)
        self.wake()

    def wake(self) -> None:
        self._news.set()

    @property
    def guarded(self) -> Guest | None:
        """The guest the guardian answers for; a detached one is nobody's."""
        wanted = self._duty()
        return None if wanted is not None and wanted.is_unguarded else self.body.guest

    @property
    def stuck(self) -> Problem | None:
        """Why nothing goes on here although the record wants it."""
        return self.attempts.stuck or self.answers.refused

    async def end_foreign(self) -> Guest | None:
        """End a guest that is not this node's: the one that this very call has ended, for the
        worker comes here before the node joins, and the agent's own look may at the same time."""
        async with self._ending:
            guest = self.body.guest
            return guest if guest and await self._drop_guest() else None

    async def run(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._once()
                self.attempts.succeeded()
            except asyncio.CancelledError:
                raise
            except Exception as failure:  # one package's bug must not end the others' agents
                log.exception("agent of %s", self.name)
                await self.attempts.failed(self._duty(), failure)
                await asyncio.sleep(LOOK_AGAIN_S)
            try:
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Stop watching; the guest runs on."""
        await self._stop_watch()
        if self._deafen is not None:
            self._deafen()
            self._deafen = None

    def _duty(self) -> AnyDuty | None:
        record = self.around.ledger.package(self.name)
        return duty_of(record, self.around.node) if record is not None else None

    async def _once(self) -> None:
        move = getattr(wanted := self._duty(), "move", None)
        if (landed_for := self._landed_for) and (move is None or move.id != landed_for):
            self._landed_for = None
            await arrival.leave(self.around, self.body, landed_for)
        if wanted is None:
            self.answers.refused = None
            await self._end_stray()
        else:
            await self._do[type(wanted)](wanted)

    # the guest in hand
    def _hold_guest(self, guest: Guest) -> None:
        if self._deafen is not None:
            self._deafen()
        self.body.guest = self._listening_to = guest
        self._deafen = self.around.driver.listen(guest, self._heard)
        self.around.guests_changed()

    def _heard(self, event: GuestEvent) -> None:
        if event.kind in ("gone", "powered-off", "io-error", "panicked", "watchdog"):
            self.wake()

    async def _drop_guest(self) -> bool:
        """End the guest and see it dead."""
        await self._stop_watch()
        if self.body.guest is not None:
            refused = await self.around.driver.destroy(self.body.guest)
            if refused is not None:
                log.error("%s: %s %s", self.name, refused.what, refused.because)
                return False
        self._forget_guest()
        return True

    def _forget_guest(self) -> None:
        if self._deafen is not None:
            self._deafen()
            self._deafen = None
        self.body.guest = None
        self.around.guests_changed()

    async def _end_stray(self) -> None:
        if (guest := await self.end_foreign()) is None:
            return
        record = self.around.ledger.package(self.name)
        expected = guest.incoming or (
            record is not None and record.not_runnable_on == self.around.node)
        if not expected:
            await self.around.ledger.say(
                entries.StrayEnded, "the record does not give it to this node",
                node=self.around.node, package=self.name, epoch=guest.epoch,
            )
        if record is not None:
            await access.give_up(self.around, record.spec, guest.epoch)

    # watching

    def _fails(self, failure: Problem) -> None:
        self.failure = failure
        self.wake()

    async def _watched(self, spec: PackageSpec, *, grace: bool) -> None:
        if self.watch is not None and self._monitors != spec.monitors:
            await self._stop_watch()  # an operator has changed them; new ones get their own grace
            grace = True
        if self.watch is None and self.body.guest is not None:
            self.failure, self._monitors = None, spec.monitors
            self.watch = start_watch(
                spec, self.body.guest, driver=self.around.driver, node=self.around.node,
                clock=self.around.clock, heard=self._fails, grace=grace,
                vetting=self.around.vetting,
            )

    def _mind_lease(self) -> None:
        """Without a lease the guardian has frozen the guest: it is not ill, and goes on when the
        lease is renewed. A failure seen meanwhile is forgotten; the monitors look again."""
        if self.watch is None:
            return
        if self.around.may_run():
            self.watch.resume(THAWED_GRACE_S, owner="lease")
            return
        until_s = self.around.clock.boottime_s() + FROZEN_S
        self.watch.suspend(until_s, f"the lease of {self.around.node} is over", owner="lease")
        self.failure = None

    async def _stop_watch(self) -> None:
        watch, self.watch = self.watch, None
        self.failure = None
        if watch is not None:
            await watch.stop()

    # duties

    async def _start(self, duty: duties.Start) -> None:
        guest = self.body.guest
        # Both: a package that was deleted and applied anew counts its epochs from the beginning.
        if guest is not None and (guest.epoch, guest.boot_id) != (duty.epoch, duty.boot_id):
            if not await self._drop_guest():
                return
            guest = None
        if guest is None:
            if not self.around.may_run():
                return
            reasons = await self.around.against_start(duty.spec)
            refused = reasons[0] if reasons else await access.let_in(self.around, duty)
            made = refused or await self.around.driver.start(
                self.around.as_all_nodes_know(duty.spec), epoch=duty.epoch, boot_id=duty.boot_id,
                deadline_s=duty.spec.start_timeout_s, born=self._born,
            )
            if isinstance(made, Problem):
                self._forget_guest()
                await self.answers.not_started(duty, made)
                return
            guest, self._alone = made, (duty.boot_id, duty.epoch)
        await self._watched(duty.spec, grace=True)
        await self.around.ledger.say(
            entries.GuestStarted, f"started on {self.around.node}", package=self.name,
            epoch=duty.epoch, node=self.around.node, machine=guest.machine, accel=guest.accel,
            disks=await identity.in_use(self.around, self.body, duty.spec, guest),
        )

    async def _born(self, guest: Guest) -> Problem | None:
        """A guest that runs unguarded would outlive its lease: no guardian, no start. And a host
        that slept on the way may have been called dead, and have joined again, meanwhile."""
        self._hold_guest(guest)
        unguarded = await self.around.guarded()
        wanted = self._duty()
        if isinstance(wanted, duties.Start) and wanted.epoch == guest.epoch:
            return unguarded or await identity.verified(self.around, self.body, wanted.spec, guest)
        return stale_order(f"package:{self.name}", "The record has taken the start back.")

    async def _keep(self, duty: duties.Keep | duties.Send) -> None:
        guest = self.body.guest
        if guest is not None and guest.epoch != duty.epoch:
            if not await self._taken_back(guest, duty):
                return
            guest = self.body.guest
        if guest is None:
            await self._gone(duty, "there is no guest of this epoch here")
            return
        seen = await self.around.driver.observe(guest)
        if seen.state == "gone":
            await self._ended(duty, seen.exit.because if seen.exit else "its process is gone",
                              powered_off=bool(seen.exit and seen.exit.powered_off))
            return
        if seen.state == "shutdown":
            await self._ended(duty, "the guest powered itself off", powered_off=True)
            return
        # A move that is only opened stops nobody: what stands then was left so by an earlier one.
        may_revive = self.failure is None and (
            isinstance(duty, duties.Keep) or duty.move.stage == "opened")
        if may_revive and self._revived != (guest.boot_id, duty.epoch):
            if await revive(self.around, guest, seen):
                self._revived = (guest.boot_id, duty.epoch)
        await self._watched(duty.spec, grace=False)
        self._mind_lease()
        if self.failure is not None and not duty.maintenance:
            failure, self.failure = self.failure, None
            await self.answers.failed(duty, failure)
        if isinstance(duty, duties.Keep) and self._alone != (guest.boot_id, duty.epoch):
            if (another := await identity.strayed(self.around, duty.spec, guest)) is not None:
                self._fails(another)
            if await access.alone(self.around, duty.spec, duty.epoch):
                self._alone = (guest.boot_id, duty.epoch)

    async def _taken_back(self, guest: Guest, duty: duties.Keep | duties.Send) -> bool:
        """The target's copy died before it ran: this copy of the same life is the last again."""
        seen = await self.around.driver.observe(guest)
        if guest.boot_id == duty.boot_id and seen.state == "postmigrate":
            again = await self.around.driver.relabel(guest, epoch=duty.epoch)
            if isinstance(again, Problem):
                log.error("%s: %s", self.name, again.because)
                return False
            self._hold_guest(again)
            return True
        if seen.state == "unanswered" and not self.around.may_run():
            return False  # frozen by the guardian: what it is shows when it is thawed
        return await self._drop_guest()

    async def _ended(
        self, duty: duties.Keep | duties.Send, because: str, *, powered_off: bool,
    ) -> None:
        if not powered_off:
            await self._gone(duty, because)
            return
        if await self._drop_guest():
            await self.answers.released(duty, powered_off=True)

    async def _gone(self, duty: duties.Keep | duties.Send, because: str) -> None:
        blameless = self.body.ended_without_lease(may_run=self.around.may_run())
        await self.answers.gone(duty, because, blameless=blameless)

    async def _halt(self, duty: duties.Halt) -> None:
        await self._stop_watch()
        if self.body.guest is not None:
            refused = await self.around.driver.halt(
                self.body.guest, deadline_s=duty.within_s or duty.spec.halt_timeout_s)
            if refused is not None:
                log.error("%s: %s %s", self.name, refused.what, refused.because)
                return
            self._forget_guest()
        await self.answers.released(duty)

    async def _destroy(self, duty: duties.Destroy) -> None:
        if await self._drop_guest():
            await self.answers.released(duty)

    async def _leave(self, duty: duties.Leave | duties.Wait) -> None:
        await self._stop_watch()
        if isinstance(duty, duties.Leave) and duty.guarded:
            await self.around.ledger.say(
                entries.GuestLetGo, f"left alone on {self.around.node}", package=self.name,
                epoch=duty.epoch, node=self.around.node)

    async def _attach(self, duty: duties.Attach) -> None:
        """It counts as running, and may be taken over, only once the guardian answers for it."""
        guest = self.body.guest
        if guest is None or (await self.around.driver.observe(guest)).state == "gone":
            if await self._drop_guest():
                await self.answers.released(duty)
            return
        if not self.around.may_run() or await self.around.guarded() is not None:
            return
        await self._watched(duty.spec, grace=False)
        await self.around.ledger.say(
            entries.GuestStarted, f"guarded again on {self.around.node}", package=self.name,
            epoch=duty.epoch, node=self.around.node, machine=guest.machine, accel=guest.accel,
        )

    async def _send(self, duty: duties.Send) -> None:
        await self._keep(duty)
        if self.body.guest is None or self._duty() != duty:
            return

        def trouble() -> Problem | None:
            counts = not duty.maintenance and self.around.may_run()
            return self.failure if counts else None

        departure = Departure(self.around, self.body, duty, watch=self.watch, trouble=trouble)
        await departure.run()
        if departure.ill is not None:
            self.failure = departure.ill  # as without a move; it is not to be continued
        else:
            self._revived = None
        self.wake()

    async def _receive(self, duty: duties.Receive) -> None:
        self._landed_for = duty.move.id
        await arrival.receive(self.around, self.body, duty)
        if self.body.guest is not None and self.body.guest is not self._listening_to:
            self._hold_guest(self.body.guest)

    async def _claim(self, duty: duties.Claim) -> None:
        self._landed_for = duty.move.id
        await arrival.claim(self.around, self.body, duty)

    async def _thaw(self, duty: duties.Thaw) -> None:
        self._landed_for = duty.move.id
        thawing = arrival.Thawing(self.around, self.body, duty)
        if not await thawing.run():
            self.wake()
            return
        assert self.body.guest is not None and thawing.resumed_at_ms is not None
        await self._watched(duty.spec, grace=False)
        announcing = asyncio.ensure_future(self.around.driver.announce(self.body.guest))
        await self.around.ledger.say(
            entries.MoveThawed, f"runs on {self.around.node}", move=duty.move.id,
            package=self.name, resumed_at_ms=thawing.resumed_at_ms,
            # The hypervisor's clock counts parts of a millisecond, ours whole ones.
            monitored_at_ms=max(thawing.resumed_at_ms, float(self.around.clock.wall_ms())),
            disks=self.body.disks,
        )
        await announcing

    async def _fence(self, duty: duties.Fence) -> None:
        await access.shut_out(self.around, duty)

    async def _hold(self, duty: duties.Hold) -> None:
        await self._stop_watch()
