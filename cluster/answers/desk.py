"""Who answers what: the node's side of every request, told apart by its type.

An answer that changes something checks first, all at once, and then proposes; with `dry_run` the
same code stops before proposing and tells what the rules would have changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from cluster.answers.fair import Fair
from cluster.answers.survey import Survey
from cluster.api.messages import (
    AnyRequest, AskProgress, AskSilence, Changing, Reply, Request, Verdict
)
from cluster.api.neighbour import Neighbour
from cluster.api.roles import Caller
from cluster.certifying import Certifier
from cluster.clock import Clock
from cluster.comeback import Comeback
from cluster.config.schema import ClusterConfig, Timings, allowed_by
from cluster.core import allowing, outlook, refusals
from cluster.core.apply import decide
from cluster.core.beside import Silence, Surroundings, rfc3339
from cluster.core.entries import Entry
from cluster.core.history import against_growth
from cluster.core.model import PackageRecord, State
from cluster.core.story import tell
from cluster.fencing import PowerFencing
from cluster.keyring import Keyring
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.raft.problems import no_quorum
from cluster.reading import OnTheSpot, Reading
from cluster.rooms import Rooms
from packages.core.limits import Limits
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, changed, shaped
from packages.worker import Worker

ENTRY_S = 10.0
"""A proposal outlasts several elections before its client is told that nobody knows."""
CONFIRMED_S = 1.0
"""A round trip to a majority takes milliseconds; then the client asks another node."""
ELECTED_S = 0.1
"""Between two looks for who coordinates."""
SURVEYS_AT_ONCE = 8
"""A caller's 64 take half a second, and another's come in between."""
PROGRESS_S = 0.4
"""Soft numbers are not worth waiting for."""

Handler = Callable[["Desk", Caller, Any], Awaitable[Reply]]


class Desk:
    """What the answers work with; one per daemon."""

    def __init__(
        self, *, node: str, config: ClusterConfig, config_text: str, timings: Timings,
        clock: Clock, ledger: Ledger, landlord: Landlord, worker: Worker, survey: Survey,
        peers: Mapping[str, Neighbour], handlers: Mapping[type[Any], Handler],
        keyring: Keyring, certifier: Certifier, comeback: Comeback, fencing: PowerFencing,
        limits: Callable[[], Limits], profiles: Mapping[str, Timings],
    ) -> None:
        self.node, self.config, self.config_text = node, config, config_text
        self.timings, self.clock, self.ledger = timings, clock, ledger
        self.landlord, self.worker, self.survey = landlord, worker, survey
        self.peers = peers
        self.keyring, self.certifier, self._comeback = keyring, certifier, comeback
        self.deaths, self.fencing, self.limits = fencing.deaths, fencing, limits
        self._handlers, self.profiles = handlers, profiles
        self.rooms = Rooms(node=node, clock=clock, neighbours={})
        """The daemon gives it another, which asks."""
        self.fair = Fair()
        self.surveys = asyncio.Semaphore(SURVEYS_AT_ONCE)
        """For questions that ask all nodes."""
        self.reading = Reading(OnTheSpot())
        """The daemon gives it one with a process of its own."""
        self.refused: Callable[[], dict[str, dict[str, int]]] = dict
        """What this node has refused, by door and reason (cluster/vigil.py)."""

    async def answer(self, caller: Caller, request: AnyRequest) -> Reply:
        if request.current:
            outdated = await self.ledger.replica.confirm(deadline_s=CONFIRMED_S)
            if outdated is not None:
                return refusal(request, outdated)
        reply = await self._handlers[type(request)](self, caller, request)
        return reply if self.has_quorum() else changed(reply, quorum=False)

    # what this node knows

    def has_quorum(self) -> bool:
        """Whether a majority was heard of within an election's time."""
        silent_s = self.clock.boottime_s() - self.ledger.replica.heard_at_s()
        return silent_s <= 2 * self.timings.raft_max_s

    async def around(self, records: list[PackageRecord]) -> Surroundings:
        """The answering node's surroundings, with soft numbers of these packages' moves."""
        replica = self.ledger.replica
        progress = {}
        for record in records:
            if record.moving and record.move is not None:
                progress[record.name] = await self._progress(record.move.source, record.name)
        known = self.deaths.silence()
        return Surroundings(
            now_ms=self.clock.wall_ms(), time_ms=self.ledger.time_ms(),
            leader=replica.leader(), quorum=self.has_quorum(),
            term=replica.term(), silence=known,
            addresses={each.name: each.address for each in self.config.nodes},
            progress=progress, problems=tuple(self._troubles()),
        )

    def _troubles(self) -> list[Problem]:
        """What this node knows beside the record, what concerns everything first."""
        found: list[Problem] = []
        if not self.has_quorum():
            if self.rooms.refusing:
                found.append(outlook.not_known_to(self.node, self.rooms.refusing))
            found.append(outlook.without_quorum(self._hearing()))
        elif not self.ledger.state.nodes:
            found.append(outlook.forming(self._hearing()))
        if self._comeback.trouble is not None:
            found.append(self._comeback.trouble)
        grown = against_growth(self.ledger.size_bytes)
        if grown is not None:
            found.append(grown)
        return [*found, *self.rooms.problems(),
                *allowing.problems(self.ledger.state, allowed_by(self.config))]

    def _hearing(self) -> outlook.Hearing:
        replica = self.ledger.replica
        members, heard_s = replica.members(), replica.heard_at_s()
        silent_ms = int(1000 * (self.clock.boottime_s() - heard_s))
        return outlook.Hearing(
            node=self.node, members=tuple(sorted(members.names)),
            voters=tuple(sorted(members.voters)), heard=tuple(sorted(replica.present())),
            since=rfc3339(self.clock.wall_ms() - silent_ms) if heard_s > 0
            else "before its daemon started",
        )

    async def silence(self) -> Silence | None:
        """Who is heard, by the coordinator's word; None where it does not answer."""
        leader = self.ledger.replica.leader()
        if leader is None or leader not in self.peers:
            return self.deaths.silence()
        reply = await self.peers[leader].ask(AskSilence(), deadline_s=PROGRESS_S)
        try:
            return shaped(reply.result, Silence) if isinstance(reply, Reply) else None
        except Undecodable:
            return None  # it does not coordinate

    async def against_unheard(self, names: Iterable[str], what: str) -> list[Problem]:
        """Why these nodes cannot be ordered about now, for orders that they carry out themselves:
        that the record calls them up says only that nobody has proved them dead."""
        known = await self.silence()
        end_s = self.clock.boottime_s() + CONFIRMED_S
        while known is None and self.clock.boottime_s() < end_s:
            await asyncio.sleep(ELECTED_S)  # a new coordinator has been asked by nobody yet
            known = await self.silence()
        if known is None:
            return [no_quorum(self.node)]
        now_ms = self.clock.wall_ms()
        left_s = {name: max(0.0, (over_ms - now_ms) / 1000)
                  for name, over_ms in known.lease_over_ms.items()}
        return [refusals.node_not_heard(name, what, ends_s=left_s.get(name))
                for name in sorted(set(names) - set(known.heard))]

    async def _progress(self, source: str, package: str) -> Any:
        if source == self.node:
            return self.soft(package)
        if source not in self.peers:
            return None
        reply = await self.peers[source].ask(AskProgress(package=package), deadline_s=PROGRESS_S)
        return reply.result if isinstance(reply, Reply) else None

    def soft(self, package: str) -> Any:
        agent = self.worker.agents.get(package)
        return agent.body.soft if agent else None

    # changing the record

    def entry(
        self, kind: Callable[..., Entry], caller: Caller, ask: Changing, *, part: str = "",
        **fields: object,
    ) -> Entry:
        """An entry in the caller's name, under the request's own id, so that it is applied once
        however often the request comes."""
        name = f"{ask.request}{part}" if ask.request else self.clock.token()
        because = fields.pop("because", None) or ask.reason or f"asked for by {caller.name}"
        return kind(
            id=name, at_ms=self.clock.wall_ms(), by=caller.name, because=because, **fields)

    async def change(self, ask: Changing, *entries: Entry) -> Reply | None:
        """Apply the entries in order; None when all were, or the reply that says why not. A dry
        run answers with what each would change."""
        if ask.dry_run:
            return preview(self.ledger.state, ask, *entries)
        for entry in entries:
            refused = await self.ledger.propose(entry, deadline_s=ENTRY_S)
            if refused is not None:
                return refusal(ask, refused)
        return None


