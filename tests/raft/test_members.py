"""Who votes, while it changes: never two majorities apart, never at the cost of one."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cluster.raft.members import Change, Members, Peer, all_voting, encoded_change, members_of
from cluster.raft.problems import Fatal
from cluster.raft.voter import Voter
from cluster.raft.wire import Body, Envelope, Forward, Introduction, Vote, VoteRequest
from packages.core.values import to_msgpack
from tests.raft.members_rig import FOUNDERS, MembersRig, joining
from tests.raft.rig import Rig, append, make_leader, tell, voted

FOUR = (*FOUNDERS, "dog")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[MembersRig]:
    rig = MembersRig(tmp_path)
    yield rig
    rig.close()


def without(*names: str) -> Callable[[str, str, Body], bool]:
    """Nothing arrives from or at these."""
    def dropped(source: str, target: str, _: Body) -> bool:
        return source in names or target in names
    return dropped


# Hole 16: the engine's rule of one change at a time is dead code

def between(*names: str) -> Callable[[str, str, Body], bool]:
    """Nothing passes between these and the others."""
    return lambda source, target, _: (source in names) != (target in names)


def disjoint(rig: MembersRig, change: Callable[[Voter], object]) -> tuple[list[bytes], list[bytes]]:
    """The leader ape is cut off together with two newcomers who listen, and goes from three to
    five: what was agreed upon there, and what by the other two founders."""
    rig.settle(*FOUNDERS, listening=("dog", "elk"))
    while rig.leader().engine.name != "ape":
        rig.leader().transport.resign()
        rig.pass_time(1.0)
    ape, cut = rig.voters["ape"], between("bee", "cat")
    change(ape)
    rig.pass_time(0.5, cut)
    ape.engine.submit(b"of ape", lambda *_: None)
    rig.pass_time(3.0, cut)
    other = next(name for name in ("bee", "cat") if rig.voters[name].engine.is_leading)
    rig.voters[other].engine.submit(b"of the others", lambda *_: None)
    rig.pass_time(0.5, cut)
    return rig.books["ape"].commands, rig.books[other].commands


def test_two_changes_at_once_would_split_the_cluster(rig: MembersRig) -> None:
    """With the rule switched off: both sides agree upon something."""
    rig.start(*rig.names)
    here, there = disjoint(rig, lambda ape: (
        rig.force(ape, *FOUR), rig.force(ape, *FOUR, "elk")))
    assert b"of ape" in here and b"of the others" in there


def test_a_second_change_waits_for_the_first(rig: MembersRig) -> None:
    rig.start(*rig.names)

    def change(ape: Voter) -> None:
        first = members_of([
            *(Peer(name=each) for each in FOUR), Peer(name="elk", votes=False)])
        assert ape.engine.change_members(Change(members=first), lambda *_: None)
        assert not ape.engine.change_members(
            Change(members=all_voting((*FOUR, "elk"))), lambda *_: None)

    here, there = disjoint(rig, change)
    assert b"of ape" not in here and b"of the others" in there
    rig.pass_time(3.0)
    assert rig.leader().engine.members.voters == set(FOUNDERS)


def test_a_change_of_two_votes_is_refused(rig: MembersRig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    assert not leader.engine.change_members(
        Change(members=all_voting((*FOUR, "elk"))), lambda *_: None)
    assert not leader.engine.change_members(Change(members=Members()), lambda *_: None)


def test_no_change_before_the_term_has_an_agreed_entry(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ape = rig.start("ape")
    make_leader(rig, ape)
    wider = Change(members=all_voting((*FOUNDERS, "dog")))
    assert not ape.engine.change_members(wider, lambda *_: None)
    rig.close()


# Adding

def test_three_become_four_and_three_again(rig: MembersRig) -> None:
    rig.start(*rig.names)
    rig.decide(rig.leader(), b"1", b"2")
    rig.settle(*FOUR)
    assert rig.books["dog"].commands[:2] == [b"1", b"2"]
    rig.decide(rig.leader(), b"3")
    gone = next(name for name in FOUNDERS if name != rig.leader().engine.name)
    rig.settle(*(name for name in FOUR if name != gone))
    rig.decide(rig.leader(), b"4")
    assert all(
        rig.books[name].commands[-1] == b"4" for name in FOUR if name != gone)


def test_a_new_node_that_is_down_costs_nothing(rig: MembersRig) -> None:
    rig.start(*FOUNDERS)
    wanted = all_voting(FOUR)
    for _ in range(4):
        rig.step(wanted)
    leader = rig.leader()
    assert leader.engine.members == joining("dog", FOUNDERS)
    rig.crash(next(name for name in FOUNDERS if name != leader.engine.name))
    assert rig.decide(leader, b"1")[0][1] == 0
    assert leader.next_members(wanted) is None


def test_a_listener_counts_for_nothing(rig: MembersRig) -> None:
    """It acknowledges, and grants votes; neither makes a majority."""
    rig.start(*rig.names)
    rig.settle(*FOUNDERS, listening=("dog", "elk"))
    leader = rig.leader()
    others = [name for name in FOUNDERS if name != leader.engine.name]
    rig.decide(leader, b"1")
    dropped = without(*others)
    told: list[int] = []
    leader.engine.submit(b"2", lambda _, reason: told.append(reason))
    rig.pass_time(0.3, dropped)
    assert not told and rig.voters["dog"].engine.last_index == leader.engine.last_index
    rig.pass_time(3.0, dropped)
    assert not any(rig.voters[name].engine.is_leading for name in ("dog", "elk"))
    assert not leader.is_leader()


def test_the_vote_of_who_has_none_is_dropped(rig: MembersRig) -> None:
    rig.start("ape", "bee")
    ape = rig.voters["ape"]
    ape.engine.log.add(encoded_change(Change(members=joining("dog", FOUNDERS))), 2, 1)
    ape.engine.adopt_members()
    rig.clock.now_s += 5.0
    ape.engine._SyncObj__setState(1)
    for peer in ("dog", "elk"):
        tell(ape, peer, ape.engine.term, Vote(term=ape.engine.term))
    assert ape.transport.drops["vote-without-right"] == 2
    assert not ape.engine.is_leading


def test_a_listener_asked_for_its_vote_gives_it(rig: MembersRig) -> None:
    """The candidate may know of its vote what it does not know yet itself."""
    dog = rig.start("dog")
    rig.clock.now_s += 5.0
    tell(dog, "bee", 3, VoteRequest(term=3, last_index=9, last_term=2))
    dog.transport.pump()
    assert voted(rig.said("dog", "bee")) == [3]


def test_a_node_that_fell_behind_is_given_the_members_with_the_snapshot(tmp_path: Path) -> None:
    rig = MembersRig(tmp_path, compact_after_entries=20)
    rig.start(*FOUNDERS)
    rig.settle(*FOUNDERS, listening=("elk",))
    for number in range(60):
        rig.decide(rig.leader(), b"%d" % number)
    rig.pass_time(1.0)
    assert rig.leader().engine.log[0][1] > 20
    rig.start("dog")
    rig.settle(*FOUR, listening=("elk",))
    assert rig.books["dog"].commands[:60] == rig.leader_book().commands[:60]
    rig.crash("dog")
    dog = rig.start("dog")
    assert dog.engine.members == rig.leader().engine.members
    rig.close()


# Removing

def test_a_removed_node_is_told_and_then_not_heard(rig: MembersRig) -> None:
    rig.start(*rig.names)
    rig.settle(*FOUR)
    gone = next(name for name in FOUR if name != rig.leader().engine.name)
    kept = tuple(name for name in FOUR if name != gone)
    rig.settle(*kept)
    rig.pass_time(1.0)
    engine = rig.voters[gone].engine
    assert engine.members == all_voting(kept)
    assert engine.commit_index >= engine.log.members.latest_index
    # While it is still told, it has no word any more.
    leader = rig.leader()
    assert gone in leader.engine.departing
    assert not tell(leader, gone, leader.engine.term, Forward(command=b"\0late", number=9))
    assert leader.transport.drops["removed"] == 1
    rig.pass_time(4.0)
    for name in kept:
        transport = rig.voters[name].transport
        before = transport.drops["stranger"]
        transport.receive(gone, b"anything")
        assert transport.drops["stranger"] == before + 1
        assert gone not in {member.name for member in rig.voters[name].engine.match_index}
    assert not engine.is_leading
    assert rig.decide(rig.leader(), b"after")[0][1] == 0


def test_removing_a_dead_node_and_adding_another(rig: MembersRig) -> None:
    rig.start(*FOUNDERS)
    dead = next(name for name in FOUNDERS if name != rig.leader().engine.name)
    left = tuple(name for name in FOUNDERS if name != dead)
    rig.crash(dead)
    rig.pass_time(1.5)
    rig.settle(*left)
    rig.start("dog")
    rig.settle(*left, "dog")
    rig.crash(next(name for name in left if name != rig.leader().engine.name))
    assert rig.decide(rig.leader(), b"two of three")[0][1] == 0


def test_a_living_node_is_not_removed_while_another_is_dead(rig: MembersRig) -> None:
    """Two of three are left; without one of them there would be no majority of two."""
    rig.start(*FOUNDERS)
    rig.settle(*FOUNDERS)
    leader = rig.leader().engine.name
    dead, living = (name for name in FOUNDERS if name != leader)
    rig.crash(dead)
    rig.pass_time(1.5)
    assert rig.leader().next_members(all_voting((leader, dead))) is None
    assert rig.leader().next_members(all_voting((leader, living))) is not None


def test_a_leader_that_is_removed_has_another_elected(rig: MembersRig) -> None:
    rig.start(*FOUNDERS)
    rig.settle(*FOUNDERS)
    first = rig.leader()
    kept = tuple(name for name in FOUNDERS if name != first.engine.name)
    wanted = all_voting(kept)
    step = first.next_members(wanted)
    assert step == wanted
    assert not first.engine.change_members(Change(members=wanted), lambda *_: None)
    first.transport.resign()
    rig.pass_time(2.0)
    assert rig.leader() is not first
    rig.settle(*kept)


# Truncation, restart

def test_a_change_that_was_cut_off_counts_no_longer(rig: MembersRig) -> None:
    rig.start("ape")
    ape = rig.voters["ape"]
    change = encoded_change(Change(members=joining("dog", FOUNDERS)))
    tell(ape, "bee", 1, append(1, (1, 0), [(change, 2, 1)]))
    ape.transport.pump()
    assert ape.engine.members.names == {*FOUR}
    tell(ape, "cat", 2, append(2, (1, 0), [(b"\1", 2, 2)], commit=2))
    ape.transport.pump()
    assert ape.engine.members == all_voting(FOUNDERS)
    assert set(ape.transport._endpoints()) == {"bee", "cat"}


def test_a_change_not_agreed_upon_counts_after_a_restart(rig: MembersRig) -> None:
    """Two changes lie in its log, and it does not know that they are agreed upon: it must not
    stand by the members of before, which may share no majority with those of now."""
    rig.start("ape")
    ape = rig.voters["ape"]
    entries = [
        (encoded_change(Change(members=all_voting(FOUR))), 2, 1),
        (encoded_change(Change(members=all_voting((*FOUR, "elk")))), 3, 1),
    ]
    tell(ape, "bee", 1, append(1, (1, 0), entries))
    ape.transport.pump()
    rig.crash("ape")
    ape = rig.start("ape")
    assert ape.engine.last_applied == 1
    assert ape.engine.other_voters == {"bee", "cat", "dog", "elk"}
    rig.start("bee")
    rig.pass_time(5.0)
    assert not ape.engine.is_leading


def test_an_unreadable_change_ends_the_node_instead_of_being_guessed(rig: MembersRig) -> None:
    ape = rig.start("ape")
    body = append(1, (1, 0), [(b"\4\xc1", 2, 1)])
    raw = to_msgpack(Envelope(version=1, boot=1, known_boot=0, number=1, term=1, body=body))
    with pytest.raises(Fatal) as caught:
        ape.transport.receive("bee", raw)
    assert caught.value.problem.code == "node-version-differs"
    assert ape.engine.last_index == 1


def test_the_machine_hears_of_a_change_in_its_place(rig: MembersRig) -> None:
    rig.start(*rig.names)
    rig.settle(*FOUNDERS)
    rig.step(all_voting(FOUR), b"for the machine")
    assert all(b"for the machine" in rig.books[name].commands for name in FOUNDERS)


def test_a_snapshot_overtakes_the_changes_in_the_log(tmp_path: Path) -> None:
    """A node with a change in its log was sent a snapshot, went on to count by the old change, and
    stored that in its own next snapshot (found by the search)."""
    rig = MembersRig(tmp_path, compact_after_entries=20)
    rig.start(*FOUNDERS)
    rig.settle(*FOUNDERS)
    away = next(name for name in FOUNDERS if name != rig.leader().engine.name)
    rig.crash(away)
    rig.start("dog")
    rig.settle(*FOUR)
    rig.decide(rig.leader(), *(b"%d" % number for number in range(50)))
    rig.pass_time(1.0)
    back = rig.start(away)
    rig.pass_time(1.0)
    assert back.engine.log[0][1] > 20 and back.engine.members == all_voting(FOUR)
    rig.decide(rig.leader(), *(b"%d" % number for number in range(50, 100)))
    rig.pass_time(1.0)
    rig.crash(away)
    assert rig.start(away).engine.members == all_voting(FOUR)
    rig.close()


def test_a_node_that_was_away_is_introduced_to_a_leader_it_does_not_know(rig: MembersRig) -> None:
    """The newcomer came in and leads meanwhile: neither would hear the other (found by the
    search)."""
    rig.start(*FOUNDERS)
    rig.settle(*FOUNDERS)
    away = next(name for name in FOUNDERS if name != rig.leader().engine.name)
    rig.crash(away)
    rig.start("dog")
    rig.settle(*FOUR)
    while rig.leader().engine.name != "dog":
        rig.leader().transport.resign()
        rig.pass_time(1.0)
    back = rig.start(away)
    assert "dog" not in back.engine.members.names
    rig.pass_time(3.0)
    assert back.engine.leader_name == "dog" and back.engine.members == all_voting(FOUR)


class Spoken:
    """The circle of a member: to whom it speaks."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def reach(self, endpoints: Mapping[str, str]) -> None:
        self.names = set(endpoints)

    def keys_of(self, peer: str) -> tuple[str, ...]:
        return ()

    def introduce(self, peer: str, keys: tuple[str, ...]) -> None:
        pass


