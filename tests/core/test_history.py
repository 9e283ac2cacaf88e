"""The history is bounded by what it weighs, on every node alike; a record that grows is told of."""

import asyncio
from typing import Any

import pytest

from cluster.clock import HostClock
from cluster.core import entries
from cluster.core.apply import apply
from cluster.core.codec import decode_entry, decode_state, encode_state
from cluster.core.history import (
    EVENTS_KEPT, EVENTS_WEIGHT, LARGE_STATE_BYTES, LONGEST, against_growth, shortened, weight,
    with_events
)
from cluster.core.machine import StateMachine
from cluster.core.model import Event, NodeRecord, Outcome, Proof, State
from cluster.ledger import Ledger
from packages.core.problem import Problem, problem
from packages.core.values import Map, changed

NEW = State(nodes=Map({"n1": NodeRecord(name="n1", version="0.2.0")}))
OLD = State(nodes=Map({
    "n1": NodeRecord(name="n1", version="0.2.0"), "n2": NodeRecord(name="n2", version="0.1.0")}))
LONG = "x" * 1_000_000


def told(because: str, number: int = 1) -> list[Event]:
    return [Event(index=each, at_ms=0, subject="a", what="b", because=because)
            for each in range(number)]


def weighed(state: State) -> int:
    return sum(weight(each) for _, each in state.events.items())


def test_the_oldest_go_when_the_history_is_heavy() -> None:
    state = with_events(NEW, told(LONG, 30))
    assert weighed(state) == state.events_weight <= EVENTS_WEIGHT
    assert sorted(state.events) == [27, 28, 29, 30] and state.next_event == 31
    state = with_events(state, told("short", 1000))
    assert weighed(state) == state.events_weight <= EVENTS_WEIGHT and 1030 in state.events


def test_an_ordinary_history_has_its_number() -> None:
    state = with_events(NEW, told("x" * 200, EVENTS_KEPT + 100))
    assert sorted(state.events) == list(range(101, EVENTS_KEPT + 101))
    assert weighed(state) == state.events_weight


def test_one_event_stays_however_heavy() -> None:
    state = with_events(NEW, told("x" * (EVENTS_WEIGHT + 1)))
    assert len(state.events) == 1


def test_while_an_older_node_takes_part_all_keep_what_it_keeps() -> None:
    state = with_events(OLD, told(LONG, 30))
    assert len(state.events) == 30 and state.events_weight == weighed(state)
    after = with_events(changed(state, nodes=NEW.nodes), told("short"))
    assert weighed(after) == after.events_weight <= EVENTS_WEIGHT


def test_a_node_that_takes_a_snapshot_weighs_the_same() -> None:
    proof = Proof(kind="lease", because="y" * 77)
    state = with_events(NEW, [changed(each, proof=proof) for each in told("x" * 5, 10)])
    assert decode_state(encode_state(state)).events_weight == state.events_weight > 770


def test_what_is_applied_is_bounded() -> None:
    """A node of our own version that proposes a long reason: the history forgets it again."""
    state = NEW
    for index in range(1, 30):
        state = apply(state, index, entries.NodeRun(
            id=f"e{index}", at_ms=0, by="a", because=LONG, node="n1"))
    assert state.events_weight == weighed(state) <= EVENTS_WEIGHT


FAULT = problem("move-failed", "package:a", what=LONG, because=LONG, fix=LONG)


def test_what_is_proposed_is_short() -> None:
    entry = shortened(entries.GuestFailed(
        id="a", at_ms=1, by="n1", because=LONG, package="web", epoch=1, node="n1", problem=FAULT))
    assert isinstance(entry, entries.GuestFailed) and entry.package == "web"
    texts = (entry.because, entry.problem.what, entry.problem.because, entry.problem.fix)
    assert {len(each) for each in texts} == {LONGEST}
    short = entries.NodeRun(id="a", at_ms=1, by="n1", because="x" * LONGEST, node="n1")
    assert shortened(short) is short


class Proposed:
    """A replica that remembers what it was given, and applies it."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def watch(self, changed: object) -> None:
        pass

    async def propose(self, command: bytes, *, deadline_s: float) -> Outcome:
        self.commands.append(command)
        return Outcome(entry="a", index=1)


def test_a_ledger_proposes_what_is_short() -> None:
    replica: Any = Proposed()
    ledger = Ledger(replica, StateMachine(), HostClock(), "n1")
    assert asyncio.run(ledger.say(entries.Noted, LONG)) is None
    assert len(decode_entry(replica.commands[0]).because) == LONGEST


def test_a_large_record_is_told_of_long_before_it_cannot_be_sent() -> None:
    assert against_growth(LARGE_STATE_BYTES - 1) is None
    found = against_growth(LARGE_STATE_BYTES)
    assert isinstance(found, Problem) and found.code == "record-large" and found.severity == "warn"


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_machine_knows_how_large_it_is(is_loaded: bool) -> None:
    machine = StateMachine()
    assert machine.dumped_bytes == 0
    raw = StateMachine().dump()
    if is_loaded:
        machine.load(raw)
    else:
        machine.dump()
    assert machine.dumped_bytes == len(raw)
