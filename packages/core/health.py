"""Health: when a failed check is a failed package, and what a suspension does to the counting.

Every monitor is a small state machine, `TABLE`; what is absent from it is refused by leaving the
monitor as it is. PURE: times come in as data (CLOCK_BOOTTIME), the runner does the checking.

    uninitialized --passed--> up --failed more than `retries` times in a row--> down --passed--> up
         ^  `--failed, after the grace, more than `retries` times in a row------^
         `---- resumed ---- suspended <---- suspended ---- any state

Three rules beside the table. A failure is told once, when the monitor goes down, and again only
after it was up or resumed in between. A grace forgives failures until it ends or until the first
success. Some problems are facts and not symptoms (`CERTAIN`): asking again cannot help, so
neither retries nor grace forgive them.

Suspensions (of a freeze, of maintenance) have an owner, a reason and an end of their own. What
must never happen here: a suspension without an end; a check of a suspended time counted.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from packages.core.model import MonitorSpec
from packages.core.problem import Problem
from packages.core.values import Map, Value, changed

__all__ = [
    "CERTAIN", "Failure", "Happening", "MonitorHealth", "MonitorState", "Suspension",
    "Suspensions", "TABLE", "failed", "passed", "resumed", "started", "step", "suspended",
]

MonitorState = Literal["uninitialized", "up", "down", "suspended"]
HappeningKind = Literal["started", "passed", "failed", "suspended", "resumed"]

CERTAIN = frozenset({
    "guest-gone", "guest-powered-off", "guest-panicked", "guest-watchdog", "guest-io-error",
})


LONGEST_S = 7 * 86400.0
"""Whatever is asked for, monitoring comes back by itself within a week."""


class Failure(Value):
    """The package has failed, as this monitor sees it."""

    package: str
    monitor: str
    problem: Problem
    at_s: float
    failures_in_row: int


class MonitorHealth(Value):
    state: MonitorState = "uninitialized"
    grace_until_s: float = 0.0
    failures_in_row: int = 0
    """Those that count: outside of the grace, since the last success, start or resumption."""
    checks: int = 0
    failures: int = 0
    last_problem: Problem | None = None
    """Of the last check that failed, also when it was forgiven; None after a success."""


class Happening(Value):
    """Something that happened to a monitor; `grace_s` with started and resumed."""

    kind: HappeningKind
    at_s: float
    grace_s: float = 0.0
    problem: Problem | None = None


def started(at_s: float, *, grace_s: float) -> Happening:
    return Happening(kind="started", at_s=at_s, grace_s=grace_s)


def passed(at_s: float) -> Happening:
    return Happening(kind="passed", at_s=at_s)


def failed(at_s: float, problem: Problem) -> Happening:
    return Happening(kind="failed", at_s=at_s, problem=problem)


def suspended(at_s: float) -> Happening:
    return Happening(kind="suspended", at_s=at_s)


def resumed(at_s: float, *, grace_s: float) -> Happening:
    return Happening(kind="resumed", at_s=at_s, grace_s=grace_s)


Rule = Callable[[MonitorHealth, Happening, int], MonitorHealth]
"""(health, what happened, the monitor's retries) -> health."""


def _begin(health: MonitorHealth, happening: Happening, retries: int) -> MonitorHealth:
    """From scratch, whatever was before: the counters of another time say nothing now. A grace
    that a suspension fell into is not cut short by its end."""
    return changed(
        health, state="uninitialized", failures_in_row=0, last_problem=None,
        grace_until_s=max(health.grace_until_s, happening.at_s + happening.grace_s),
    )


def _passed(health: MonitorHealth, happening: Happening, retries: int) -> MonitorHealth:
    return changed(
        health, state="up", failures_in_row=0, last_problem=None, checks=health.checks + 1,
        grace_until_s=happening.at_s,
    )


def _failed(health: MonitorHealth, happening: Happening, retries: int) -> MonitorHealth:
    seen = changed(
        health, checks=health.checks + 1, failures=health.failures + 1,
        last_problem=happening.problem,
    )
    certain = happening.problem is not None and happening.problem.code in CERTAIN
    if happening.at_s < health.grace_until_s and not certain:
        return seen
    in_row = health.failures_in_row + 1
    is_down = certain or in_row > retries or health.state == "down"
    return changed(seen, failures_in_row=in_row, state="down" if is_down else health.state)


def _suspended(health: MonitorHealth, happening: Happening, retries: int) -> MonitorHealth:
    return changed(health, state="suspended")


TABLE: Mapping[tuple[MonitorState, HappeningKind], Rule] = {
    ("uninitialized", "started"): _begin,
    ("uninitialized", "passed"): _passed,
    ("uninitialized", "failed"): _failed,
    ("uninitialized", "suspended"): _suspended,
    ("up", "started"): _begin,
    ("up", "passed"): _passed,
    ("up", "failed"): _failed,
    ("up", "suspended"): _suspended,
    ("down", "started"): _begin,
    ("down", "passed"): _passed,
    ("down", "failed"): _failed,
    ("down", "suspended"): _suspended,
    # A result that arrives while suspended belongs to a time that does not count.
    ("suspended", "resumed"): _begin,
}


def step(
    spec: MonitorSpec, health: MonitorHealth, happening: Happening, *, package: str,
) -> tuple[MonitorHealth, Failure | None]:
    """The monitor after that, and the package's failure if this is the moment it failed."""
    rule = TABLE.get((health.state, happening.kind))
    if rule is None:
        return health, None
    after = rule(health, happening, spec.retries)
    if after.state != "down" or health.state == "down" or after.last_problem is None:
        return after, None
    return after, Failure(
        package=package, monitor=spec.name, problem=after.last_problem, at_s=happening.at_s,
        failures_in_row=after.failures_in_row,
    )


class Suspension(Value):
    because: str
    since_s: float
    until_s: float


class Suspensions(Value):
    """All that suspend one package's monitors, by owner; one owner's end is not another's.

    Nothing has to end a suspension: one whose end has passed does not count any more, and
    `expired` says from when on nothing has been suspending.
    """

    by_owner: Map[str, Suspension] = Map()
    suspended_s: float = 0.0
    """The measured time of all that have ended; an overlap counts once."""
    since_s: float | None = None
    """When the present stretch began."""

    def begin(
        self, owner: str, *, at_s: float, until_s: float, because: str,
    ) -> "Suspensions":
        """Suspend; again by the same owner: the newer end and reason replace the older."""
        until_s = min(until_s, at_s + LONGEST_S)
        new = Suspension(because=because, since_s=at_s, until_s=until_s)
        since_s = at_s if self.since_s is None else self.since_s
        return changed(self, by_owner=self.by_owner.set(owner, new), since_s=since_s)

    def end(self, owner: str, *, at_s: float) -> "Suspensions":
        """The owner's suspension is over; without one nothing changes."""
        return self._without({owner}, at_s) if owner in self.by_owner else self

    def expired(self, now_s: float) -> "Suspensions":
        """Without those whose end has come."""
        over = {name for name, each in self.by_owner.items() if each.until_s <= now_s}
        return self._without(over, now_s) if over else self

    def until_s(self) -> float | None:
        """When the last of them ends by itself; None: nothing is suspended."""
        return max((each.until_s for each in self.by_owner.values()), default=None)

    def because(self) -> str:
        return "; ".join(f"{owner}: {each.because}"
                         for owner, each in sorted(self.by_owner.items()))

    def total_s(self, now_s: float) -> float:
        """How long monitoring has been off so far, the present stretch included."""
        return self.suspended_s + (0.0 if self.since_s is None else now_s - self.since_s)

    def _without(self, owners: set[str], at_s: float) -> "Suspensions":
        left = Map({name: each for name, each in self.by_owner.items() if name not in owners})
        if left or self.since_s is None:
            return changed(self, by_owner=left)
        return changed(self, by_owner=left, suspended_s=self.total_s(at_s), since_s=None)