def preview(state: State, ask: Changing, *entries: Entry) -> Reply:
    """What each entry would change, by the rules themselves."""
    lines = []
    for entry in entries:
        after = decide(state, entry)
        if isinstance(after, Problem):
            return refusal(ask, after)
        lines += [
            f"{each.subject}: {each.what}"
            + (f" ({each.before} -> {each.after})" if each.before != each.after else "")
            for each in tell(state, after, entry, state.applied + 1)
        ]
        state = after
    return done(ask, {"would": lines})


def done(ask: Request, result: Any = None, problems: list[Problem] | None = None) -> Reply:
    return Reply(verdict="done", result=result, problems=tuple(problems or ()),
                 request=ask.request)


def already(
    ask: Changing, said: str, warnings: list[Problem] | None = None, /, **facts: Any,
) -> Reply:
    """What was asked for is so: done, and said."""
    shown = {**facts, "already": said, **({"would": []} if ask.dry_run else {})}
    return done(ask, shown, warnings)


VERDICTS: dict[str, Verdict] = {"no-quorum": "no-quorum", "timed-out": "timed-out"}


def refusal(ask: Request, *problems: Problem) -> Reply:
    """Refused, or not decided because the cluster did not answer."""
    return Reply(verdict=VERDICTS.get(problems[0].code, "refused"), problems=problems,
                 request=ask.request)


def failed(ask: Request, why: Problem, result: Any = None) -> Reply:
    return Reply(verdict="failed", problems=(why,), result=result, request=ask.request)


def late(ask: Request, subject: str, what: str) -> Reply:
    why = problem(
        "timed-out", subject, what=what, because="It did not end in time; it may still do so.",
        fix=f"Follow it with: vmsg events --request {ask.request}" if ask.request
            else "Follow it with: vmsg status",
    )
    return Reply(verdict="timed-out", problems=(why,), request=ask.request)
