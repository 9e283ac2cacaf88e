"""The target's side of a move: a paused guest behind a landing, then the thaw.

What must never happen here: the guest let run before the record gives it to this node, or given
back after it may have run.
"""

import asyncio
import logging

from cluster.core import entries
from cluster.core.duties import Claim, Receive, Thaw
from cluster.core.model import Landing
from packages.access import let_in_beside
from packages.core.model import PackageSpec
from packages.core.move_recovery import target_answer
from packages.core.problem import Problem, problem
from packages.core.standing import FIT_TO_RUN
from packages.core.values import changed
from packages.identity import verified
from packages.surroundings import Body, Surroundings
from packages.vm.driver import Guest, GuestEvent, RunState

log = logging.getLogger(__name__)

LOADED_S = 5.0
"""A target that was sent everything says so within milliseconds. With a lease it is not the
guardian that keeps it from answering, and a hypervisor that hangs is not worth more time: another
node starts the guest sooner."""
LEASE_LOOK_S = 0.05
REMAINS_LOOK_S = 0.5
"""Between two attempts to end what the kernel keeps."""
LOADING_LOOK_S = 0.001
"""A source may hear of the end a moment before the target is done."""
_MAY_BE_OLD = "may not be the last: the channel broke, and the source may have run on"
WHY_NOT = {
    "paused": _MAY_BE_OLD, "running": _MAY_BE_OLD, "unanswered": "does not answer",
    "panicked": "had panicked", "io-error": "stood after a storage error",
    "watchdog": "stood after its watchdog ran out", "suspended": "had suspended itself",
}
NOT_RUN = frozenset({"guest-gone", "guest-not-loaded", "guest-refused"})
"""Refusals to resume after which the guest certainly has not run: the hypervisor was not told, or
said no."""


async def receive(around: Surroundings, body: Body, duty: Receive) -> None:
    """Make the guest and its landing, once for each move, and watch that it stays."""
    move = duty.move
    if move.stage == "opened" and body.arrived_for != move.id:
        refused = await _prepare(around, body, duty)
        if refused is not None:
            await _ask_for_end(around, duty, f"{around.node} cannot take it: {refused.because}")
        return
    guest = body.guest
    if guest is None or guest.epoch != duty.epoch:
        await _ask_for_end(around, duty, f"the copy on {around.node} is gone")
        return
    body.waits.set()
    if move.stage == "frozen":
        return  # it loads while a guest stands: the source hears of its death from the channel
    seen = await around.driver.observe(guest)
    if seen.state == "gone":
        await _ask_for_end(around, duty, f"the copy on {around.node} died")


async def _prepare(around: Surroundings, body: Body, duty: Receive) -> Problem | None:
    """Guest and landing side by side: what lands needs the guest only when memory comes, and the
    source asks for the guest before it sends any."""
    if body.guest is not None:
        await around.driver.destroy(body.guest)
        body.guest = None
    refusals = await asyncio.gather(_make_guest(around, body, duty), _land(around, duty))
    return refusals[0] or refusals[1]


async def _make_guest(around: Surroundings, body: Body, duty: Receive) -> Problem | None:
    refused = await let_in_beside(around, duty.spec, duty.epoch)
    made = refused or await around.driver.receive(
        carried_on(duty), epoch=duty.epoch, boot_id=duty.boot_id, machine=duty.move.machine,
        deadline_s=duty.spec.phase_timeouts.init_s,
    )
    if isinstance(made, Problem):
        return made
    body.guest, _ = made
    body.arrived_for, body.let_run = duty.move.id, False
    around.guests_changed()
    # Unguarded it would outlive its lease, as one that was started unguarded.
    refused = await around.guarded() or await verified(around, body, duty.spec, body.guest)
    if refused is None:
        body.waits.set()
    return refused


