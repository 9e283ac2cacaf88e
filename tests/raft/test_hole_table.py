"""The stock engine's holes: each shown open on the bare engine, closed on ours, and open again on
ours when its one protection is left out (tests/raft/unprotected.py).

The numbers are those of docs/consensus.md, which also says which holes are not in this table.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from cluster.raft.voter import Voter
from cluster.raft.wire import Ack, Forwarded, Install, Vote, VoteRequest
from tests.raft import unprotected
from tests.raft.bare import TIMINGS, BareSide
from tests.raft.memory_disk import WorstDisk
from tests.raft.our_side import OurSide
from tests.raft.rig import NAMES, append, command

# The bare engine leaves files open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Side = BareSide | OurSide
Build = Literal["bare", "ours", "unprotected"]
FIVE = (*NAMES, "dog", "elk")


def install(*, term: int, commit: int, last: tuple[int, int], raw: bytes | None) -> Install:
    return Install(
        term=term, commit_index=commit, last_index=last[0], last_term=last[1], snapshot=raw,
        sent_s=1.0, quorum_age_s=0.0,
    )


def entries(first: int, last: int) -> list[tuple[bytes, int, int]]:
    return [command(index, index=index, term=1) for index in range(first, last + 1)]


def follow(side: Side, last: int, *, commit: int) -> None:
    """Have a leader of term 1 give it entries 2 to `last`."""
    side.hear("bee", 1, append(1, (1, 0), entries(2, last), commit=commit))
    side.turn()


def stand(side: Side) -> None:
    """Bring it as far as asking for votes in the next term."""
    for _ in range(2):
        side.clock.now_s += TIMINGS.raft_max_s + 0.01
        for peer in ("bee", "cat"):
            side.connect(peer)
        side.turn()
        for peer in ("bee", "cat"):
            side.pre_vote(peer)
        if side.term:
            break
    side.turn()


def lead(side: Side) -> None:
    stand(side)
    for peer in ("bee", "cat"):
        side.hear(peer, side.term, Vote(term=side.term))
    side.turn()
    assert side.leads


def acknowledged(side: Side) -> None:
    """A follower has all that the leader has."""
    everything = Ack(next_index=side.log[-1][1] + 1, is_reset=False, is_success=True, sent_s=None)
    side.hear("bee", side.term, everything)


def stubborn_turns(side: Side) -> None:
    """As a loop that goes on after an exception."""
    for _ in range(4):
        with suppress(Exception):
            side.turn()


# The scenarios: each returns whether the harm is done.

def commits_what_nobody_compared(side: Side) -> bool:
    follow(side, 2, commit=0)
    side.hear("bee", 2, install(term=2, commit=2, last=(1, 0), raw=None))
    side.turn()
    return side.commands == [b"2"]


def loses_what_is_newer_than_its_snapshot(side: Side) -> bool:
    follow(side, 12, commit=10)
    before = side.journal.read_bytes()
    side.compact()
    side.kill()
    side.journal.write_bytes(before)  # it was killed before it cut its journal
    return side.restart() and side.log[-1][1] < 12


def loses_what_it_acknowledged(side: Side) -> bool:
    follow(side, 6, commit=0)
    assert side.acks("bee") == [7]
    side.lose_power()
    return side.restart() and side.log[-1][1] < 6


def takes_another_entry_for_its_own(side: Side) -> bool:
    side.hear("bee", 1, append(1, (1, 0), [(b"\0as it was", 2, 1)]))
    side.turn()
    side.hear("bee", 1, append(1, (2, 1), [(b"\0more", 3, 1)]))
    side.turn()
    side.kill()
    side.journal.write_bytes(side.journal.read_bytes().replace(b"as it was", b"as it is!"))
    return side.restart() and any(b"as it is!" in each for each, _, _ in side.log)


def votes_twice(side: Side) -> bool:
    side.clock.now_s += TIMINGS.raft_max_s
    side.hear("bee", 1, VoteRequest(term=1, last_index=1, last_term=0))
    side.turn()
    assert side.votes("bee") == 1
    side.hear("bee", 1, append(1, (1, 0), entries(2, 2)))
    side.turn()
    side.kill()
    side.forget_vote()
    if not side.restart():
        return False
    side.clock.now_s += TIMINGS.raft_max_s
    side.hear("cat", 1, VoteRequest(term=1, last_index=9, last_term=1))
    side.turn()
    return side.votes("cat") == 1


def cuts_what_it_acknowledged(side: Side) -> bool:
    follow(side, 6, commit=0)
    side.hear("bee", 1, append(1, (1, 0), entries(2, 3)))
    return side.log[-1][1] == 3


def counts_an_old_acknowledgement(side: Side) -> bool:
    lead(side)
    side.hear("bee", side.term - 1, Ack(next_index=3, is_reset=False, is_success=True, sent_s=None))
    return side.matched("bee") == 2


def is_elected_by_one_vote_twice(side: Side) -> bool:
    stand(side)
    for _ in range(2):
        side.hear("bee", side.term, Vote(term=side.term))
    return side.leads


def applies_what_it_only_proposed(side: Side) -> bool:
    side.believe_committed(50)
    side.kill()
    assert side.restart()
    lead(side)
    side.submit(b"mine", lambda *_: None)
    stubborn_turns(side)
    return b"mine" in side.commands


def deserts_a_leader_it_hears(side: Side) -> bool:
    side.hear("bee", 1, append(1, (1, 0), []))
    side.hear("cat", 2, VoteRequest(term=2, last_index=1, last_term=0))
    return side.term == 2


def stops_at_an_entry_that_raises(side: Side) -> bool:
    raising = [(b"\0raise", 2, 1), command(3, index=3, term=1)]
    side.hear("bee", 1, append(1, (1, 0), raising, commit=3))
    stubborn_turns(side)
    return side.commands == []


def applies_twice(side: Side) -> bool:
    def told(*_: object) -> None:
        raise ValueError("a bug of the proposer")

    lead(side)
    side.submit(b"mine", told)
    side.turn()
    acknowledged(side)
    stubborn_turns(side)
    return side.commands.count(b"mine") > 1


def applies_what_follows_a_version_again(side: Side) -> bool:
    side.hear("bee", 1, append(1, (1, 0), [(b"\3", 2, 1), *entries(3, 4)], commit=3))
    stubborn_turns(side)
    side.hear("bee", 1, append(1, (4, 1), [], commit=4))
    stubborn_turns(side)
    return side.commands.count(b"3") > 1


def starts_empty_without_its_snapshot(side: Side) -> bool:
    follow(side, 12, commit=12)
    side.compact()
    side.kill()
    side.snapshot_path.unlink()
    return side.restart() and side.commands == []


def starts_empty_with_a_damaged_snapshot(side: Side) -> bool:
    follow(side, 12, commit=12)
    side.compact()
    side.kill()
    side.snapshot_path.write_bytes(b"damaged")
    return side.restart() and side.commands == []


def adds_two_members_at_once(side: Side) -> bool:
    lead(side)
    acknowledged(side)
    side.turn()
    side.add_member("dog")
    side.add_member("elk")
    return side.others == 4


def installs_what_is_older_than_its_log(side: Side) -> bool:
    follow(side, 7, commit=6)
    raw = side.snapshot([b"2", b"3"], side.log[2], side.log[1])
    side.hear("bee", 1, install(term=1, commit=6, last=(3, 1), raw=raw))
    stubborn_turns(side)
    return side.log[-1][1] < 7


def speaks_without_pause(side: Side) -> bool:
    lead(side)
    before = side.spoken()
    side.clock.step_s = 1e-4  # a whole period is over after a thousand looks at the clock
    side.send_all_to("bee")
    return side.spoken() - before > 50


def goes_back_one_by_one(side: Side) -> bool:
    follow(side, 61, commit=0)
    side.acks("cat")
    side.hear("cat", 2, append(2, (61, 2), [command(0, index=62, term=2)]))
    side.turn()
    return side.acks("cat")[-1] > 60


def never_tells(side: Side) -> bool:
    side.hear("bee", 1, append(1, (1, 0), []))  # a leader that is known, but not connected
    told: list[int] = []
    side.submit(b"mine", lambda _, reason: told.append(reason))
    side.turn()
    return not told


def leaves_a_snapshot_message_unanswered(side: Side) -> bool:
    side.hear("bee", 1, install(term=1, commit=1, last=(1, 0), raw=None))
    side.turn()
    return not side.acks("bee")


def takes_an_old_answer_for_its_own(side: Side) -> bool:
    def ask(command: bytes) -> list[object]:
        told: list[object] = []
        side.hear("bee", 1, append(1, (1, 0), []))
        side.connect("bee")
        side.submit(command, lambda result, _: told.append(result))
        side.turn()
        return told

    ask(b"old")
    answer = side.sealed("bee", 1, Forwarded(number=1, index=2, term=1))
    side.kill()
    assert side.restart()
    told = ask(b"mine")
    side.arrive("bee", answer)
    side.hear("bee", 1, append(1, (1, 0), [(b"\0another", 2, 1)], commit=2))
    side.turn()
    return told == [b"applied another"]


class Hole(NamedTuple):
    number: int
    shows: Callable[[Side], bool]
    without: type[Voter]
    names: tuple[str, ...] = NAMES


HOLES = (
    Hole(1, commits_what_nobody_compared, unprotected.BelievesSnapshotMessages),
    Hole(2, loses_what_is_newer_than_its_snapshot, unprotected.LoadsWithoutCutting),
    Hole(3, loses_what_it_acknowledged, unprotected.SyncsNothing),
    Hole(4, takes_another_entry_for_its_own, unprotected.ReadsWithoutChecksum),
    Hole(5, votes_twice, unprotected.ReadsWithoutChecksum),
    Hole(6, cuts_what_it_acknowledged, unprotected.AppendsAgain),
    Hole(7, counts_an_old_acknowledgement, unprotected.CountsOldAcknowledgements),
    Hole(8, is_elected_by_one_vote_twice, unprotected.CountsEveryVote, FIVE),
    Hole(9, applies_what_it_only_proposed, unprotected.BelievesItsCommitIndex),
    Hole(10, deserts_a_leader_it_hears, unprotected.DesertsItsLeader),
    Hole(11, stops_at_an_entry_that_raises, unprotected.LetsRaise),
    Hole(12, applies_twice, unprotected.LetsCallbacksRaise),
    Hole(13, applies_what_follows_a_version_again, unprotected.LetsRaise),
    Hole(14, starts_empty_without_its_snapshot, unprotected.StartsWithoutItsState),
    Hole(15, starts_empty_with_a_damaged_snapshot, unprotected.StartsWithoutItsState),
    Hole(16, adds_two_members_at_once, unprotected.ChangesManyMembers),
    Hole(17, installs_what_is_older_than_its_log, unprotected.BelievesSnapshotMessages),
    Hole(18, speaks_without_pause, unprotected.SaysItAgain),
    Hole(19, goes_back_one_by_one, unprotected.GoesBackOneByOne),
    Hole(20, never_tells, unprotected.TellsNobody),
    Hole(22, leaves_a_snapshot_message_unanswered, unprotected.BelievesSnapshotMessages),
    Hole(26, takes_an_old_answer_for_its_own, unprotected.HearsEarlierLives),
)


@pytest.fixture
def side(tmp_path: Path, hole: Hole, build: Build) -> Iterator[Side]:
    side: Side
    disk = WorstDisk(random.Random(1)) if hole.number == 3 else None
    if build == "bare":
        side = BareSide(tmp_path, hole.names, dynamic=hole.number == 16, disk=disk)
    else:
        side = OurSide(tmp_path, hole.names, Voter if build == "ours" else hole.without, disk=disk)
    yield side
    side.close()


@pytest.mark.parametrize("build", ["bare", "ours", "unprotected"])
@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: f"{hole.number}-{hole.shows.__name__}")
def test_a_hole_is_closed_by_one_protection(side: Side, hole: Hole, build: Build) -> None:
    assert hole.shows(side) is (build != "ours")
