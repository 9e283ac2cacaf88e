"""The source's side of a move: a table of steps, each naming the next.

The record holds the stage, the guest's hypervisor the rest, so that an agent that was restarted
takes the move up where it stands (`packages.core.move_recovery`). The point of no return is the
step `commit`. What must never happen here: the guest continued after the commit; a switch that
has begun called off before the abort was agreed (a target could then be given stale memory).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cluster.core import entries
from cluster.core.duties import Send
from cluster.core.model import Figures, MoveRecord
from packages.convergence import Convergence
from packages.core.move_recovery import SourceStep, may_have_switched, source_step
from packages.core.problem import Problem, problem
from packages.core.standing import ARRIVED_ILL, standing, stood_ill
from packages.monitors.runner import MonitorRunner
from packages.source_side import SourceSide
from packages.surroundings import Body, Surroundings
from packages.vm.carrier import Landing
from packages.vm.driver import Observation, Progress

log = logging.getLogger(__name__)

LOG_ANSWERS_S = 0.6
"""A commit takes 1-2 ms; a starved machine may stall for half a second. What takes longer is an
election, and is not waited out with the guest standing."""
SETTLED_S = 2.0
"""Milliseconds, on a machine that is not starved."""
LOOK_S = 0.1
"""Between two looks at a copy's numbers; everything urgent comes as an event."""
RESUMED_GRACE_S = 2.0
"""A guest continued at the source has stood for less than a second: it needs little time."""


