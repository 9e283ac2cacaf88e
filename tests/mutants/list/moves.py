"""Where a move goes on after a restart: packages/core/move_recovery.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "packages/core/move_recovery.py",
        'return SOURCE.get((state, migration), "abort")',
        'return SOURCE.get((state, migration), "commit")',
        ("tests/core/test_move_recovery.py::test_what_the_table_does_not_name_is_called_off",)),
    Mutant(
        "packages/core/move_recovery.py",
        'return state in ("gone", "unanswered") or migration not in BEFORE_SWITCH',
        'return state in ("gone", "unanswered")',
        ("tests/core/test_move_recovery.py::"
         "test_the_target_may_hold_the_memory_once_the_switch_was_ordered",)),
    Mutant(
        "packages/core/move_recovery.py",
        'answer = CLAIM.get(state, "give-up")',
        'answer = CLAIM.get(state, "claim")',
        ("tests/core/test_move_recovery.py::test_only_a_target_that_has_everything_claims_it",)),
    Mutant(
        "packages/core/move_recovery.py",
        'return state in ("gone", "unanswered") or migration not in BEFORE_SWITCH',
        "return migration not in BEFORE_SWITCH",
        ("tests/core/test_move_recovery.py::"
         "test_the_target_may_hold_the_memory_once_the_switch_was_ordered",)),
    Mutant(
        "packages/core/move_recovery.py",
        'if stage == "aborting":',
        "if False:",
        ("tests/core/test_move_recovery.py::"
         "test_an_abort_that_was_agreed_is_carried_out_whatever_the_source_says",)),
    Mutant(
        "packages/core/move_recovery.py",
        'if stage not in ("frozen", "aborting"):',
        "if False:",
        ("tests/core/test_move_recovery.py::"
         "test_the_target_may_hold_the_memory_once_the_switch_was_ordered",)),
    Mutant(
        "packages/core/move_recovery.py",
        'return "give-up" if answer == "claim" and not ended_well else answer',
        "return answer",
        ("tests/core/test_move_recovery.py::"
         "test_a_copy_behind_a_broken_channel_is_never_claimed",)),
    Mutant(
        "packages/departure.py",
        'self.switching or seen.state != "unanswered"):',
        "True):",
        ("tests/scenarios/test_switch_order.py"
         "::test_a_guest_that_hangs_in_the_copy_stays_watched",)),
    Mutant(
        "packages/agent.py",
        'isinstance(duty, duties.Keep) or duty.move.stage == "opened")',
        "isinstance(duty, duties.Keep))",
        ("tests/scenarios/test_switch_order.py::test_what_an_earlier_move_left_standing_goes_on"
         "_while_the_next_is_only_opened",)),
]
