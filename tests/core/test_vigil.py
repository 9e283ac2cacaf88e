"""What is refused is counted and shown, and who tried to go beyond a role stands in the history."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from cli.status_table import refused_lines
from cluster.api.roles import Caller
from cluster.core.machine import StateMachine
from cluster.ledger import Ledger
from cluster.raft.fake import FakeNetwork
from cluster.tally import Tally
from cluster.vigil import Vigil, together
from tests.core.test_agreed_time import SteppingClock

ANN = Caller(name="ann", role="monitor")
GUEST = Caller(name="n4", invitation="inv")


class Watched:
    """A vigil over a record of one node, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock, self.machine = SteppingClock(), StateMachine()
        network = FakeNetwork(("n1",), clock=self.clock, election_s=0.0)
        self.replica = network.replica("n1", self.machine)
        self.vigil = Vigil(
            node="n1", ledger=Ledger(self.replica, self.machine, self.clock, "n1"),
            clock=self.clock)

    async def told(self) -> list[tuple[str, str, str]]:
        await asyncio.gather(*self.vigil._telling)
        return [(each.subject, each.what, each.because)
                for _, each in sorted(self.machine.state.events.items())]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    await watched.replica.start()
    yield watched
    await watched.vigil.close()
    await watched.replica.close()


async def test_a_refused_role_is_in_the_history_with_who_and_from_where(watched: Watched) -> None:
    watched.vigil.refused(ANN, "operator-add", "10.9.0.4")
    watched.vigil.refused(GUEST, "status", "")
    assert await watched.told() == [
        ("operator:ann", "refused: operator-add, from 10.9.0.4", "ann is monitor"),
        ("operator:n4", "refused: status, from the host of n1", "n4 is an invitation"),
    ]


async def test_a_flood_of_them_is_one_entry_a_minute_for_each_caller(
    watched: Watched, caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(5000):
            watched.vigil.refused(ANN, "operator-add", "10.9.0.4")
        watched.vigil.refused(GUEST, "status", "")
        assert len(await watched.told()) == 2
        watched.clock.boot_s += 60.0
        watched.vigil.refused(ANN, "node-fence", "10.9.0.4")
    assert (await watched.told())[-1][1] == "refused: node-fence and 4999 more, from 10.9.0.4"
    assert len(caplog.records) == 3


def test_what_no_honest_caller_does_is_shown_and_the_rest_is_not(watched: Watched) -> None:
    watched.vigil.doors = {
        "requests": lambda: together(Counter({"unknown-key": 3, "done": 70}), Counter(
            {"not-authorised": 1, "slow-peer": 9, "unknown-key": 1})),
        "agreement": lambda: {"term-beyond-reason": 2, "overtaken": 5, "stranger": 0},
    }
    counts = watched.vigil.counts()
    assert counts == {
        "requests": {"not-authorised": 1, "unknown-key": 4},
        "agreement": {"term-beyond-reason": 2},
    }
    lines = refused_lines({"node": "n1", "counts": counts})
    assert lines[1] == "REFUSED_AT n1"
    assert any(line.split() == ["requests", "unknown-key", "4"] for line in lines)
    assert refused_lines({"node": "n1", "counts": {}}) == []


def test_the_first_is_said_at_once_and_then_one_line_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s = [0.0]
    tally = Tally(logging.getLogger("vmsg.doors"), lambda: now_s[0])
    for _ in range(600):
        tally.refuse("unknown-key", "at the door")
        now_s[0] += 0.5
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 5 and said[0] == "unknown-key: at the door"
    assert said[1] == "unknown-key: at the door (119 more since this was said last)"
    assert tally.counts["unknown-key"] == 600


def test_names_that_are_made_up_do_not_fill_it(caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally(logging.getLogger("vmsg.doors"), lambda: 0.0)
    for number in range(1000):
        tally.refuse("unknown-key", "at the door", who=f"x{number}")
    assert len(caplog.records) == 64
    assert tally.counts["unknown-key"] == 1000
