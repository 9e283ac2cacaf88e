"""Rules of the record."""

from tests.mutants.mutant import Mutant

SUSPENSIONS = "tests/core/test_suspensions.py::"

MUTANTS = [
    Mutant(
        file="cluster/core/runs.py",
        line="    if is_suspended(record):\n        return noted(record, entry.node, "
             "entry.at_ms)\n",
        broken="",
        tests=(
            SUSPENSIONS + "test_a_failure_in_a_suspension_is_noted_and_treated_at_its_end",
        ),
    ),
    Mutant(
        file="cluster/core/suspensions.py",
        line="    return with_package(state, resumed(state, record, entry.at_ms))\n\n\n"
             "def hold_ended(",
        broken="    return with_package(state, record)\n\n\ndef hold_ended(",
        tests=(
            SUSPENSIONS + "test_a_failure_in_a_suspension_is_noted_and_treated_at_its_end",
        ),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line="        switched_off(record), state=after, since_ms=since_ms, noted=None,\n",
        broken="        record, auto_run=False, state=after, since_ms=since_ms, noted=None,\n",
        tests=(
            SUSPENSIONS + "test_an_operators_halt_stands_when_a_hold_ends",
        ),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line='        switched_off(record), state="halted", owner=None, ',
        broken='        record, auto_run=False, state="halted", owner=None, ',
        tests=(
            SUSPENSIONS + "test_a_guest_that_powered_itself_off_stays_off_when_a_hold_ends",
        ),
    ),
    Mutant(
        file="cluster/core/hold_records.py",
        line="        or each.until_ms is None and new.until_ms is not None\n",
        broken="",
        tests=(
            SUSPENSIONS + "test_what_has_no_end_is_given_none_by_a_second_order",
        ),
    ),
    Mutant(
        file="cluster/core/suspensions.py",
        line='    if not any(each.kind == "switching" for each in kept):\n',
        broken="    if True:\n",
        tests=(
            SUSPENSIONS + "test_the_end_of_one_operators_hold_is_not_anothers",
        ),
    ),
    Mutant(
        file="cluster/core/suspensions.py",
        line="    return hold.id == entry.hold if entry.hold else "
             "hold.since_ms == entry.since_ms\n",
        broken="    return hold.since_ms == entry.since_ms\n",
        tests=(
            SUSPENSIONS + "test_two_orders_of_one_instant_end_one_by_one",
        ),
    ),
]
