"""Rules of the record."""

from tests.mutants.mutant import Mutant

SUSPENSIONS = "tests/core/test_suspensions.py::"
SITE = "tests/simulation/test_site_power.py"
LOST = "tests/core/test_lost_owner.py::"
CLAIMS = "tests/core/test_claims.py::"
TIME = "tests/core/test_agreed_time.py::"
OUTCOMES = "tests/core/test_outcomes.py::"

MUTANTS = [
    Mutant(
        file="cluster/core/runs.py",
        line="    if is_suspended(record) and not is_earlier:\n"
             "        return noted(record, entry.node, entry.at_ms)\n",
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
        line="        switched_off(state, record), state=after, ",
        broken="        record, auto_run=False, state=after, ",
        tests=(
            SUSPENSIONS + "test_an_operators_halt_stands_when_a_hold_ends",
        ),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line='        switched_off(state, record), state="halted", owner=None, ',
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
        line='        noted=None, preferred="", lost=None, blameless=False, halt_within_s=None,\n',
        broken='        noted=None, preferred="", blameless=False, halt_within_s=None,\n',
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
        file="cluster/core/membership.py",
        line="            state = with_package(state, _lost_with_its_host(record, node.name, "
             "entry.at_ms))\n",
        broken="            state = state if record.moving else with_package(\n"
               "                state, _lost_with_its_host(record, node.name, entry.at_ms))\n",
        tests=(SITE,),
    ),
    Mutant(
        file="cluster/core/membership.py",
        line="    is_counted = counts(node) and not lost_with_others(state, node)\n",
        broken="    is_counted = counts(node)\n",
        tests=(SITE,),
    ),
    Mutant(
        file="cluster/core/quarantine.py",
        line='    return not node.maintained and node.state != "halting" and node.leave is None\n',
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
        line="        refused = refused or against_claims(state.claims, spec)\n",
        broken="",
        tests=(CLAIMS + "test_two_packages_never_get_one_lun",),
    ),
    Mutant(
        file="cluster/core/claims.py",
        line="against_claims(owners, spec) or against_claims(claims, spec)\n",
        broken="against_claims(claims, spec)\n",
        tests=(CLAIMS + "test_two_packages_of_one_file_neither",),
    ),
    Mutant(
        file="cluster/core/agreed_time.py",
        line="    if not entry.time_ms and state.is_timed:\n        return state\n",
        broken="",
        tests=(TIME + "test_time_never_goes_back_and_wall_clocks_do_not_move_it",),
    ),
    Mutant(
        file="cluster/core/agreed_time.py",
        line="    time_ms = max(state.time_ms, entry.time_ms or entry.at_ms)\n",
        broken="    time_ms = entry.time_ms or entry.at_ms\n",
        tests=(TIME + "test_time_never_goes_back_and_wall_clocks_do_not_move_it",),
    ),
    Mutant(
        file="cluster/core/agreed_time.py",
        line="state.time_ms + max(0, until_ms - entry.at_ms)\n",
        broken="until_ms\n",
        tests=(TIME + "test_a_hold_lasts_as_long_as_it_was_ordered_for",),
    ),
    Mutant(
        file="cluster/core/coordinator.py",
        line="hold.until_ms <= (time_ms or now_ms)",
        broken="hold.until_ms <= now_ms",
        tests=(TIME + "test_a_hold_lasts_as_long_as_it_was_ordered_for",),
    ),
    Mutant(
        file="cluster/core/membership.py",
        line="with_failure(node, state.time_ms)",
        broken="with_failure(node, entry.at_ms)",
        tests=(TIME + "test_a_quarantine_lasts_its_half_hour",),
    ),
    Mutant(
        file="cluster/core/runs.py",
        line="    now_ms, is_maintained = state.time_ms, ",
        broken="    now_ms, is_maintained = entry.at_ms, ",
        tests=(TIME + "test_failures_are_counted_in_their_window_whatever_the_clocks_say",),
    ),
    Mutant(
        file="cluster/ledger.py",
        line="        passed_s = self.clock.boottime_s() - self._told_s\n",
        broken="        passed_s = self.clock.wall_ms() / 1000 - self._told_s\n",
        tests=(TIME + "test_a_ledger_reckons_by_the_clock_that_does_not_step",),
    ),
    Mutant(
        file="cluster/core/outcomes.py",
        line="KEPT_MS = 300_000\n",
        broken="KEPT_MS = 1_000\n",
        tests=(OUTCOMES + "test_a_retry_after_thousands_of_entries_changes_nothing",),
    ),
    Mutant(
        file="cluster/core/outcomes.py",
        line="    return _forgotten(entry) if 0 < entry.seen < state.forgotten else None\n",
        broken="    return None\n",
        tests=(OUTCOMES + "test_more_than_can_be_kept_never_means_applied_twice",),
    ),
    Mutant(
        file="cluster/core/outcomes.py",
        line="        is_same = not before.said or before.said == said(entry)\n",
        broken="        is_same = True\n",
        tests=(OUTCOMES + "test_one_id_never_stands_for_two_orders",),
    ),
    Mutant("cluster/core/coordinator.py",
           "if known.is_new and _may_come_back(record, choice.node):", "if False:",
           ("tests/core/test_lost_owner.py"
            "::test_a_coordinator_that_has_just_begun_gives_a_lost_owner_a_moment",)),
]
