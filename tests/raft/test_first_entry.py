"""A leader knows what was decided before it only when the first entry of its own is agreed upon.
One that was stopped says nothing more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.raft.pin import Member
from cluster.raft.wire import Ack, Append, Body, Pulse, PulseAck
from tests.raft.rig import NAMES, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.start(*NAMES)
    yield rig
    rig.close()


def acknowledged(_: str, __: str, body: Body) -> bool:
    return isinstance(body, Ack)


def test_with_a_majority_and_without_its_first_entry_it_leads_and_answers_nobody(
    rig: Rig,
) -> None:
    """Its pulse is answered; what a leader before it had agreed upon may be missing here."""
    found: list[int] = []
    leading = []
    while not leading or leading[0].transport.lease.left_s() <= 0:
        rig.pass_time(0.05, acknowledged)
        leading = [each for each in rig.voters.values() if each.engine.is_leading]
    [leader] = leading
    leader.transport.reads.ask(found.append)
    for _ in range(20):
        rig.pass_time(0.01, acknowledged)
        assert leader.transport.lease.left_s() > 0 and not leader.is_leader() and found == []
    rig.pass_time(0.5)
    assert leader.is_leader() and found and found[0] >= leader.engine.first_own_index


def test_what_a_node_that_was_restarted_has_is_learned_anew(rig: Rig) -> None:
    """It may have lost what it had acknowledged: until it says so again, it counts for nothing."""
    leader = rig.leader()
    rig.decide(leader, b"a")
    [other, _] = [name for name in NAMES if name != leader.engine.name]
    assert leader.engine.match_index[Member(other)] == leader.engine.last_index
    rig.crash(other)
    rig.start(other).transport.check_peers()
    for source, target, raw in rig.under_way:
        if (source, target) == (other, leader.engine.name):
            leader.transport.receive(source, raw)
    assert leader.engine.match_index[Member(other)] == 0


def test_one_that_was_stopped_neither_leads_nor_answers(rig: Rig) -> None:
    """Its disk is in doubt."""
    leader = rig.leader()
    name = leader.engine.name
    [other, _] = [each for each in NAMES if each != name]
    leader.stop()
    assert not leader.is_leader()
    follower = rig.voters[other]
    rig.under_way = []
    follower.stop()
    pulse = Pulse(term=leader.engine.term, sent_s=rig.clock.now_s, quorum_age_s=0.0)
    stamps = leader.transport._pulses._stamps
    follower.transport.receive(name, stamps.sealed(other, leader.engine.term, pulse))
    assert not [each for each in rig.said(other, name) if isinstance(each, (PulseAck, Append))]
