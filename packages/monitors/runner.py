"""Runs one package's monitors: each at its interval, none while a suspension lasts.

What counts as a failure is decided in packages/core/health.py; here checks are started, called
off and timed. One runner watches one life of a guest on one node.

What must never happen here: a check begun or a result counted in a suspended time; a suspension
that lasts because nobody ended it; a monitor that silently watches no more.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal

from cluster.clock import Clock
from packages.core.health import (
    Failure, Happening, MonitorHealth, MonitorState, Suspensions, failed, passed, resumed, started,
    step, suspended
)
from packages.core.model import MonitorKind, MonitorSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value, changed
from packages.monitors.monitor import Check

__all__ = ["MonitorRunner", "MonitorStatus", "MonitorsStatus"]

log = logging.getLogger(__name__)

LONGEST_NAP_S = 1.0
"""asyncio sleeps on a clock that stands still in suspend; the end of a suspension is looked for
at least so often on the one that does not."""

NO_WORD = frozenset({"program-not-allowed", "check-not-made"})
"""What a check says of itself: no guest is ended because its monitor's program may not be used, or
because this node has no way to ask it."""

CLEANING_S = 5.0
"""A check may clean up so long after its timeout before it is called off."""


class MonitorStatus(Value):
    name: str
    kind: MonitorKind
    state: MonitorState
    checks: int
    failures: int
    failures_in_row: int
    last_problem: Problem | None


class MonitorsStatus(Value):
    """`off`: not started, or stopped."""

    monitoring: Literal["active", "suspended", "off"]
    suspended_until_s: float | None
    because: str
    suspended_ms: int
    monitors: tuple[MonitorStatus, ...]


class Monitor:
    """One monitor at work."""

    def __init__(self, spec: MonitorSpec, check: Check) -> None:
        self.spec = spec
        self.check = check
        self.health = MonitorHealth()
        self.due_s = 0.0
        self.woken = asyncio.Event()
        self.in_flight: asyncio.Task[Problem | None] | None = None

    def call_off(self) -> None:
        if self.in_flight is not None:
            self.in_flight.cancel()


class MonitorRunner:
    """`heard` is called on the event loop, once for each time a monitor goes down."""

    def __init__(
        self, package: str, checks: Iterable[tuple[MonitorSpec, Check]], *, clock: Clock,
        heard: Callable[[Failure], None],
    ) -> None:
        self._package = package
        self._monitors = [Monitor(spec, check) for spec, check in checks]
        self._clock = clock
        self._heard = heard
        self._suspensions = Suspensions()
        self._stretch = 0
        """Counts suspensions and resumptions; a check of an earlier stretch is not counted."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *, grace_s: float | None = None) -> None:
        """Begin to check. The grace is each monitor's own unless another is given (after a move
        the guest need not boot)."""
        now_s = self._clock.boottime_s()
        for monitor in self._monitors:
            grace = monitor.spec.grace_s if grace_s is None else grace_s
            self._happened(monitor, started(now_s, grace_s=grace))
        self._tasks = [asyncio.create_task(self._watch(each)) for each in self._monitors]

    async def stop(self) -> None:
        """No more checks; those under way are called off and have cleaned up when this returns."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def suspend(self, until_s: float, because: str, *, owner: str = "move") -> None:
        """No check from now until resumed by the same owner, or until then on CLOCK_BOOTTIME. What
        is under way is called off and does not count."""
        self._expire()
        now_s = self._clock.boottime_s()
        self._suspensions = self._suspensions.begin(
            owner, at_s=now_s, until_s=until_s, because=because,
        )
        self._turn(suspended(now_s))

    def resume(self, grace_s: float, *, owner: str = "move") -> None:
        """The owner's suspension is over; if it was the last, checks begin at once, and failures
        are forgiven until the grace ends or a check succeeds. Harmless without a suspension."""
        before = self._suspensions.until_s()
        now_s = self._clock.boottime_s()
        self._suspensions = self._suspensions.end(owner, at_s=now_s)
        if before is not None and self._suspensions.until_s() is None:
            self._turn(resumed(now_s, grace_s=grace_s))

    @property
    def suspended_ms(self) -> int:
        """Measured, all suspensions of this runner together."""
        self._expire()
        return round(self._suspensions.total_s(self._clock.boottime_s()) * 1000)

    def status(self) -> MonitorsStatus:
        suspended_ms = self.suspended_ms
        until_s = self._suspensions.until_s()
        return MonitorsStatus(
            monitoring="off" if not self._tasks else "active" if until_s is None else "suspended",
            suspended_until_s=until_s, because=self._suspensions.because(),
            suspended_ms=suspended_ms, monitors=tuple(map(_status_of, self._monitors)),
        )

    @property
    def unasked(self) -> Problem | None:
        """Why one of them learns nothing of the guest from here."""
        return next((each.health.last_problem for each in self._monitors
                     if each.health.last_problem is not None
                     and each.health.last_problem.code == "check-not-made"), None)

    def _turn(self, happening: Happening) -> None:
        """Into or out of a suspension: the one place where checks are called off."""
        self._stretch += 1
        for monitor in self._monitors:
            monitor.call_off()
            monitor.due_s = happening.at_s
            monitor.woken.set()
            self._happened(monitor, happening)

    def _expire(self) -> None:
        """End the suspensions whose time is over. No grace: nobody said that all is well."""
        before, now_s = self._suspensions, self._clock.boottime_s()
        self._suspensions = before.expired(now_s)
        if before.until_s() is not None and self._suspensions.until_s() is None:
            log.warning("monitoring of %s resumes by itself: %s", self._package, before.because())
            self._turn(resumed(now_s, grace_s=0.0))

    async def _watch(self, monitor: Monitor) -> None:
        while True:
            self._expire()
            now_s, until_s = self._clock.boottime_s(), self._suspensions.until_s()
            if until_s is None and now_s >= monitor.due_s:
                await self._check_once(monitor)
                continue
            wait_s = (monitor.due_s if until_s is None else until_s) - now_s
            monitor.woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, LONGEST_NAP_S)):
                    await monitor.woken.wait()

    async def _check_once(self, monitor: Monitor) -> None:
        stretch = self._stretch
        task = monitor.in_flight = asyncio.create_task(self._answer(monitor))
        try:
            await asyncio.wait({task})
        finally:
            monitor.in_flight = None
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if stretch != self._stretch or task.cancelled():
            return
        now_s, found = self._clock.boottime_s(), task.result()
        monitor.due_s = now_s + monitor.spec.interval_s
        if found is not None and found.code in NO_WORD:
            self._not_asked(monitor, found)
            return
        self._happened(monitor, passed(now_s) if found is None else failed(now_s, found))

    def _not_asked(self, monitor: Monitor, why: Problem) -> None:
        """Nothing was learnt of the guest, so nothing is counted: it is told, once a change."""
        if monitor.health.last_problem != why:
            log.error("%s: %s, because %s", self._package, why.what, why.because)
        monitor.health = changed(monitor.health, last_problem=why)

    async def _answer(self, monitor: Monitor) -> Problem | None:
        """The check's answer; one that breaks its contract is a failed check, said loudly,
        because the other choice is a guest that nobody watches. One that has no end is not said
        so loudly: this whole process may have stood still meanwhile."""
        timeout_s = monitor.spec.timeout_s
        limit = asyncio.timeout(timeout_s + CLEANING_S)
        try:
            async with limit:
                return await monitor.check.check(timeout_s=timeout_s)
        except Exception as bug:
            if limit.expired():
                return problem(
                    "check-timed-out", f"package:{self._package}",
                    what=f"the check {monitor.spec.name} did not end",
                    because=f"it was called off {CLEANING_S:g} s after its time of {timeout_s:g} s",
                    fix="see whether this node is starved",
                )
            log.exception("the check %s of %s broke", monitor.spec.name, self._package)
            return problem(
                "check-broken", f"package:{self._package}",
                what=f"the check {monitor.spec.name} itself failed", because=repr(bug),
                fix="report this with the daemon's log",
            )

    def _happened(self, monitor: Monitor, happening: Happening) -> None:
        monitor.health, failure = step(
            monitor.spec, monitor.health, happening, package=self._package,
        )
        if failure is None:
            return
        try:
            self._heard(failure)
        except Exception:  # the listener's bug must not end the watching
            log.exception("nobody took the failure %s", failure)


def _status_of(monitor: Monitor) -> MonitorStatus:
    health = monitor.health
    return MonitorStatus(
        name=monitor.spec.name, kind=monitor.spec.kind, state=health.state, checks=health.checks,
        failures=health.failures, failures_in_row=health.failures_in_row,
        last_problem=health.last_problem,
    )