async def _land(around: Surroundings, duty: Receive) -> Problem | None:
    move = duty.move
    landing = await around.carrier.land(
        move.id, socket_path=around.driver.incoming_socket(duty.package), source=move.source)
    if isinstance(landing, Problem):
        return landing
    return await around.ledger.say(
        entries.MoveLanded, f"{around.node} has opened a channel", move=move.id,
        package=duty.package, landing=Landing(
            address=landing.address, port=landing.port, token=landing.token),
    )


def carried_on(duty: Receive) -> PackageSpec:
    """The package as its life was started: `auto` must not choose anew in the middle of it."""
    accel = duty.move.accel
    if accel not in ("kvm", "tcg"):
        return duty.spec
    return changed(duty.spec, vm=changed(duty.spec.vm, accel=accel))


async def _ask_for_end(around: Surroundings, duty: Receive, because: str) -> None:
    if duty.move.abort_because is None:
        await around.ledger.say(
            entries.MoveAbortAsked, because, move=duty.move.id, package=duty.package,
        )


async def leave(around: Surroundings, body: Body, move: str) -> None:
    """The move is not ours any more: close its landing."""
    body.arrived_for = None
    body.waits.clear()
    await around.carrier.end(move)


async def arrived_as(around: Surroundings, body: Body, *, patience_s: float) -> RunState:
    """What the copy that waits here is, once it is whole, or what it is after that time: asked
    before the commit, after which it has to run here."""
    end_s = around.clock.boottime_s() + patience_s
    state: RunState = "gone"
    while body.guest is not None and (left_s := end_s - around.clock.boottime_s()) > 0:
        seen = await around.driver.observe(body.guest, deadline_s=left_s)
        state = seen.state
        if state != "incoming" and seen.migration == "completed":
            return state
        await asyncio.sleep(LOADING_LOOK_S)
    return "incoming" if state in FIT_TO_RUN else state


async def claim(around: Surroundings, body: Body, duty: Claim) -> None:
    """The source is lost in the switch: say whether the whole memory is here (rule 3)."""
    move = duty.move
    guest = body.guest
    state = "gone"
    if guest is not None and guest.epoch == duty.epoch:
        state = await _said_in_the_end(around, guest, duty)
    if _is_decided(around, duty):
        return
    ended_well = await around.carrier.has_ended_well(move.id)
    if target_answer(state, ended_well=ended_well) == "claim":
        await around.ledger.say(
            entries.MoveCommitted, f"{move.source} is lost and the whole memory is here",
            move=move.id, package=duty.package, figures=move.figures,
        )
        return
    if guest is not None:
        refused = await around.driver.destroy(guest)
        if refused is not None:
            log.error("%s: %s %s", duty.package, refused.what, refused.because)
            return  # not called lost while it is there: the next look tries again
        body.guest = None
        around.guests_changed()
    because = f"{move.source} was lost and the copy on {around.node} " + WHY_NOT.get(
        state, "was not complete")
    await around.ledger.say(
        entries.MoveAborted, because, move=move.id, package=duty.package,
        target_hangs=state == "unanswered", problem=problem(
            "move-failed", f"package:{duty.package}",
            what=f"Package {duty.package} was not moved; its memory is lost.", because=because,
            fix="It is started anew from its disks; nothing needs to be done.",
        ),
    )


async def _said_in_the_end(around: Surroundings, guest: Guest, duty: Claim) -> str:
    """What it is doing, once that says something: it may be loading the last it was sent, or be
    frozen for want of a lease."""
    frozen_s = duty.spec.phase_timeouts.frozen_s if duty.move.stopped_at_ms else 0.0
    patience_s = {"incoming": min(LOADED_S, frozen_s), "unanswered": LOADED_S}
    waited_s = 0.0
    while True:
        began_s = around.clock.boottime_s()
        state = (await around.driver.observe(guest)).state
        if waited_s >= patience_s.get(state, 0.0) or _is_decided(around, duty):
            return state
        await asyncio.sleep(LEASE_LOOK_S)
        if around.may_run():
            waited_s += around.clock.boottime_s() - began_s