def test_a_later_introduction_counts_even_before_the_log_has_come(rig: MembersRig) -> None:
    """Found by the simulation: it went on to speak to those of the first, who had left, and heard
    no leader ever again."""
    rig.start(*FOUNDERS)
    spoken, voter = Spoken(), rig.voters["ape"]
    voter.transport.join(spoken)
    for index, name in ((100, "eel"), (110, "fox")):
        said = Introduction(members_index=index, peers=[(name, "tcp://::1", [])])
        voter.transport._was_introduced("bee", said)
        assert spoken.names == {"bee", "cat", name}
    said = Introduction(members_index=120, peers=[("gnu", "tcp://::1", [])])
    voter.transport._was_introduced("fox", said)
    assert spoken.names == {"bee", "cat", "fox", "gnu"}, "who introduces is one of them"


def test_who_listens_has_the_log_and_may_propose(rig: MembersRig) -> None:
    """A follower past seven voters does everything but vote."""
    rig.start(*rig.names)
    rig.settle(*FOUNDERS, listening=("dog",))
    dog = rig.voters["dog"]
    assert rig.decide(dog, b"of a follower") == [(b"applied of a follower", 0)]
    assert all(b"of a follower" in rig.books[name].commands for name in FOUR)
    assert dog.engine.leader_name == rig.leader().engine.name
