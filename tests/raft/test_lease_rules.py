"""The leader's lease and the pre-vote, each rule by itself.

Each was once broken alone, and everything else stayed green (tests/mutants/list/agreement.py).
"""

import pytest

from cluster.raft.lease import Lease, PreVotes
from cluster.raft.members import Change, Members, MembersUnreadable, change_in, encoded_change
from tests.raft.rig import HandClock

OTHERS = ("bee", "cat", "dog", "elk")


def elected() -> tuple[Lease, HandClock]:
    clock = HandClock()
    lease = Lease(OTHERS, clock=clock, raft_min_s=0.5)
    lease.elected(())
    return lease, clock


def test_one_of_four_others_is_no_majority() -> None:
    lease, clock = elected()
    lease.confirmed("bee", clock.now_s)
    assert lease.quorum_at_s() == 0.0
    clock.now_s += 0.1
    lease.confirmed("cat", clock.now_s)
    assert lease.quorum_at_s() == 1000.0, "the older of the two"


def test_a_round_that_this_leadership_did_not_begin_confirms_nothing() -> None:
    lease, clock = elected()
    for peer in OTHERS:
        lease.confirmed(peer, clock.now_s - 1.0)
        lease.confirmed(peer, clock.now_s + 1.0)
        lease.confirmed(peer, None)
    assert lease.quorum_at_s() == 0.0 and lease.left_s() < 0


def test_a_leader_leads_no_longer_than_the_shortest_loyalty_of_its_majority() -> None:
    """The voters' profile may be another than the leader's while a change of it is under way."""
    lease, clock = elected()
    lease.confirmed("bee", clock.now_s, 0.5)
    lease.confirmed("cat", clock.now_s, 0.3)
    lease.confirmed("dog", clock.now_s, 0.1)
    assert lease.left_s() == pytest.approx(0.9 * 0.3), "bee, cat and this node are a majority"
    for peer in ("bee", "cat"):
        lease.confirmed(peer, clock.now_s, 2.0)
    assert lease.left_s() == pytest.approx(0.9 * 0.5), "no longer than by its own number"
    lease.confirmed("cat", clock.now_s, None)
    assert lease.left_s() == pytest.approx(0.9 * 0.5), "an older release does not say it"
    lease.confirmed("cat", clock.now_s, float("nan"))
    assert lease.left_s() == pytest.approx(0.9 * 0.1), "bee, dog and this node are one"


def test_who_only_listens_grants_no_pre_vote() -> None:
    votes = PreVotes(OTHERS, clock=HandClock(), raft_min_s=0.5)
    for peer in ("zoe", "yak", "bee"):
        votes.granted(peer, votes.round)
    assert not votes.has_majority()
    votes.granted("cat", votes.round)
    assert votes.has_majority()


def test_a_membership_in_which_nobody_votes_is_not_counted_by() -> None:
    with pytest.raises(MembersUnreadable, match="nobody would vote"):
        change_in(encoded_change(Change(members=Members())))
