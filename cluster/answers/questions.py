"""Answers that change nothing: status, configuration, history, preflight."""

import asyncio
from functools import lru_cache

from cluster.answers.desk import Desk, done, refusal
from cluster.api.bounds import MOST_PACKAGES
from cluster.api.messages import GetConfig, GetEvents, GetPackages, GetStatus, Preflight, Reply
from cluster.api.roles import Caller, may_change
from cluster.config.load import dump
from cluster.core import refusals, view
from cluster.core.model import Event, State
from packages.core.discretion import told_to
from packages.core.model import PackageSpec
from packages.core.problem import Problem, plain_list, problem
from packages.core.values import changed, plain

TOLD_AT_ONCE = 50
"""Descriptions, between two turns of the loop."""
MOST_EVENTS = 1000
"""In one answer; the command line asks for a page of so many at a time."""


async def status(desk: Desk, caller: Caller, ask: GetStatus) -> Reply:
    state = desk.ledger.state
    moving = [state.packages[name] for name in sorted(state.moves)]
    around, silence = await asyncio.gather(desk.around(moving), desk.silence())
    around = changed(around, silence=silence)
    async with desk.fair.turn(caller.shown):
        told = view.status(desk.ledger.state, around, verbose=ask.verbose)
    if ask.verbose:
        told["refused"] = {"node": desk.node, "counts": desk.refused()}
    return done(ask, told)


async def config(desk: Desk, _: Caller, ask: GetConfig) -> Reply:
    return done(ask, {"text": desk.ledger.state.config_text or desk.config_text})


async def packages(desk: Desk, caller: Caller, ask: GetPackages) -> Reply:
    state = desk.ledger.state
    if ask.package is not None and ask.package not in state.packages:
        return refusal(ask, refusals.unknown_package(ask.package))
    names = [ask.package] if ask.package is not None else sorted(state.packages)
    specs = [state.packages[name].spec for name in names]
    texts = []
    for first in range(0, len(specs), TOLD_AT_ONCE):
        async with desk.fair.turn(caller.shown):
            texts += [_text_of(spec) for spec in specs[first:first + TOLD_AT_ONCE]]
    text = "---\n".join(texts)
    return done(ask, {"text": text, "packages": [plain(spec) for spec in specs]})


@lru_cache(maxsize=MOST_PACKAGES)
def _text_of(spec: PackageSpec) -> str:
    """Written once: it takes a third of a millisecond."""
    return dump(spec)


async def events(desk: Desk, caller: Caller, ask: GetEvents) -> Reply:
    unknown = _unknown(desk.ledger.state, ask)
    if unknown is not None:
        return refusal(ask, unknown)
    if ask.wait_s > 0:
        await desk.ledger.until(_News(ask), deadline_s=min(ask.wait_s, 30.0))
    async with desk.fair.turn(caller.shown):
        state = desk.ledger.state
        found = _wanted(state, ask)[-min(ask.limit, MOST_EVENTS):] if ask.limit else []
        told = [view.event(number, each) for number, each in found]
    of_nothing = ask.of_request is not None and not told and ask.wait_s == 0 and ask.after == 0
    return done(ask, {"events": told, "next": state.next_event - 1},
                [_unknown_request(ask.of_request or "")] if of_nothing else [])


def _unknown_request(name: str) -> Problem:
    return problem(
        "unknown-request", f"request:{name}", severity="warn",
        what=f"The history has nothing of request {name}.",
        because="It changed nothing, is not decided yet, or is older than what is kept.",
        fix="Look at how things are: vmsg status",
    )


class _News:
    """Whether there is an event of those asked for; each is looked at once, however many entries
    come."""

    def __init__(self, ask: GetEvents) -> None:
        self._ask = ask

    def __call__(self, state: State) -> bool:
        found = bool(_wanted(state, self._ask))
        self._ask = changed(self._ask, after=max(self._ask.after, state.next_event - 1))
        return found


def _unknown(state: State, ask: GetEvents) -> Problem | None:
    """A name that is nobody's, and was nobody's as far as the history goes."""
    if ask.package is not None and ask.package not in state.packages and (
            not _told_of(state, f"package:{ask.package}")):
        return refusals.unknown_package(ask.package)
    if ask.node is not None and ask.node not in state.nodes and (
            not _told_of(state, f"node:{ask.node}")):
        return refusals.unknown_node(ask.node)
    return None


def _told_of(state: State, subject: str) -> bool:
    return any(event.subject == subject for event in state.events.values())


def _wanted(state: State, ask: GetEvents) -> list[tuple[int, Event]]:
    first = max(ask.after + 1, state.next_event - len(state.events))
    return [
        (number, state.events[number]) for number in range(first, state.next_event)
        if number in state.events and _matches(state.events[number], ask)
    ]


def _matches(event: Event, ask: GetEvents) -> bool:
    if ask.package is not None and event.subject != f"package:{ask.package}":
        return False
    if ask.node is not None and event.subject != f"node:{ask.node}":
        return False
    if ask.since_ms is not None and event.at_ms < ask.since_ms:
        return False
    return ask.of_request is None or event.request.startswith(ask.of_request)


async def preflight(desk: Desk, caller: Caller, ask: Preflight) -> Reply:
    state = desk.ledger.state
    record = state.packages.get(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if ask.node is not None and ask.node not in state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    names = [ask.node] if ask.node else [
        name for name in record.spec.nodes if name != record.owner]
    async with desk.surveys:
        checked = await asyncio.gather(*(
            desk.survey.against_move(record, name) for name in names))
    nodes = [
        {
            "node": name,
            "problems": plain_list(told_to(problems, may_change=may_change(caller))),
            "allowed": not any(each.severity == "refuse" for each in problems),
        }
        for name, problems in zip(names, checked, strict=True)
    ]
    return done(ask, {"package": record.name, "nodes": nodes})
