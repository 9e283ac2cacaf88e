"""Moves the coordinator begins by itself, carried out: checked first, opened, seen to their end.

Each is a task beside the coordinator's loop. It holds nothing that the record does not: where the
coordinator dies, the next one finds the move under way, or the errand not begun. What must never
happen here: a package stopped that may not be; a word in the record after the leadership is lost.
"""

import asyncio
from collections.abc import Callable

from cluster.answers.survey import Survey
from cluster.clock import Clock
from cluster.core import entries, refusals
from cluster.core.coordinator import BY, Knowledge, candidates, node_views
from cluster.core.errands import Errand, errands
from cluster.ledger import Ledger
from packages.core.limits import Limits, Route
from packages.core.problem import Problem
from packages.core.problem import refusals as refusing
from packages.core.values import Value

PROPOSE_S = 2.0

LATER = frozenset({
    "move-limit-reached", "package-moving", "package-not-running", "no-quorum", "timed-out",
    "stale-order",
})
"""Refusals that say nothing against the target: the record has moved on, or nobody decided."""


class Attempt(Value):
    """What came of one errand."""

    problem: Problem | None = None
    tried: tuple[str, ...] = ()
    is_over: bool = True
    """False: it is to be looked at again."""


class Errands:
    def __init__(self, *, ledger: Ledger, clock: Clock, survey: Survey) -> None:
        self._ledger, self._clock, self._survey = ledger, clock, survey
        self._begun: dict[str, Route] = {}
        self._failed: dict[str, Attempt] = {}
        """Packages of a drain that a node would not have, while the next one has no room yet: that
        node is not asked again meanwhile. The next coordinator asks it once more."""
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, known: Knowledge) -> None:
        """Begin what there is room for."""
        self._failed = {
            name: each for name, each in self._failed.items() if self._is_drained(name)}
        failed = {name: each.tried for name, each in self._failed.items()}
        for errand in errands(self._ledger.state, known, self._begun, failed):
            record = errand.record
            target = errand.targets[0] if errand.targets else ""
            self._begun[record.name] = (record.owner or "", target)
            task = asyncio.ensure_future(self._carry_out(errand, known))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _is_drained(self, package: str) -> bool:
        record = self._ledger.package(package)
        node = self._ledger.state.nodes.get(record.owner or "") if record is not None else None
        return node is not None and node.state == "draining"

    async def _carry_out(self, errand: Errand, known: Knowledge) -> None:
        try:
            attempt = await self._tried(errand, known.limits)
            if attempt.tried and not attempt.is_over:
                self._failed[errand.record.name] = attempt
            else:
                self._failed.pop(errand.record.name, None)
            if attempt.is_over and self._is_wanted(errand):
                await self._tell(errand, attempt, known)
        finally:
            del self._begun[errand.record.name]

    def _is_wanted(self, errand: Errand) -> bool:
        """Whether this is still ours to do, and still to be done."""
        if not self._ledger.replica.is_leader():
            return False
        node = self._ledger.state.nodes.get(errand.node)
        record = self._ledger.package(errand.record.name)
        if node is None or record is None:
            return False
        if errand.purpose == "drain":
            return node.state == "draining" and record.owner == errand.node
        if errand.purpose == "return":
            return record.name in node.returning
        return record.queued is not None and record.queued.id == errand.move

    async def _tried(self, errand: Errand, limits: Limits) -> Attempt:
        """Move it to the first target that may take it."""
        record, before = errand.record, self._failed.get(errand.record.name, Attempt())
        tried = (*self._tried_before(errand), *before.tried)
        last = refusals.package_detached(record, "be moved") if record.state == "detached" \
            else before.problem or refusals.no_target(record)
        if errand.purpose == "ordered" and not errand.targets:
            return Attempt(problem=refusals.not_in_state(record, "be moved"))
        for target in errand.targets:
            refused = refusing(await self._survey.against_move(
                record, target, keeps_reserve=errand.purpose == "ordered"))
            if not refused:
                if not self._is_wanted(errand):
                    return Attempt(is_over=False)
                self._begun[record.name] = (record.owner or "", target)
                problem = await self._moved(errand, target, limits)
                if problem is None:
                    return Attempt()
                refused = [problem]
            if refused[0].code in LATER:
                return Attempt(problem=last, tried=tried, is_over=False)
            last = refused[0]
            if last.code == "move-aborted":  # by an operator, who does not want it tried again
                return Attempt(problem=last, tried=record.spec.nodes)
            there = self._ledger.state.nodes.get(target)
            if there is not None and there.state == "running":
                tried = (*tried, target)  # one that went down may be tried again when it is back
        return Attempt(problem=last, tried=tuple(dict.fromkeys(tried)))

    def _tried_before(self, errand: Errand) -> tuple[str, ...]:
        node = self._ledger.state.nodes.get(errand.node)
        return next((
            each.tried for each in (node.stuck if node is not None else ())
            if each.package == errand.record.name), ())

    async def _moved(self, errand: Errand, target: str, limits: Limits) -> Problem | None:
        """None when it has moved, or the Problem why not."""
        move, name = errand.move or self._clock.token(), errand.record.name
        refused = await self._ledger.propose(entries.MoveOpened(
            id=self._clock.token(), at_ms=self._clock.wall_ms(), by=errand.by,
            because=errand.because, move=move, package=name, target=target,
            purpose=errand.purpose, limits=limits,
        ), deadline_s=PROPOSE_S)
        if refused is not None:
            return refused

        def ended(_: object) -> bool:
            now = self._ledger.package(name)
            return now is None or now.move is None or now.move.id != move or not now.moving

        await self._ledger.until(ended, deadline_s=None)
        now = self._ledger.package(name)
        return now.move.problem if now is not None and now.move is not None else None

    async def _tell(self, errand: Errand, attempt: Attempt, known: Knowledge) -> None:
        """What has to be known of an errand that came to nothing."""
        problem, name = attempt.problem, errand.record.name
        if problem is None:
            return
        if errand.purpose == "ordered":
            await self._say(entries.MoveUnqueued, problem.what, move=errand.move, package=name,
                            problem=problem)
        elif errand.purpose == "return":
            await self._say(entries.ReturnEnded, problem.what, node=errand.node, package=name,
                            problem=problem)
        elif not await self._restarted(errand, problem, known):
            await self._say(entries.NodeStuck, problem.because, node=errand.node, package=name,
                            problem=problem, tried=attempt.tried)

    async def _restarted(self, errand: Errand, problem: Problem, known: Knowledge) -> bool:
        """Halted, to be started elsewhere; only where the operator allowed it, and where a node
        is known that can start it."""
        record = self._ledger.package(errand.record.name)
        node = self._ledger.state.nodes.get(errand.node)
        if node is None or not node.allow_restart or problem.code == "move-aborted":
            return False
        if record is None or record.state != "running" or not record.auto_run:
            return False
        for target in candidates(record, node_views(self._ledger.state, known.heard)):
            if not refusing(await self._survey.against_start(record.spec, target)):
                return await self._say(
                    entries.PackageRelocated, f"{errand.node} is drained, and {problem.what}",
                    node=errand.node, package=record.name, epoch=record.epoch) is None
        return False

    async def _say(
        self, kind: Callable[..., entries.Entry], because: str, **fields: object,
    ) -> Problem | None:
        return await self._ledger.say(kind, because, deadline_s=PROPOSE_S, by=BY, **fields)
