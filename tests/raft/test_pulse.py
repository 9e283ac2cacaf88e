"""A leader whose larger messages are stuck leads on, by its pulse; one that is unheard does not."""

from pathlib import Path

import pytest

from cluster.raft.wire import Ack, Append, Body, Ping, Pulse, PulseAck
from tests.raft.rig import Rig


@pytest.fixture
def rig(tmp_path: Path):
    made = Rig(tmp_path)
    made.start(*made.names)
    yield made
    made.close()


def main_way(_: str, __: str, body: Body) -> bool:
    return isinstance(body, (Append, Ack, Ping))


def test_a_leader_whose_heartbeats_are_stuck_leads_on(rig: Rig) -> None:
    leader = rig.leader()
    term = leader.engine.term
    rig.pass_time(5.0, main_way)
    assert leader.is_leader() and leader.engine.term == term
    assert rig.clock.now_s - leader.transport.lease.quorum_at_s() < 0.5


def test_no_pulse_is_sent_to_whoever_confirms(rig: Rig) -> None:
    said: list[Body] = []
    rig.leader()
    rig.pass_time(2.0)

    def look(_: str, __: str, body: Body) -> bool:
        said.append(body)
        return False

    rig.pass_time(2.0, look)
    assert not any(isinstance(each, (Pulse, PulseAck)) for each in said)


def test_a_leader_whose_pulse_is_not_answered_leads_no_longer(rig: Rig) -> None:
    leader = rig.leader()
    rig.pass_time(1.0, lambda _, __, body: main_way("", "", body) or isinstance(body, PulseAck))
    assert not leader.is_leader()


def test_a_pulse_of_another_term_is_not_heard(rig: Rig) -> None:
    leader = rig.leader()
    other = next(each for name, each in rig.voters.items() if name != leader.engine.name)
    before_s = other.transport.lease.majority_heard_s
    rig.clock.now_s += 0.05
    stamps = leader.transport._pulses._stamps
    body = Pulse(term=leader.engine.term - 1, sent_s=1.0, quorum_age_s=0.0)
    raw = stamps.sealed(other.engine.name, leader.engine.term - 1, body)
    other.transport.receive(leader.engine.name, raw)
    assert other.transport.lease.majority_heard_s == before_s
    assert rig.under_way == []


def test_a_pulse_is_taken_once(rig: Rig) -> None:
    leader = rig.leader()
    other = next(each for name, each in rig.voters.items() if name != leader.engine.name)
    pulse = Pulse(term=leader.engine.term, sent_s=rig.clock.now_s, quorum_age_s=0.0)
    raw = leader.transport._pulses._stamps.sealed(other.engine.name, leader.engine.term, pulse)
    other.transport.receive(leader.engine.name, raw)
    before_s = other.transport.lease.majority_heard_s
    rig.clock.now_s += 1.0
    other.transport.receive(leader.engine.name, raw)
    assert other.transport.lease.majority_heard_s == before_s


@pytest.mark.parametrize("speaker", ["leader", "follower"])
def test_whose_disk_is_stuck_neither_sends_nor_answers_one(rig: Rig, speaker: str) -> None:
    leader = rig.leader()
    other = next(each for name, each in rig.voters.items() if name != leader.engine.name)
    stuck = leader if speaker == "leader" else other
    stuck.transport._pulses._is_hung = lambda: True
    said: list[tuple[str, Body]] = []

    def look(source: str, _: str, body: Body) -> bool:
        said.append((source, body))
        return main_way("", "", body)

    rig.pass_time(0.4, look)
    assert not [body for source, body in said if source == stuck.engine.name
                and isinstance(body, (Pulse, PulseAck))]
