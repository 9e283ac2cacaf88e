"""Rules of the record."""

from tests.mutants.mutant import Mutant

SUSPENSIONS = "tests/core/test_suspensions.py::"
LOST = "tests/core/test_lost_owner.py::"
CLAIMS = "tests/core/test_claims.py::"

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
        line="        switched_off(record), state=after, ",
        broken="        record, auto_run=False, state=after, ",
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
    Mutant(
        file="cluster/core/membership.py",
        line="    if lost is not None and (lost.node, lost.epoch) == (node, epoch):\n"
             "        return True\n",
        broken="",
        tests=(LOST + "test_a_guest_that_nobody_else_may_run_goes_on_where_it_is",),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line='        noted=None, preferred="", lost=None, blameless=False,\n',
        broken='        noted=None, preferred="", blameless=False,\n',
        tests=(LOST + "test_a_taken_package_is_given_back_to_nobody",),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line="state=after, since_ms=since_ms, noted=None, lost=None,\n",
        broken="state=after, since_ms=since_ms, noted=None,\n",
        tests=(LOST + "test_an_operators_halt_gives_the_lost_guest_up",),
    ),
    Mutant(
        file="cluster/core/moves.py",
        line=' and entry.proof.kind != "storage" and (',
        broken=" and (",
        tests=(LOST + "test_a_node_shut_out_of_the_disks_keeps_nothing",),
    ),
    Mutant(
        file="cluster/core/coordinator.py",
        line="        and not (record.lost is not None and in_maintenance(record))\n",
        broken="",
        tests=(LOST + "test_a_guest_that_nobody_else_may_run_goes_on_where_it_is",),
    ),
    Mutant(
        file="cluster/core/duties.py",
        line="        return Wait(spec=record.spec, epoch=record.epoch, boot_id=record.boot_id)\n",
        broken="        return None\n",
        tests=("tests/scenarios/test_lost_owner.py",),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line="    if record.blameless:\n",
        broken="    if False:\n",
        tests=(LOST + "test_a_guest_that_its_guardian_ended_is_started_again_and_not_counted",),
    ),
    Mutant(
        file="cluster/core/membership.py",
        line="        elif rebooted and record.owner == node.name",
        broken="        elif False and record.owner == node.name",
        tests=(LOST + "test_three_power_losses_of_the_site_are_no_failures_of_its_guests",),
    ),
    Mutant(
        file="cluster/core/quarantine.py",
        line='    return not node.maintained and node.state != "halting"\n',
        broken="    return True\n",
        tests=(LOST + "test_a_node_in_maintenance_may_go_down_without_being_counted",),
    ),
    Mutant(
        file="packages/surroundings.py",
        line="        if not may_run:\n            self._unleased = life\n",
        broken="",
        tests=("tests/scenarios/test_lost_owner.py",),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line="    refused = refused or against_claims(state.claims, spec)\n",
        broken="",
        tests=(CLAIMS + "test_two_packages_never_get_one_lun",),
    ),
    Mutant(
        file="cluster/core/claims.py",
        line="against_claims(owners, spec) or against_claims(claims, spec)\n",
        broken="against_claims(claims, spec)\n",
        tests=(CLAIMS + "test_two_packages_of_one_file_neither",),
    ),
]
