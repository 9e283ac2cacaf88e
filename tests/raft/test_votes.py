"""Who leads, who is believed and who is heard: votes, terms, leases and the age of messages.

A test that has a `guarded` parameter says what goes wrong without the protection.
"""

import logging
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path

import pytest

from cluster.raft.lease import ANSWER_SHARE, RETRY_SHARE
from cluster.raft.pin import Member
from cluster.raft.wire import AskIndex, HigherTerm, Ping, PreVote, PreVoteRequest, Vote, VoteRequest
from tests.raft.rig import TIMINGS, Rig, append, command, deliver, make_leader, tell, voted

both = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "stock"])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@both
def test_a_vote_delivered_twice_is_one_vote(tmp_path: Path, guarded) -> None:
    """Hole 8: of five, two votes and one's own are a majority; one vote twice is not."""
    rig = Rig(tmp_path, ("ape", "bee", "cat", "dog", "elk"))
    ape = rig.start("ape")
    candidate(rig, ape)
    for _ in range(2):
        deliver(guarded, ape, "bee", ape.engine.term, Vote(term=ape.engine.term))
    assert ape.engine.is_leading is not guarded
    rig.close()


def candidate(rig: Rig, voter) -> None:
    """Bring it as far as asking for votes."""
    rig.clock.now_s += TIMINGS.raft_max_s + 0.01
    for peer in ("bee", "cat"):
        voter.transport._is_there(Member(peer))
    voter.transport.pump()
    for peer in ("bee", "cat"):
        grant = PreVote(round=voter.transport.pre_votes.round, is_granted=True)
        tell(voter, peer, 0, grant)
    voter.transport.pump()
    assert voter.engine.term == 1 and not voter.engine.is_leading


def test_a_stranger_has_no_vote_and_no_voice(rig: Rig) -> None:
    ape = rig.start("ape")
    candidate(rig, ape)
    ape.transport.receive("zoe", b"whatever")
    assert ape.transport.drops["stranger"] == 1 and not ape.engine.is_leading


def test_a_vote_of_another_term_is_not_counted(rig: Rig) -> None:
    ape = rig.start("ape")
    candidate(rig, ape)
    tell(ape, "bee", 9, Vote(term=9))
    tell(ape, "bee", 1, Vote(term=0))
    assert not ape.engine.is_leading


@both
def test_who_hears_a_leader_votes_for_nobody_else(rig: Rig, guarded) -> None:
    """Hole 10: else the old leader's lease would not exclude a new leader."""
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), []))
    deliver(guarded, ape, "cat", 2, VoteRequest(term=2, last_index=1, last_term=0))
    assert ape.engine.term == (1 if guarded else 2)


def test_a_leader_unheard_for_long_is_given_up(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), []))
    tell(ape, "cat", 1, PreVoteRequest(round=1, term=2, last_index=1, last_term=0))
    ape.transport.pump()
    assert PreVote(round=1, is_granted=False) in rig.said("ape", "cat")
    rig.clock.now_s += TIMINGS.raft_min_s + 0.01
    tell(ape, "cat", 2, VoteRequest(term=2, last_index=1, last_term=0))
    ape.transport.pump()
    assert voted(rig.said("ape", "cat")) == [2]


def test_a_voter_that_restarted_is_loyal_to_whom_it_may_have_heard(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "cat", 2, VoteRequest(term=2, last_index=1, last_term=0))
    assert ape.transport.drops["loyal-to-leader"] == 1


def test_nobody_raises_the_term_before_a_majority_would_vote(rig: Rig) -> None:
    ape = rig.start("ape")
    for _ in range(100):
        rig.clock.now_s += 0.1
        ape.transport._is_there(Member("bee"))
        ape.transport.pump()
    assert ape.engine.term == 0
    assert [body for body in rig.said("ape", "bee") if isinstance(body, PreVoteRequest)]


def vote_of(rig: Rig, voter) -> Vote:
    """Asked for it in a term that nobody has led."""
    term = voter.engine.term + 1
    tell(voter, "cat", term, VoteRequest(term=term, last_index=99, last_term=99))
    voter.transport.pump()
    [vote] = [body for body in rig.said(voter.engine.name, "cat") if isinstance(body, Vote)]
    return vote


def test_a_vote_says_when_its_voter_last_confirmed_a_round(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), []))
    rig.clock.now_s += 0.7
    assert vote_of(rig, ape).quiet_s == pytest.approx(0.7)


def test_and_forgets_that_it_did_by_no_restart(rig: Rig) -> None:
    """A node that was restarted may have confirmed a round just before."""
    ape = rig.start("ape")
    rig.clock.now_s += 5.0
    rig.crash("ape")
    ape = rig.start("ape")
    rig.clock.now_s += 0.6
    assert vote_of(rig, ape).quiet_s == pytest.approx(0.6)


