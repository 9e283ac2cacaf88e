"""Health: the table, the grace, what is certain, and suspensions that end by themselves."""

from typing import get_args

import pytest

from packages.core.health import (
    CERTAIN, TABLE, Failure, Happening, MonitorHealth, MonitorState, Suspensions, failed, passed,
    resumed, started, step, suspended
)
from packages.core.model import MonitorSpec
from packages.core.problem import problem
from packages.core.problem_catalogue import CATALOGUE

SPEC = MonitorSpec(name="web", kind="tcp", retries=2, grace_s=30.0)
ILL = problem("check-failed", "package:web", what="w", because="b", fix="f")
GONE = problem("guest-gone", "package:web", what="w", because="b", fix="f")


def after(*happenings: Happening) -> tuple[MonitorHealth, list[Failure]]:
    health, failures = MonitorHealth(), []
    for happening in happenings:
        health, failure = step(SPEC, health, happening, package="web")
        failures += [failure] if failure is not None else []
    return health, failures


def test_it_goes_down_only_after_the_forgiven_failures_and_says_so_once():
    beginning = [started(0, grace_s=0), passed(1)]
    health, failures = after(*beginning, failed(2, ILL), failed(3, ILL))
    assert (health.state, failures) == ("up", [])
    health, failures = after(*beginning, *(failed(each, ILL) for each in range(2, 9)))
    assert health.state == "down"
    assert [(each.at_s, each.failures_in_row) for each in failures] == [(4, 3)]
    assert (failures[0].package, failures[0].monitor, failures[0].problem) == ("web", "web", ILL)


def test_a_success_in_between_begins_the_counting_anew():
    health, failures = after(
        started(0, grace_s=0), failed(1, ILL), failed(2, ILL), passed(3), failed(4, ILL),
    )
    assert (health.state, health.failures_in_row, failures) == ("up", 1, [])
    assert (health.checks, health.failures) == (4, 3)


def test_down_up_down_is_two_failures():
    _, failures = after(
        started(0, grace_s=0), *[failed(1, ILL)] * 3, passed(2), *[failed(3, ILL)] * 3,
    )
    assert len(failures) == 2


def test_in_the_grace_nothing_counts():
    ills = [failed(at_s, ILL) for at_s in range(30)]
    health, failures = after(started(0, grace_s=30), *ills)
    assert (health.state, health.failures_in_row, failures) == ("uninitialized", 0, [])
    assert health.last_problem == ILL
    _, failures = after(started(0, grace_s=30), *ills, *[failed(30, ILL)] * 3)
    assert len(failures) == 1


def test_the_first_success_ends_the_grace():
    _, failures = after(started(0, grace_s=30), passed(1), *[failed(2, ILL)] * 3)
    assert len(failures) == 1


@pytest.mark.parametrize("code", sorted(CERTAIN))
def test_what_is_certain_is_not_forgiven(code):
    assert code in CATALOGUE
    certain = problem(code, "package:web", what="w", because="b", fix="f")
    health, failures = after(started(0, grace_s=30), failed(1, certain))
    assert health.state == "down"
    assert [each.problem for each in failures] == [certain]


def test_while_suspended_no_result_counts():
    health, failures = after(
        started(0, grace_s=0), passed(1), suspended(2), failed(3, GONE), *[failed(3, ILL)] * 9,
        passed(4),
    )
    assert (health.state, health.checks, failures) == ("suspended", 1, [])


def test_a_resumption_resets_the_counters_and_has_its_own_grace():
    before = [started(0, grace_s=0), failed(1, ILL), failed(1, ILL), suspended(2)]
    health, failures = after(*before, resumed(3, grace_s=5), *[failed(7, ILL)] * 9)
    assert (health.state, health.failures_in_row, failures) == ("uninitialized", 0, [])
    health, failures = after(*before, resumed(3, grace_s=5), *[failed(8, ILL)] * 2)
    assert (health.failures_in_row, failures) == (2, [])


def test_what_was_down_before_the_suspension_is_told_again_after_it():
    _, failures = after(
        started(0, grace_s=0), *[failed(1, ILL)] * 3, suspended(2), resumed(3, grace_s=0),
        *[failed(4, ILL)] * 3,
    )
    assert len(failures) == 2


def test_a_suspension_does_not_cut_the_grace_of_the_start_short():
    _, failures = after(
        started(0, grace_s=30), suspended(1), resumed(2, grace_s=1), *[failed(29, ILL)] * 9,
    )
    assert failures == []


def test_suspending_twice_and_resuming_twice_is_harmless():
    health, _ = after(
        started(0, grace_s=0), suspended(1), suspended(2), resumed(3, grace_s=0),
        resumed(4, grace_s=99),
    )
    assert (health.state, health.grace_until_s) == ("uninitialized", 3)


def test_the_table_names_known_states_only_and_every_state_can_be_left():
    states = set(get_args(MonitorState))
    assert {state for state, _ in TABLE} == states


def test_a_suspension_ends_at_its_deadline_though_nobody_ends_it():
    held = Suspensions().begin("move", at_s=10, until_s=20, because="freeze")
    assert held.expired(19.9).until_s() == 20
    over = held.expired(20.5)
    assert over.until_s() is None
    assert over.total_s(99) == 10.5


def test_one_owner_does_not_end_anothers_suspension():
    both = (
        Suspensions()
        .begin("maintenance", at_s=10, until_s=1000, because="patches")
        .begin("move", at_s=20, until_s=30, because="freeze")
    )
    assert both.because() == "maintenance: patches; move: freeze"
    left = both.end("move", at_s=25)
    assert left.until_s() == 1000
    assert left.end("move", at_s=26) == left
    assert left.end("maintenance", at_s=40).total_s(50) == 30, "an overlap counts once"


def test_suspended_time_adds_up_and_counts_the_present_stretch():
    twice = (
        Suspensions().begin("move", at_s=0, until_s=9, because="freeze").end("move", at_s=2)
        .begin("move", at_s=10, until_s=19, because="freeze")
    )
    assert twice.total_s(13) == 5


def test_no_suspension_is_for_ever():
    held = Suspensions().begin("move", at_s=0, until_s=float("inf"), because="freeze")
    assert held.until_s() == 7 * 86400