class Departure(SourceSide):
    """One attempt to take one move forward; `run` returns when the record has moved on."""

    def __init__(
        self, around: Surroundings, body: Body, duty: Send, *, watch: MonitorRunner | None,
        trouble: Callable[[], Problem | None],
    ) -> None:
        super().__init__(around, body, duty, watch=watch, trouble=trouble)
        self.sent: Progress | None = None
        self.began_s = around.clock.boottime_s()
        self.convergence = Convergence(duty.spec, self.guest, around.driver, around.clock)
        self.steps: dict[SourceStep, Callable[[], Awaitable[SourceStep | None]]] = {
            "land": self._land, "send": self._send, "copy": self._copy, "quiesce": self._quiesce,
            "complete": self._complete, "commit": self._commit, "abort": self._abort,
            "lost": self._lost,
        }

    async def run(self) -> None:
        deafen = self.around.driver.listen(self.guest, self._hear)
        forget = self.around.ledger.watch(self.heard.wake)
        try:
            step: SourceStep | None = await self._first_step()
            while step is not None and not self._over():
                log.info("move %s of %s: %s", self.move.id, self.duty.package, step)
                self._tell(step)
                step = await self.steps[step]()
            # Not when the daemon ends: the channel belongs to a copy that goes on without it.
            await self.around.carrier.end(self.move.id)
        finally:
            deafen()
            forget()
            self.body.soft = None

    # steps

    async def _first_step(self) -> SourceStep:
        move = self._now()
        stage = move.stage if move is not None else "done"
        if stage in ("frozen", "aborting"):
            self._suspend()  # at once: a guest that hangs is asked for seconds
        seen = await self.around.driver.observe(self.guest)
        if standing(seen.state) == "ill":
            self._falls_ill(seen)
        if self.ill is not None or stage in ("opened", "copy") and self._unwell() is not None:
            return "abort"  # also where the step that would be next keeps failing
        if stage == "opened":
            return "land"
        migration = self.body.migration_of(self.move.id, seen.migration)
        self.switching = may_have_switched(stage, seen.state, migration)
        # One that only does not answer hangs by itself, and its monitors are to say so.
        if move is not None and seen.state != "running" and (
                self.switching or seen.state != "unanswered"):
            self._found_standing(move, migration)
        return source_step(stage, seen.state, migration)

    def _found_standing(self, move: MoveRecord, migration: str) -> None:
        """Take for heard what the daemon's earlier life heard."""
        now_ms = float(self.around.clock.wall_ms())
        self.heard.at_ms.setdefault("stopped", move.stopped_at_ms or now_ms)
        self.stood_at_s = self.around.clock.boottime_s()
        if migration == "pre-switchover":
            self.heard.at_ms.setdefault("pre-switchover", now_ms)
        self._suspend()

    async def _land(self) -> SourceStep | None:
        def landed(_: object) -> bool:
            move = self._now()
            return self._over() or self._unwell() is not None or (
                move is not None and move.stage == "copy")

        await self.around.carrier.prepare(self.move.id)
        await self.around.driver.prepare_send(
            self.guest, downtime_limit_ms=self.convergence.limit_ms,
            bandwidth_bytes_s=self.convergence.ceiling_bytes_s,
        )
        if not await self.around.ledger.until(landed, deadline_s=max(0.1, self._init_left_s())):
            return self._fails(f"{self.move.target} was not ready within its time")
        return "abort" if self._unwell() is not None else "send"

    async def _send(self) -> SourceStep | None:
        move = self._now()
        if move is None or move.landing is None:
            return self._fails("the target's landing is not in the record")
        waits = asyncio.ensure_future(self._target_waits())
        path = await self.around.carrier.launch(
            self.move.id, target=self.move.target, landing=Landing(
                address=move.landing.address, port=move.landing.port, token=move.landing.token))
        if isinstance(path, Problem):
            waits.cancel()
            return self._fails(path.because, path.fix)
        if not await waits:
            return self._fails(f"{self.move.target} was not ready within its time")
        self.body.sent_for = self.move.id
        refused = await self.around.driver.send(
            self.guest, socket_path=path, downtime_limit_ms=self.convergence.limit_ms,
            bandwidth_bytes_s=self.convergence.ceiling_bytes_s,
        )
        if refused is not None:
            return self._fails(refused.because, refused.fix)
        return "copy"

    def _init_left_s(self) -> float:
        # Not from the record's time, which is another host's wall clock.
        elapsed_s = self.around.clock.boottime_s() - self.began_s
        return self.duty.spec.phase_timeouts.init_s - elapsed_s

    async def _target_waits(self) -> bool:
        """Until the target's guest waits for memory: it is made while the channel is opened."""
        while not await self._target_answers():
            if self._over() or self._unwell() is not None or self._init_left_s() <= 0:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _target_answers(self) -> bool:
        return await self._target_says() == "ready"

    async def _target_says(self, *, loaded: bool = False) -> str:
        """Its agent and its copy are there: asked before the copy, and again before the source
        gives anything up, because nobody else could let the guest run after the commit. `loaded`:
        its copy is whole, answers, and is fit to run."""
        try:
            async with asyncio.timeout(LOG_ANSWERS_S):
                return await self.around.target_ready(
                    self.move.target, self.duty.package, self.move.id, loaded)
        except TimeoutError:
            return "silent"

    async def _copy(self) -> SourceStep | None:
        self.gauge.copy_began_ms = float(self.around.clock.wall_ms())
        began_s = self.around.clock.boottime_s()
        while True:
            seen = await self._until(
                "stopped", "pre-switchover", "failed", "gone", deadline_s=LOOK_S)
            if seen == "pre-switchover":
                # Our own switch stops a guest that runs, and tells of it.
                self._falls_ill(Observation(state="paused"))
            if seen in ("stopped", "pre-switchover"):
                return "abort" if self._unwell() is not None else "quiesce"
            if seen == "over":
                return None
            if seen == "gone":
                return "lost"
            if seen == "unwell":
                return "abort"
            numbers = await self.around.driver.progress(self.guest)
            if isinstance(numbers, Problem):
                if seen == "failed":  # and gone since, perhaps, which the abort finds out
                    return self._fails("the copy failed")
                continue
            if seen == "failed" or numbers.state == "failed":
                return self._fails(numbers.error or "the copy failed")
            self.gauge.take(numbers, limit_ms=self.convergence.limit_ms)
            self._tell("copy")
            advice = await self.convergence.help(
                numbers, elapsed_s=self.around.clock.boottime_s() - began_s)
            if advice.do == "give-up":
                self.problem = self._say(
                    "move-not-converging", advice.because,
                    "Move it when it is less busy, or raise freeze_budget_ms or the link's speed.")
                return "abort"

    async def _quiesce(self) -> SourceStep | None:
        timeouts = self.duty.spec.phase_timeouts
        stopped_ms = self.heard.at_ms.get("stopped", float(self.around.clock.wall_ms()))
        self.heard.at_ms.setdefault("stopped", stopped_ms)
        until_ms = int(stopped_ms + 1000 * (timeouts.io_quiesce_s + timeouts.frozen_s))
        # The record's own round inside the freeze: it tells everybody that monitoring is off, and
        # shows that the log answers before the source gives anything up.
        told = asyncio.ensure_future(self.around.ledger.say(
            entries.MoveFrozen, "the source's vCPUs stand", deadline_s=LOG_ANSWERS_S,
            move=self.move.id, package=self.duty.package, stopped_at_ms=stopped_ms,
            until_ms=until_ms,
        ))
        awaited = asyncio.ensure_future(self._target_answers())
        asked = asyncio.ensure_future(self._ask_why_it_stands())
        seen = await self._until(
            "pre-switchover", "failed", "gone", "resumed",
            deadline_s=min(timeouts.io_quiesce_s, self._may_stand_s()))
        refused, is_awaited, _ = await asyncio.gather(told, awaited, asked)
        if self.ill is not None and seen != "gone":
            return "abort"
        if seen in ("gone", "unwell", "over"):
            return {"gone": "lost", "unwell": "abort", "over": None}[seen]
        if seen != "pre-switchover":
            observed = await self.around.driver.observe(self.guest)
            if observed.migration != "pre-switchover":
                return self._fails("outstanding I/O did not drain in time" if seen is None
                                   else "the switch was interrupted")
        stage = self._now()
        if refused is not None and not (stage is not None and stage.stage == "frozen"):
            return self._fails(f"the record did not answer in time: {refused.because}")
        if not is_awaited:
            return self._fails(f"{self.move.target} does not answer any more")
        self.switching = True
        switched = await self.around.driver.switch(self.guest)
        if switched is not None:
            return self._fails(switched.because)
        self.heard.at_ms["switched"] = float(self.around.clock.wall_ms())
        return "complete"

    async def _ask_why_it_stands(self) -> None:
        """While the record is told, so that it costs no time. One that drains its I/O may not
        answer yet."""
        while (left_s := self._may_stand_s()) > 0:
            seen = await self.around.driver.observe(self.guest, deadline_s=max(0.05, left_s))
            if standing(seen.state) == "ill":
                self._falls_ill(seen)
                self.heard.wake()
            if seen.state != "unanswered":
                return

    async def _complete(self) -> SourceStep | None:
        frozen_s = min(self.duty.spec.phase_timeouts.frozen_s, self._may_stand_s())
        seen = await self._until("completed", "failed", "gone", deadline_s=frozen_s)
        if seen == "gone":
            return "lost"
        if seen == "failed":
            return self._fails("the target's copy failed at the switch")
        if seen == "over":
            return None
        # The target is asked once more, while the source settles: after the commit nobody else can
        # let the guest run, and the switch may have taken long.
        settled, word = await asyncio.gather(
            self._settled(has_completed=seen == "completed"), self._target_says(loaded=True))
        if word in ARRIVED_ILL:
            self._falls_ill(Observation(state=word))  # type: ignore[arg-type]
        if settled == "commit" and word != "ready":
            return self._fails(f"{self.move.target} does not say that its copy can run")
        return settled or self._fails("the guest stood for too long")

    async def _settled(self, *, has_completed: bool) -> SourceStep | None:
        """The event comes a moment before the run state; the commit waits for both (rule 1)."""
        end_s = self.around.clock.boottime_s() + SETTLED_S
        while self.around.clock.boottime_s() < end_s:
            observed = await self.around.driver.observe(self.guest)
            if observed.state == "postmigrate" and observed.migration == "completed":
                self.sent = observed.progress
                return "commit"
            if observed.state == "gone":
                return "lost"
            if observed.state == "running" or not has_completed:
                break
            await asyncio.sleep(0.001)
        return None

    async def _commit(self) -> SourceStep | None:
        entry = self.around.ledger.entry(
            entries.MoveCommitted, f"{self.move.source} has sent everything", move=self.move.id,
            package=self.duty.package, figures=await self._measured(),
        )
        while not self._over():
            refused = await self.around.ledger.propose(entry, deadline_s=5.0)
            if refused is None or refused.code == "stale-order":
                return None
        return None

    async def _measured(self) -> Figures:
        numbers = self.sent or await self.around.driver.progress(self.guest)
        if not isinstance(numbers, Problem):
            self.gauge.take(numbers, limit_ms=self.convergence.limit_ms)
        stopped = self.heard.at_ms.get("stopped", 0.0)
        return self.gauge.phases(
            stopped_ms=stopped, switched_ms=self.heard.at_ms.get("switched", stopped))

    async def _abort(self) -> SourceStep | None:
        if self.switching and not await self._abort_agreed():
            return None
        observed = await self.around.driver.cancel(self.guest)
        if observed.state == "gone":
            return "lost"
        if stood_ill(observed.state, observed.migration):
            self._falls_ill(observed)
        elif observed.state == "postmigrate":
            self.switching = True
            if not await self._abort_agreed():
                return None
            refused = None if self.ill else await self.around.driver.resume(self.guest)
            observed = await self.around.driver.observe(self.guest)
            if refused is not None and observed.state != "running":
                log.error("%s: not continued: %s", self.duty.package, refused.because)
        if observed.state == "unanswered":
            if self.trouble() is not None:
                return None  # it hangs and its monitors say so: the agent ends it
            await asyncio.sleep(LOOK_S)
            return "abort"
        if self.watch is not None and self.ill is None:
            self.watch.resume(RESUMED_GRACE_S)
        because = self.problem or self._unwell() or self._say(
            "move-failed", "the move was interrupted", "Move it again.")
        await self.around.ledger.say(
            entries.MoveAborted, because.because, move=self.move.id, package=self.duty.package,
            problem=because, figures=self.gauge.figures,
        )
        return None

    async def _abort_agreed(self) -> bool:
        """Have it in the record that this switch is called off, however long that takes: from
        there on nobody can claim the target's copy. False: the record has decided otherwise."""
        because = self.problem or self._unwell()
        entry = self.around.ledger.entry(
            entries.MoveAborting, because.because if because else "the switch is called off",
            move=self.move.id, package=self.duty.package,
        )
        while True:
            move = self._now()
            if move is not None and move.id == self.move.id and move.stage == "aborting":
                return True
            if self._over():
                return False
            await self.around.ledger.propose(entry, deadline_s=5.0)

    async def _lost(self) -> SourceStep | None:
        """The guest's process is gone. After the switch began, and unless it was seen running
        again, the target may hold the whole memory."""
        seen = await self.around.driver.observe(self.guest)
        if seen.exit is not None and seen.exit.powered_off:
            return None  # no failure: the agent, who looks next, releases it
        resumed = self.heard.at_ms.get("resumed", 0.0) > self.heard.at_ms.get("stopped", 0.0)
        gone = problem(
            "guest-gone", f"package:{self.duty.package}", what="The guest's process is gone.",
            because="It ended in its move.", fix="It is restarted; nothing needs to be done.",
        )
        if self.around.ledger.package(self.duty.package) is not None:
            await self.around.ledger.say(
                entries.GuestFailed, gone.because, package=self.duty.package,
                epoch=self.duty.epoch, node=self.around.node, problem=gone,
                switching=self.switching and not resumed,
            )
        return None
