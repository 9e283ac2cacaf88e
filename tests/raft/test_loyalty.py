"""A change of the profile that some daemons have not read yet: nobody leads beside another.

Voters count their loyalty by their own profile, and the leader its lease by what they say of it.
"""

from pathlib import Path

import pytest

from cluster.raft.wire import Ack, Body, PulseAck
from tests.raft.rig import TIMINGS, Rig


@pytest.fixture
def rig(tmp_path: Path):
    made = Rig(tmp_path)
    made.start(*made.names)
    yield made
    made.close()


def test_a_leader_of_a_longer_profile_is_no_leader_when_its_voters_elect_another(rig: Rig) -> None:
    leader = rig.leader()
    leader.transport.lease.loyal_s = 4 * TIMINGS.raft_min_s
    rig.pass_time(1.0)
    assert leader.is_leader()
    others = [each for each in rig.voters.values() if each is not leader]
    name = leader.engine.name
    for _ in range(500):
        rig.pass_time(0.01, lambda source, target, _: name in (source, target))
        if any(each.is_leader() for each in others):
            break
    assert any(each.is_leader() for each in others)
    assert not leader.is_leader()


def test_every_acknowledgement_says_how_loyal_its_sender_is(rig: Rig) -> None:
    leader = rig.leader()
    said: set[float | None] = set()

    def look(_: str, __: str, body: Body) -> bool:
        if isinstance(body, (Ack, PulseAck)):
            said.add(body.loyal_s)
        return isinstance(body, Ack)  # so that there are pulses as well

    rig.pass_time(0.3)
    rig.pass_time(2.0, look)
    assert leader.is_leader() and said == {TIMINGS.raft_min_s}
