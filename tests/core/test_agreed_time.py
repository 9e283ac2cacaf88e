"""Durations are counted by the cluster's time; a wall clock that steps decides nothing."""

import pytest

from cluster.core import entries
from cluster.core.agreed_time import TELL_MS, is_to_be_told
from cluster.core.codec import decode_state, encode_state
from cluster.core.coordinator import Knowledge, decide, ended_holds
from cluster.core.machine import StateMachine
from cluster.core.model import Proof, State
from cluster.ledger import Ledger
from cluster.raft.fake import FakeNetwork
from packages.core.failover import WINDOW_MS
from tests.core.test_apply import ILL, Story

HOUR_MS = 3_600_000
T0 = 5_000_000
"""The cluster's time when these stories begin; their wall clocks say what they like."""


def orders(story: Story, kind: object, *, time_ms: int, wall_ms: int, **fields: object) -> None:
    for name in ("until_ms",):
        if name in fields:
            fields[name] = wall_ms + fields[name]  # type: ignore[operator]
    assert story.say(  # type: ignore[arg-type]
        kind, time_ms=time_ms, at_ms=wall_ms, **fields) is None


def ended(state: State, time_ms: int, wall_ms: int) -> list[entries.Entry]:
    return ended_holds(state, wall_ms, lambda: "x", time_ms)


@pytest.mark.parametrize("step_ms", [-HOUR_MS, 0, HOUR_MS])
def test_a_hold_lasts_as_long_as_it_was_ordered_for(step_ms: int) -> None:
    story = Story().running()
    orders(story, entries.SwitchingSet, time_ms=T0, wall_ms=9_000_000, package="p1",
           enabled=False, until_ms=1_800_000)
    wall_ms = 9_000_000 + step_ms
    kept = decode_state(encode_state(story.state))
    for state in (story.state, kept):
        assert ended(state, T0 + 1_799_000, wall_ms) == []
        assert len(ended(state, T0 + 1_800_000, wall_ms)) == 1


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS])
def test_failures_are_counted_in_their_window_whatever_the_clocks_say(step_ms: int) -> None:
    story, wall_ms = Story().running(service_restart=1), 9_000_000

    def fails(time_ms: int, wall_ms: int) -> str:
        record = story.state.packages["p1"]
        said = {"package": "p1", "epoch": record.epoch, "node": "n1"}
        for kind, fields in ((entries.GuestFailed, {"problem": ILL}), (entries.GuestReleased, {})):
            orders(story, kind, time_ms=time_ms, wall_ms=wall_ms, **said, **fields)
        after = story.state.packages["p1"]
        if after.state == "starting":
            orders(story, entries.GuestStarted, time_ms=time_ms, wall_ms=wall_ms,
                   **{**said, "epoch": after.epoch})
        return after.state

    assert fails(T0, wall_ms) == "starting"
    assert fails(T0 + WINDOW_MS, wall_ms + step_ms) == "starting", "the first is forgotten"
    assert fails(T0 + WINDOW_MS + 1_000, wall_ms) == "relocate_wait", "twice within a second"


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS])
def test_a_quarantine_lasts_its_half_hour(step_ms: int) -> None:
    story = Story()
    for number in range(3):
        time_ms = T0 + number * 1_000
        orders(story, entries.NodeFailed, time_ms=time_ms, wall_ms=9 + step_ms * number, node="n1",
               incarnation=f"i{number + 1}", proof=Proof(kind="lease", because="silent"))
        orders(story, entries.NodeJoined, time_ms=time_ms, wall_ms=9, node="n1",
               incarnation=f"i{number + 2}", version="0.2.0")
    assert story.state.nodes["n1"].state == "quarantined"

    def released(time_ms: int) -> list[entries.Entry]:
        return decide(story.state, Knowledge(
            now_ms=9 + step_ms, time_ms=time_ms, term=0, heard=frozenset({"n1"}), dead={},
        ), lambda: "x")

    assert released(T0 + 1_700_000) == []
    assert len(released(T0 + 1_900_000)) == 1


def test_time_never_goes_back_and_wall_clocks_do_not_move_it() -> None:
    story = Story()
    orders(story, entries.Noted, time_ms=T0, wall_ms=1)
    for time_ms, wall_ms in ((T0 - 5, 1), (0, T0 + HOUR_MS), (T0 - HOUR_MS, T0 + HOUR_MS)):
        orders(story, entries.Noted, time_ms=time_ms, wall_ms=wall_ms)
        assert story.state.time_ms == T0


def test_time_is_told_while_something_waits_for_its_end_and_not_otherwise() -> None:
    story = Story().running()
    orders(story, entries.Noted, time_ms=T0, wall_ms=1)
    assert not is_to_be_told(story.state, T0 + HOUR_MS)
    orders(story, entries.MaintenanceSet, time_ms=T0, wall_ms=1, package="p1", on=True,
           until_ms=HOUR_MS)
    assert not is_to_be_told(story.state, T0 + TELL_MS - 1)
    assert is_to_be_told(story.state, T0 + TELL_MS)


class SteppingClock:
    """Boottime counts; the wall clock is set by hand."""

    def __init__(self) -> None:
        self.boot_s, self.wall, self.drawn = 50.0, 9_000_000, 0

    def boottime_s(self) -> float:
        return self.boot_s

    def wall_ms(self) -> int:
        return self.wall

    def token(self) -> str:
        self.drawn += 1
        return f"{self.drawn:016x}"


async def test_a_ledger_reckons_by_the_clock_that_does_not_step() -> None:
    clock, machine = SteppingClock(), StateMachine()
    network = FakeNetwork(("n1",), clock=clock, election_s=0.0)
    replica = network.replica("n1", machine)
    ledger = Ledger(replica, machine, clock, "n1")
    await replica.start()
    assert ledger.time_ms() == 0
    assert await ledger.say(entries.Noted, "first") is None
    first_ms = ledger.time_ms()
    clock.boot_s += 10.0
    for wall in (9_000_000 + HOUR_MS, 1):
        clock.wall = wall
        assert ledger.time_ms() == first_ms + 10_000
    assert await ledger.say(entries.Noted, "second") is None
    assert machine.state.time_ms == first_ms + 10_000
    assert machine.state.is_timed
    await replica.close()
