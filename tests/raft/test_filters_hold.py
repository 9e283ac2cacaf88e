"""What each filter keeps from the engine, one message each.

Each was once broken alone, and everything else stayed green (tests/mutants/list/agreement.py).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.raft.pin import Member
from cluster.raft.wire import Vote
from tests.raft.rig import Rig, append, command, tell

FIVE = [command(number, index=number + 1, term=1) for number in range(1, 6)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_no_more_is_committed_than_was_compared_with_the_leaders_log(rig: Rig) -> None:
    """Hole 1: the next leader knows the first two; what follows here, it may never have had."""
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), FIVE))
    tell(ape, "cat", 2, append(2, (3, 1), [], commit=6))
    ape.transport.pump()
    assert rig.books["ape"].commands == [b"1", b"2"]


def test_a_leader_that_is_further_on_commits_nothing_by_that(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), FIVE[:2]))
    tell(ape, "cat", 2, append(2, (9, 1), [], commit=3))
    ape.transport.pump()
    assert rig.books["ape"].commands == []


def test_what_a_leader_said_before_it_left_its_term_is_dropped(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 2, append(1, (1, 0), FIVE))
    assert ape.transport.drops["left-term"] == 1
    assert ape.engine.last_index == 1


def test_who_only_listens_has_no_vote(rig: Rig) -> None:
    ape = rig.start("ape")
    assert not ape.transport.incoming.admit(
        Member("zoe"), ape.engine.term, Vote(term=ape.engine.term))
    assert ape.transport.drops["vote-without-right"] == 1
