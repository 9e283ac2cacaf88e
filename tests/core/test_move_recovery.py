"""Where a move goes on after its daemon was restarted: the record and the surviving guest."""

import pytest

from packages.core.move_recovery import CLAIM, SOURCE, may_have_switched, source_step, target_answer


@pytest.mark.parametrize(("state", "migration", "step"), [
    ("running", "none", "send"), ("running", "active", "copy"), ("running", "failed", "abort"),
    ("switchover", "pre-switchover", "quiesce"), ("switchover", "device", "complete"),
    ("postmigrate", "completed", "commit"), ("gone", "none", "lost"),
])
def test_a_source_is_taken_up_where_it_stands(state, migration, step):
    assert source_step("frozen", state, migration) == step


def test_what_the_table_does_not_name_is_called_off():
    assert ("io-error", "active") not in SOURCE
    assert source_step("copy", "io-error", "active") == "abort"
    assert source_step("copy", "unanswered", "none") == "abort"


def test_an_abort_that_was_agreed_is_carried_out_whatever_the_source_says():
    assert source_step("aborting", "postmigrate", "completed") == "abort"


@pytest.mark.parametrize(("state", "migration", "may"), [
    ("running", "none", False), ("running", "active", False),
    ("switchover", "pre-switchover", False), ("switchover", "device", True),
    ("postmigrate", "completed", True),
    # It runs again because its migration failed: perhaps just after the target had everything.
    ("running", "failed", True),
    # Its monitor hangs while the rest goes out, and a process that is gone says nothing.
    ("unanswered", "none", True), ("gone", "none", True),
])
def test_the_target_may_hold_the_memory_once_the_switch_was_ordered(state, migration, may):
    assert may_have_switched("frozen", state, migration) is may
    assert may_have_switched("copy", state, migration) is False


def test_only_a_target_that_has_everything_claims_it():
    well = {state: target_answer(state, ended_well=True) for state in (*CLAIM, "something new")}
    assert {state for state, said in well.items() if said == "claim"} == {"paused", "running"}
    assert (well["incoming"], well["unanswered"]) == ("give-up", "wait")
    assert well["something new"] == "give-up"


def test_a_copy_behind_a_broken_channel_is_never_claimed():
    """Its source may have run on by itself (simulation, seeds 3297 and 5000154)."""
    assert "claim" not in {target_answer(state, ended_well=False) for state in CLAIM}
    assert target_answer("unanswered", ended_well=False) == "wait"
