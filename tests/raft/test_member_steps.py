"""Each step from one membership to another, and what a log says of it."""

from cluster.raft.members import (
    Change, MemberHistory, Peer, all_voting, change_in, encoded_change, is_single_change,
    members_of, next_members
)
from tests.raft.members_rig import FOUNDERS, joining

FOUR = (*FOUNDERS, "dog")


def test_a_new_node_listens_before_it_votes() -> None:
    now, wanted = all_voting(FOUNDERS), all_voting(FOUR)
    step = next_members(now, wanted, alive=FOUNDERS, caught_up=())
    assert step == joining("dog", FOUNDERS)
    assert next_members(step, wanted, alive=FOUR, caught_up=FOUNDERS) is None
    assert next_members(step, wanted, alive=FOUR, caught_up=FOUR) == wanted


def test_no_step_is_taken_through_a_minority() -> None:
    now = all_voting(FOUNDERS)
    wanted = all_voting(("ape", "bee"))
    assert next_members(now, wanted, alive=("ape", "cat"), caught_up=()) is None
    assert next_members(now, wanted, alive=("ape", "bee"), caught_up=()) == wanted
    with_dog = joining("dog", FOUNDERS)
    assert next_members(
        with_dog, all_voting(FOUR), alive=("ape", "dog"), caught_up=("dog",)) is None


def test_every_step_keeps_a_common_majority() -> None:
    now = all_voting(("a", "b", "c", "d", "e", "f", "g"))
    wanted = members_of([
        Peer(name="a", votes=False), *(Peer(name=each) for each in "bcdefhi"),
        Peer(name="j", votes=False, endpoint="tcp://j:1"),
    ])
    everybody = set("abcdefghij")
    steps = 0
    while now != wanted:
        after = next_members(now, wanted, alive=everybody, caught_up=everybody)
        assert after is not None and is_single_change(now, after) and len(after.voters) <= 7
        now, steps = after, steps + 1
        assert steps < 20


def test_history_is_a_function_of_the_log() -> None:
    history = MemberHistory()
    history.founded(all_voting("ab"))
    assert not history.is_in_log and history.stored_at(9) is None
    history.added(5, encoded_change(Change(members=all_voting("abc"))))
    history.added(6, b"\0something else")
    history.added(8, encoded_change(Change(members=all_voting("bc"))))
    assert history.latest == all_voting("bc") and history.latest_index == 8
    assert history.at(7) == all_voting("abc") == history.stored_at(5)
    assert history.names_since(7) == {"a", "b", "c"}
    assert history.names_since(8) == {"b", "c"}
    history.rebased(all_voting("abc"), 5)
    assert history.latest == all_voting("bc") and history.at(5) == all_voting("abc")
    history.cut(8)
    assert history.latest == all_voting("abc")


def test_a_change_that_is_cut_off_leaves_the_founders() -> None:
    history = MemberHistory()
    history.founded(all_voting("ab"))
    history.added(5, encoded_change(Change(members=all_voting("abc"))))
    history.cut(2)
    assert history.latest == all_voting("ab") and not history.is_in_log


def test_other_entries_are_no_change() -> None:
    assert change_in(b"\0abc") is None
    assert change_in(b"\1") is None