def test_and_until_when_it_led_itself(rig: Rig) -> None:
    """Its own rounds had its own word."""
    ape = rig.start("ape")
    make_leader(rig, ape)
    rig.clock.now_s += 0.8
    assert vote_of(rig, ape).quiet_s == 0.0


def test_a_leader_knows_until_when_others_may_have_led(rig: Rig) -> None:
    ape = rig.start("ape")
    candidate(rig, ape)
    tell(ape, "bee", 1, Vote(term=1, quiet_s=0.4))
    assert ape.engine.is_leading
    assert ape.transport.lease.earlier_until_s == pytest.approx(rig.clock.now_s - 0.4)


@pytest.mark.parametrize("quiet_s", [None, nan, -1.0], ids=str)
def test_a_vote_that_says_nothing_may_be_of_one_who_confirmed_just_now(rig: Rig, quiet_s) -> None:
    ape = rig.start("ape")
    candidate(rig, ape)
    tell(ape, "bee", 1, Vote(term=1, quiet_s=quiet_s))
    assert ape.transport.lease.earlier_until_s == rig.clock.now_s


def test_what_the_leader_itself_confirmed_counts_too(rig: Rig) -> None:
    ape = rig.start("ape")
    started_s = rig.clock.now_s
    candidate(rig, ape)
    tell(ape, "bee", 1, Vote(term=1, quiet_s=inf))
    assert ape.transport.lease.earlier_until_s == started_s


def stands(rig: Rig, voter) -> PreVoteRequest:
    """Its election is due: what it asks the others."""
    for peer in ("ape", "bee", "cat"):
        if peer != voter.engine.name:
            voter.transport._is_there(Member(peer))
    voter.transport.pump()
    [asked] = [body for body in rig.said(voter.engine.name, "cat")
               if isinstance(body, PreVoteRequest)]
    return asked


def answers(rig: Rig, voter, peer: str) -> list[bool]:
    voter.transport.pump()
    return [body.is_granted for body in rig.said(voter.engine.name, peer)
            if isinstance(body, PreVote)]


def test_of_two_who_would_stand_at_once_one_gives_way(rig: Rig) -> None:
    """Each would vote for itself, and nobody lead before another timeout had passed."""
    rig.start("ape", "bee")
    ape, bee = rig.voters["ape"], rig.voters["bee"]
    rig.clock.now_s += TIMINGS.raft_max_s + 0.01
    apes, bees = stands(rig, ape), stands(rig, bee)
    tell(ape, "bee", 0, bees)
    tell(bee, "ape", 0, apes)
    assert answers(rig, ape, "bee") == [False] and answers(rig, bee, "ape") == [True]
    tell(bee, "ape", 0, PreVote(round=bees.round, is_granted=True))
    bee.transport.pump()
    assert bee.engine.term == 0, "it gave way"
    tell(ape, "bee", 0, PreVote(round=apes.round, is_granted=True))
    ape.transport.pump()
    assert ape.engine.term == 1


def test_who_gave_way_in_vain_stands_again(rig: Rig) -> None:
    bee = rig.start("bee")
    rig.clock.now_s += TIMINGS.raft_max_s + 0.01
    tell(bee, "ape", 0, PreVoteRequest(round=1, term=1, last_index=1, last_term=0))
    assert answers(rig, bee, "ape") == [True]
    bee.transport._is_there(Member("ape"))
    bee.transport.pump()
    assert not rig.said("bee", "ape"), "ape has the time to be elected"
    rig.clock.now_s += RETRY_SHARE * TIMINGS.raft_min_s + 0.01
    assert stands(rig, bee).term == 1


def test_a_rival_whose_round_is_over_is_not_waited_for(rig: Rig) -> None:
    """Nor one whose log is behind."""
    ape = rig.start("ape")
    rig.clock.now_s += TIMINGS.raft_max_s + 0.01
    stands(rig, ape)
    ahead = PreVoteRequest(round=1, term=1, last_index=2, last_term=0)
    tell(ape, "bee", 0, ahead)
    assert answers(rig, ape, "bee") == [True]
    rig.clock.now_s += TIMINGS.raft_min_s
    stands(rig, ape)
    rig.clock.now_s += ANSWER_SHARE * TIMINGS.raft_min_s + 0.01
    tell(ape, "bee", 0, PreVoteRequest(round=2, term=1, last_index=1, last_term=0))
    assert answers(rig, ape, "bee") == [True]


def test_an_election_that_failed_is_asked_for_anew(rig: Rig) -> None:
    """A node cut off just then would raise its term again and again."""
    ape = rig.start("ape")
    candidate(rig, ape)
    rig.said("ape", "cat")
    rig.clock.now_s += TIMINGS.raft_max_s + 0.01
    assert stands(rig, ape).term == 2
    assert ape.engine.term == 1