def _is_decided(around: Surroundings, duty: Claim) -> bool:
    record = around.ledger.package(duty.package)
    return record is None or record.move is None or (
        (record.move.id, record.move.stage) != (duty.move.id, "orphaned"))


class Thawing:
    """Let the guest run, and say when it did."""

    def __init__(self, around: Surroundings, body: Body, duty: Thaw) -> None:
        self.around, self.body, self.duty = around, body, duty
        self.resumed_at_ms: float | None = None

    def _heard(self, event: GuestEvent) -> None:
        if event.kind == "resumed":
            self.resumed_at_ms = event.at_ms

    async def run(self) -> bool:
        """True when the guest runs; else the record was told why not, or the next look decides."""
        guest = self.body.guest
        if guest is None or guest.epoch != self.duty.epoch:
            await self._lost("there is no guest here")
            return False
        deafen = self.around.driver.listen(guest, self._heard)
        try:
            # Whoever ended it meanwhile, as foreign here, knew better.
            return await self._let_run(guest) and self.body.guest is guest
        finally:
            deafen()

    async def _let_run(self, guest: Guest) -> bool:
        driver = self.around.driver
        tried_s = 0.0  # with a lease: without one the guest only waits
        while self._is_ours():
            began_s = self.around.clock.boottime_s()
            if not self.around.may_run():
                await asyncio.sleep(LEASE_LOOK_S)
                continue
            let_run_before, self.body.let_run = self.body.let_run, True
            refused = await driver.resume(guest)
            if refused is not None and refused.code in NOT_RUN:
                self.body.let_run = let_run_before
            if refused is not None and refused.code == "guest-arrived-ill":
                await self._failed(refused)
                return False
            if refused is None:
                if self.resumed_at_ms is None:
                    self.resumed_at_ms = float(self.around.clock.wall_ms())
                return True
            seen = await driver.observe(guest)
            if self.body.guest is not guest:
                return False
            if seen.state == "gone":
                await self._lost("the guest died before it ran")
                return False
            if seen.state == "running":
                self.resumed_at_ms = self.resumed_at_ms or float(self.around.clock.wall_ms())
                return True
            await asyncio.sleep(0.001)
            tried_s += self.around.clock.boottime_s() - began_s
            if tried_s >= self._patience_s():
                await self._given_up(guest, refused.because)
                return False
        return False

    def _is_ours(self) -> bool:
        record = self.around.ledger.package(self.duty.package)
        return record is not None and record.state == "running" and (
            (record.owner, record.epoch) == (self.around.node, self.duty.epoch))

    def _patience_s(self) -> float:
        """One that may have run cannot be given back: it gets the time of the whole phase."""
        return self.duty.spec.phase_timeouts.frozen_s if self.body.let_run else LOADED_S

    async def _given_up(self, guest: Guest, because: str) -> None:
        """It will not run here. Its end comes first: the source may be continued after that."""
        if await self.around.driver.destroy(guest) is None:
            await self._lost(f"the guest could not be continued: {because}")

    async def _lost(self, because: str) -> None:
        """Only an agent that made the guest and never let it run may give the package back."""
        move = self.duty.move
        if await self.around.driver.end_remains(self.duty.package) is not None:
            # Not given back, nor called gone, while it is here; the next look tries again.
            await asyncio.sleep(REMAINS_LOOK_S)
            return
        if self.body.arrived_for == move.id and not self.body.let_run:
            await self.around.ledger.say(
                entries.MoveReturned, because, move=move.id, package=self.duty.package)
            return
        await self._failed(problem(
            "guest-gone", f"package:{self.duty.package}",
            what="The guest is gone after its move.", because=because,
            fix="It is restarted; nothing needs to be done.",
        ))

    async def _failed(self, failure: Problem) -> None:
        await self.around.ledger.say(
            entries.GuestFailed, failure.because, package=self.duty.package,
            epoch=self.duty.epoch, node=self.around.node, problem=failure,
        )
