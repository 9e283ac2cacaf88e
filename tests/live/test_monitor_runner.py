"""The runner in real time: what is suspended is not checked, and comes back by itself."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from cluster.clock import HostClock
from packages.core.health import Failure
from packages.core.model import MonitorSpec
from packages.core.problem import Problem
from packages.core.values import changed
from packages.monitors.fake import FakeCheck, ill
from packages.monitors.program import Program
from packages.monitors.runner import MonitorRunner
from packages.vetting import Vetting
from tests.live.families import FAMILY, pids_in, runs
from tests.live.waiting import until

pytestmark = pytest.mark.live

CLOCK = HostClock()

QUICK = MonitorSpec(
    name="quick", kind="tcp", interval_s=0.02, timeout_s=5.0, retries=1, grace_s=0.0,
)


class Watched:
    """A runner over one fake check, and what it was heard to say."""

    def __init__(self, spec: MonitorSpec = QUICK) -> None:
        self.check = FakeCheck()
        self.failures: list[Failure] = []
        self.runner = MonitorRunner(
            "web", [(spec, self.check)], clock=CLOCK, heard=self.failures.append,
        )

    @property
    def state(self) -> str:
        return self.runner.status().monitors[0].state


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    watched.runner.start()
    yield watched
    await watched.runner.stop()


async def test_a_failure_is_heard_once_and_a_recovery_is_seen(watched):
    await until(lambda: watched.state == "up")
    watched.check.verdict = ill()
    await until(lambda: watched.state == "down")
    begun = watched.check.begun
    await until(lambda: watched.check.begun > begun + 3)
    assert [each.problem for each in watched.failures] == [ill()]
    watched.check.verdict = None
    await until(lambda: watched.state == "up")
    assert watched.runner.status().monitors[0].last_problem is None


async def test_a_check_that_could_not_be_made_says_nothing_of_the_guest(watched):
    await until(lambda: watched.state == "up")
    watched.check.verdict = changed(ill(), code="check-not-made")
    begun = watched.check.begun
    await until(lambda: watched.check.begun > begun + 3)
    assert (watched.state, watched.failures) == ("up", [])
    assert watched.runner.unasked == watched.check.verdict
    watched.check.verdict = None
    await until(lambda: watched.runner.unasked is None)


async def test_no_check_begins_while_suspended_and_one_under_way_does_not_count(watched):
    watched.check.is_hanging = True
    begun = watched.check.begun
    await until(lambda: watched.check.begun > begun)
    watched.runner.suspend(CLOCK.boottime_s() + 60, "freeze")
    await until(lambda: watched.check.called_off == 1)
    begun, watched.check.is_hanging = watched.check.begun, False
    watched.check.verdict = ill()
    await asyncio.sleep(0.3)  # fifteen intervals in which nothing may happen
    assert (watched.check.begun, watched.state) == (begun, "suspended")
    status = watched.runner.status()
    assert (status.monitoring, status.because) == ("suspended", "move: freeze")

    watched.runner.resume(grace_s=60)
    await until(lambda: watched.check.begun > begun + 5)
    assert (watched.state, watched.failures) == ("uninitialized", [])
    assert watched.runner.suspended_ms >= 300


async def test_a_suspension_nobody_ends_ends_itself_on_time(watched):
    await until(lambda: watched.state == "up")
    watched.check.verdict = ill("guest-gone")
    until_s = CLOCK.boottime_s() + 0.4
    watched.runner.suspend(until_s, "freeze")
    await until(lambda: watched.failures)
    assert watched.failures[0].at_s >= until_s
    assert watched.runner.status().monitoring == "active"
    assert watched.runner.suspended_ms >= 400


async def test_two_suspensions_end_apart(watched):
    far_s = CLOCK.boottime_s() + 60
    watched.runner.suspend(far_s, "patches", owner="maintenance")
    watched.runner.suspend(far_s, "freeze")
    watched.runner.resume(0.0)
    assert watched.runner.status().because == "maintenance: patches"
    watched.runner.resume(0.0, owner="maintenance")
    await until(lambda: watched.state == "up")


async def test_stopped_nothing_is_checked_any_more(watched):
    watched.check.is_hanging = True
    begun = watched.check.begun
    await until(lambda: watched.check.begun > begun)
    await watched.runner.stop()
    assert watched.check.called_off == 1
    assert watched.runner.status().monitoring == "off"


async def test_a_program_under_way_is_ended_when_a_suspension_begins(tmp_path):
    pids = tmp_path / "pids"
    spec = MonitorSpec(name="own", kind="program", timeout_s=60.0)
    program = Program(
        "web", node="n1", epoch=7, clock=CLOCK,
        argv=(sys.executable, "-ISc", FAMILY, str(pids), "hang"),
        vetting=Vetting(),
    )
    failures: list[Failure] = []
    runner = MonitorRunner(
        "web", [(spec, program)], clock=CLOCK, heard=failures.append,
    )
    runner.start()
    await until(lambda: len(pids_in(pids)) == 5)
    runner.suspend(CLOCK.boottime_s() + 60, "freeze")
    await until(lambda: not any(map(runs, pids_in(pids))))
    assert failures == []
    await runner.stop()


async def test_a_check_that_breaks_its_contract_is_a_failure_and_not_silence(caplog):
    class Broken:
        async def check(self, *, timeout_s: float) -> Problem | None:
            raise ZeroDivisionError("a bug")

    failures: list[Failure] = []
    runner = MonitorRunner("web", [(QUICK, Broken())], clock=CLOCK, heard=failures.append)
    runner.start()
    await until(lambda: failures)
    await runner.stop()
    assert failures[0].problem.code == "check-broken"
