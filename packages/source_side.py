"""What the source's side of a move knows while it goes: its guest, what it heard, the record.

A guest's vCPUs may stand for other reasons than our own switch (packages/core/standing.py). What
must never happen here: a guest that stands for a failure of its own taken for one that is ready.
"""

from collections.abc import Callable

from cluster.core.duties import Send
from cluster.core.model import MoveRecord
from packages.core.move_recovery import SourceStep
from packages.core.problem import Problem, problem
from packages.core.standing import TELLS_OF_FAILURE, longest_stand_s
from packages.gauge import Gauge
from packages.hearing import Hearing
from packages.monitors.qemu_state import finding
from packages.monitors.runner import MonitorRunner
from packages.surroundings import Body, Surroundings
from packages.vm.driver import Guest, GuestEvent, Observation


class SourceSide:
    """One move as its source's agent sees it."""

    def __init__(
        self, around: Surroundings, body: Body, duty: Send, *, watch: MonitorRunner | None,
        trouble: Callable[[], Problem | None],
    ) -> None:
        assert body.guest is not None
        self.around, self.body, self.duty, self.watch = around, body, duty, watch
        self.guest: Guest = body.guest
        self.move: MoveRecord = duty.move
        self.trouble = trouble
        self.switching = False
        self.ill: Problem | None = None
        """Its guest stands for a failure of its own, not for our switch."""
        self.stood_at_s: float | None = None
        """On our own clock, since when the guest stands."""
        self.problem: Problem | None = None
        self.gauge = Gauge(self.move.id, opened_at_ms=self.move.opened_at_ms)
        self.heard = Hearing(around.clock)

    def _hear(self, event: GuestEvent) -> None:
        if event.kind in TELLS_OF_FAILURE:
            self._falls_ill(Observation(state=event.kind))  # type: ignore[arg-type]
        self.heard.take(event)
        if event.kind == "resumed":
            self.stood_at_s = None
        if event.kind == "stopped" and not self.switching and self.ill is None:
            self.stood_at_s = self.around.clock.boottime_s()
            self._suspend()

    def _falls_ill(self, seen: Observation) -> None:
        self.ill = self.ill or finding(self.duty.package, seen)

    def _may_stand_s(self) -> float:
        """How much longer the guest may stand before its switch is called off."""
        timeouts = self.duty.spec.phase_timeouts
        longest_s = longest_stand_s(
            self.duty.spec.freeze_budget_ms, io_quiesce_s=timeouts.io_quiesce_s,
            frozen_s=timeouts.frozen_s)
        if self.stood_at_s is None:
            return longest_s
        return max(0.0, longest_s - (self.around.clock.boottime_s() - self.stood_at_s))

    def _suspend(self) -> None:
        """At the very event that stops the guest: monitoring is off for the freeze alone."""
        if self.watch is not None:
            timeouts = self.duty.spec.phase_timeouts
            until_s = self.around.clock.boottime_s() + timeouts.io_quiesce_s + timeouts.frozen_s
            self.watch.suspend(until_s, f"move to {self.move.target}")

    def _now(self) -> MoveRecord | None:
        record = self.around.ledger.package(self.duty.package)
        return record.move if record is not None else None

    def _over(self) -> bool:
        """Whether the record has taken the move out of the source's hands."""
        move = self._now()
        return move is None or move.id != self.move.id or move.stage in (
            "done", "committed", "orphaned")

    def _unwell(self) -> Problem | None:
        """Why the move must end: its guest is ill, or somebody asked for its end."""
        ill = self.ill or self.trouble()
        if ill is not None:
            return ill
        move = self._now()
        if move is None or move.abort_because is None:
            return None
        code = "move-aborted" if move.cancelled else "move-failed"
        return self._say(code, move.abort_because, "Mend the cause, or try another node.")

    def _say(self, code: str, because: str, fix: str) -> Problem:
        return problem(
            code, f"package:{self.duty.package}",
            what=f"Package {self.duty.package} was not moved to {self.move.target}; it runs on "
                 f"at {self.move.source}.",
            because=because, fix=fix,
        )

    def _fails(self, because: str, fix: str = "Look at vmsg events, then move it again.") -> (
            SourceStep):
        self.problem = self.problem or self._unwell() or self._say("move-failed", because, fix)
        return "abort"

    async def _until(self, *kinds: str, deadline_s: float) -> str | None:
        """The first of these events, "unwell", "over", or None when the deadline passed."""
        def otherwise() -> str | None:
            if self._over():
                return "over"
            return "unwell" if self._unwell() is not None else None
        return await self.heard.until(*kinds, otherwise=otherwise, deadline_s=deadline_s)

    def _tell(self, step: str) -> None:
        self.body.soft = self.gauge.shown(
            step, now_ms=self.around.clock.wall_ms(), stopped_ms=self.heard.at_ms.get("stopped"))
