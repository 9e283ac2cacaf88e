"""A voter that lost its journal makes no promise until it cannot break one of its old life's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.raft.amnesia import NOTE_FILE, Note, write_note
from cluster.raft.disk import HostDisk
from cluster.raft.problems import Fatal
from cluster.raft.voter import Voter
from cluster.raft.wire import Ack, PreVote, PreVoteRequest, Vote, VoteRequest
from packages.core.values import from_json
from tests.raft.rig import Rig, append, command, tell, voted

OLD_BOOT = 40


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def begin_again(rig: Rig, folder: Path, name: str, *, index: int) -> Voter:
    """As after `vmsg node rejoin`: an empty folder with a note."""
    (folder / name).mkdir(exist_ok=True)
    for each in (folder / name).iterdir():
        each.unlink()
    note = Note(index=index, boot=OLD_BOOT)
    write_note(HostDisk(), folder / name / NOTE_FILE, note)
    return rig.start(name)


def note_of(folder: Path, name: str) -> Note:
    return from_json((folder / name / NOTE_FILE).read_bytes(), Note)


def fed(rig: Rig, voter: Voter, upto: int, *, term: int = 3) -> list[object]:
    """Entries up to that index from the leader bee, and what is answered to the last."""
    for index in range(voter.engine.last_index + 1, upto + 1):
        previous = (index - 1, voter.engine.last_term)
        tell(voter, "bee", term, append(
            term, previous, [command(index, index=index, term=term)], commit=index))
        voter.transport.pump()
    return rig.said("ape", "bee")


def asked_for_a_vote(rig: Rig, voter: Voter, term: int) -> list[object]:
    """By cat, whose log is as good as any, long after a leader was heard."""
    rig.clock.now_s += 10.0
    rig.said("ape", "cat")
    tell(voter, "cat", term - 1, PreVoteRequest(round=1, term=term, last_index=99, last_term=99))
    tell(voter, "cat", term, VoteRequest(term=term, last_index=99, last_term=99))
    voter.transport.pump()
    return [each for each in rig.said("ape", "cat") if isinstance(each, Vote | PreVote)]


def test_it_follows_and_promises_nothing(rig: Rig, tmp_path: Path) -> None:
    ape = begin_again(rig, tmp_path, "ape", index=6)
    for answer in fed(rig, ape, 5):
        if isinstance(answer, Ack):
            assert not answer.is_success and answer.sent_s is None
    assert ape.engine.last_index == 5
    assert [type(each) for each in asked_for_a_vote(rig, ape, 4)] == [PreVote]
    assert not any(isinstance(each, PreVote) and each.is_granted
                   for each in asked_for_a_vote(rig, ape, 5))


def test_what_it_lacks_it_still_asks_for(rig: Rig, tmp_path: Path) -> None:
    ape = begin_again(rig, tmp_path, "ape", index=6)
    tell(ape, "bee", 3, append(3, (50, 3), [], commit=50))
    ape.transport.pump()
    [asked] = [each for each in rig.said("ape", "bee") if isinstance(each, Ack)]
    assert asked.is_reset and asked.next_index == 2 and asked.sent_s is None


def test_with_the_entry_it_counts_again_but_never_votes_in_a_term_it_may_have_voted_in(
    rig: Rig, tmp_path: Path,
) -> None:
    ape = begin_again(rig, tmp_path, "ape", index=6)
    fed(rig, ape, 6)
    ape.transport.pump()
    assert note_of(tmp_path, "ape").ended_in == 3
    [answer] = [each for each in fed(rig, ape, 7) if isinstance(each, Ack)]
    assert answer.is_success and answer.next_index == 8 and answer.sent_s is not None
    assert not voted(asked_for_a_vote(rig, ape, 3))
    assert voted(asked_for_a_vote(rig, ape, 4)) == [4]


def test_a_restart_forgets_none_of_it(rig: Rig, tmp_path: Path) -> None:
    ape = begin_again(rig, tmp_path, "ape", index=6)
    assert ape.journal.boot > OLD_BOOT
    fed(rig, ape, 5)
    rig.crash("ape")
    ape = rig.start("ape")
    assert not voted(asked_for_a_vote(rig, ape, 4))
    fed(rig, ape, 6, term=4)
    ape.transport.pump()
    rig.crash("ape")
    ape = rig.start("ape")
    assert not voted(asked_for_a_vote(rig, ape, 4))
    assert voted(asked_for_a_vote(rig, ape, 5)) == [5]


def test_a_note_that_cannot_be_read_is_refused(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "ape").mkdir()
    (tmp_path / "ape" / NOTE_FILE).write_text("no note")
    with pytest.raises(Fatal) as fatal:
        rig.start("ape")
    assert fatal.value.problem.code == "journal-damaged"


def test_it_never_stands(rig: Rig, tmp_path: Path) -> None:
    ape = begin_again(rig, tmp_path, "ape", index=6)
    rig.pass_time(5.0)
    assert ape.engine.term == 0 and not ape.engine.is_leading
    assert not [each for each in rig.under_way if isinstance(each[2], VoteRequest)]


def test_two_of_three_are_no_majority_while_one_of_them_has_forgotten(
    rig: Rig, tmp_path: Path,
) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    lost, other = [name for name in rig.names if name != leader.engine.name]
    rig.decide(leader, b"first")
    rig.crash(lost)
    told = rig.decide(leader, b"the entry")
    assert told[0][1] == 0
    index = leader.engine.last_index
    rig.crash(other)
    begin_again(rig, tmp_path, lost, index=index + 1)  # an entry that is not agreed upon yet
    rig.pass_time(3.0)
    assert not leader.is_leader()
    assert rig.decide(leader, b"alone") == []
    rig.start(other)
    rig.leader()
    rig.pass_time(2.0)
    assert rig.books[lost].commands == rig.books[other].commands
    assert rig.voters[lost].engine.commit_index > index
    rig.crash(other)
    assert rig.decide(rig.leader(), b"with it")[0][1] == 0