def test_a_leader_of_an_earlier_term_is_told(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 5, append(5, (1, 0), []))
    tell(ape, "cat", 3, append(3, (1, 0), []))
    ape.transport.pump()
    assert HigherTerm() in rig.said("ape", "cat")


def test_a_leader_that_hears_of_a_higher_term_steps_down(rig: Rig) -> None:
    ape = rig.start("ape")
    term = make_leader(rig, ape)
    tell(ape, "bee", term + 3, HigherTerm())
    assert not ape.engine.is_leading and ape.engine.term == term + 3
    assert ape.engine.leader_name is None


def test_two_leaders_in_one_term_are_not_both_believed(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [command(1, index=2, term=1)]))
    tell(ape, "cat", 1, append(1, (1, 0), [command(2, index=2, term=1)]))
    assert ape.engine.log[1] == command(1, index=2, term=1)
    assert ape.transport.drops["two-leaders"] == 1


def test_a_second_leader_of_one_term_is_said_once_and_not_for_each(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    ape = rig.start("ape")
    with caplog.at_level(logging.WARNING):
        for name in ("bee", *["cat"] * 100):
            tell(ape, name, 1, append(1, (1, 0), []))
    assert ape.transport.drops["two-leaders"] == 100
    assert [each.getMessage()[:21] for each in caplog.records] == ["two-leaders: from cat"]


def test_the_lease_ends_with_the_majority(rig: Rig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    rig.pass_time(1.0)
    assert leader.is_leader()
    silenced = leader.engine.name
    rig.pass_time(0.9 * TIMINGS.raft_min_s + 0.02, lambda source, *_: source != silenced)
    assert not leader.is_leader()
    assert leader.engine.is_leading  # the engine itself does not know yet: hence the lease


def test_there_are_never_two_leases(rig: Rig) -> None:
    rig.start(*rig.names)
    first = rig.leader()
    cut = first.engine.name
    for _ in range(300):
        rig.pass_time(0.01, lambda source, target, _: cut in (source, target))
        assert sum(voter.is_leader() for voter in rig.voters.values()) <= 1
    assert any(voter.is_leader() for voter in rig.voters.values() if voter is not first)


def test_messages_of_an_earlier_life_are_dropped(rig: Rig) -> None:
    """Hole 26 and the queues of any transport."""
    rig.start(*rig.names)
    rig.leader()
    rig.turn()
    old = [each for each in rig.under_way if each[1] != "ape"]
    for name in rig.names:
        rig.crash(name)
    rig.start(*rig.names)
    rig.under_way = []
    rig.pass_time(0.5)
    for source, target, raw in old:
        before = rig.voters[target].transport.drops.total()
        rig.voters[target].transport.receive(source, raw)
        assert rig.voters[target].transport.drops.total() == before + 1


def test_a_message_overtaken_or_repeated_is_dropped(rig: Rig) -> None:
    rig.start(*rig.names)
    rig.leader()
    rig.pass_time(0.3)
    bee = rig.voters["bee"]
    bee.transport._say("ape", bee.engine.term, Ping())
    bee.transport._say("ape", bee.engine.term, Ping())
    first, second = (raw for source, _, raw in rig.under_way[-2:])
    ape = rig.voters["ape"].transport
    ape.receive("bee", second)
    ape.receive("bee", first)
    ape.receive("bee", second)
    assert ape.drops["overtaken"] == 2


def test_garbage_is_dropped(rig: Rig) -> None:
    ape = rig.start("ape")
    for raw in (b"", b"\xc1", b"\x90", b"\x96\1\1\0\1\0\x92\1\2", bytes(1000)):
        ape.transport.receive("bee", raw)
    assert ape.transport.drops["undecodable"] == 5


def test_a_question_is_not_answered_by_a_heartbeat_from_before_it(rig: Rig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    rig.pass_time(0.3)
    found: list[int] = []
    rig.clock.now_s += 0.001
    leader.transport.reads.ask(found.append)
    leader.transport.reads.settle()
    assert found == []
    rig.turn()
    rig.turn()
    rig.turn()
    assert found == [leader.engine.commit_index]


def test_a_question_to_a_node_that_does_not_lead_is_not_answered(rig: Rig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    follower = next(voter for voter in rig.voters.values() if voter is not leader)
    other = next(n for n in rig.names if n not in (leader.engine.name, follower.engine.name))
    rig.voters[other].transport.post(follower.engine.name, AskIndex(number=1))
    rig.pass_time(0.1)
    assert follower.transport.reads.drops["read-refused"] == 1
