"""The measured holes of the stock engine, each shown open past the filters and closed behind them.

A test that has a `guarded` parameter says what goes wrong without the protection, so that it would
notice both a protection that fails and one that is no longer needed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.raft.pin import FAIL_REASON, Member
from cluster.raft.problems import Fatal
from cluster.raft.snapshot import Snapshot, encoded
from cluster.raft.wire import Ack, Forward, Install
from packages.core.problem import Problem
from tests.raft.rig import NO_OP, TIMINGS, Rig, append, command, deliver, make_leader, tell

both = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "stock"])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def snapshot_of(*commands: bytes, last: tuple[bytes, int, int], before: tuple[bytes, int, int]):
    return encoded(Snapshot(last=last, previous=before, state=b"\n".join(commands)))


def install(term: int, *, commit: int, last: tuple[int, int], raw: bytes | None) -> Install:
    return Install(
        term=term, commit_index=commit, last_index=last[0], last_term=last[1], snapshot=raw,
        sent_s=1.0, quorum_age_s=0.0,
    )


@both
def test_a_message_that_proves_nothing_about_the_log_commits_nothing(rig: Rig, guarded) -> None:
    """Hole 1: without a snapshot ready, the leader's heartbeat raised the commit index."""
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [command(1, index=2, term=1)]))
    ape.transport.pump()
    deliver(guarded, ape, "bee", 2, install(2, commit=2, last=(1, 0), raw=None))
    ape.transport.pump()
    assert rig.books["ape"].commands == ([] if guarded else [b"1"])


@both
def test_entries_that_are_here_already_are_not_cut_and_added_again(rig: Rig, guarded) -> None:
    """Hole 6: a delayed, shorter message would cut acknowledged entries off."""
    ape = rig.start("ape")
    entries = [command(number, index=number + 1, term=1) for number in range(1, 6)]
    tell(ape, "bee", 1, append(1, (1, 0), entries))
    deliver(guarded, ape, "bee", 1, append(1, (1, 0), entries[:2]))
    assert ape.engine.last_index == (6 if guarded else 3)


def test_an_acknowledgement_says_no_more_than_was_compared(rig: Rig) -> None:
    ape = rig.start("ape")
    entries = [command(number, index=number + 1, term=1) for number in range(1, 6)]
    tell(ape, "bee", 1, append(1, (1, 0), entries))
    ape.transport.pump()
    rig.said("ape", "bee")
    tell(ape, "bee", 1, append(1, (1, 0), entries[:2], sent_s=7.0))
    ape.transport.pump()
    acks = [body for body in rig.said("ape", "bee") if isinstance(body, Ack)]
    assert acks == [Ack(
        next_index=4, is_reset=False, is_success=True, sent_s=7.0, loyal_s=TIMINGS.raft_min_s)]


@both
def test_an_acknowledgement_of_an_earlier_leadership_counts_nothing(rig: Rig, guarded) -> None:
    """Hole 7: it carried no term, and committed what the follower did not have."""
    ape = rig.start("ape")
    term = make_leader(rig, ape)
    stale = Ack(next_index=3, is_reset=False, is_success=True, sent_s=None)
    deliver(guarded, ape, "bee", term - 1, stale)
    assert ape.engine.match_index[Member("bee")] == (0 if guarded else 2)
    assert guarded == bool(ape.transport.drops["ack-of-another-term"])


def test_an_acknowledgement_beyond_the_log_is_dropped(rig: Rig) -> None:
    ape = rig.start("ape")
    term = make_leader(rig, ape)
    tell(ape, "bee", term, Ack(next_index=99, is_reset=False, is_success=True, sent_s=None))
    assert ape.engine.match_index[Member("bee")] == 0


@both
def test_an_acknowledgement_does_not_send_everything_under_way_again(rig: Rig, guarded) -> None:
    """Hole 6, the leader's side."""
    ape = rig.start("ape")
    term = make_leader(rig, ape)
    for number in range(5):
        ape.engine.submit(b"%d" % number, lambda *_: None)
    ape.transport.pump()
    assert ape.engine.next_index[Member("bee")] == 8
    deliver(guarded, ape, "bee", term, Ack(
        next_index=4, is_reset=False, is_success=True, sent_s=None,
    ))
    assert ape.engine.next_index[Member("bee")] == (8 if guarded else 4)


def test_a_machine_that_raises_does_not_stop_the_log(rig: Rig) -> None:
    """Hole 11: the entry would be retried for ever, by every node."""
    rig.start(*rig.names)
    told = rig.decide(rig.leader(), b"one", b"raise", b"two")
    assert [each for each, _ in told if not isinstance(each, Problem)] == [
        b"applied one", b"applied two",
    ]
    (found,) = [each for each, _ in told if isinstance(each, Problem)]
    assert found.code == "internal-error"
    assert all(book.commands == [b"one", b"two"] for book in rig.books.values())


def test_an_exhausted_host_steps_out_instead_of_diverging(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [(b"\0exhaust", 2, 1)], commit=2))
    with pytest.raises(Fatal) as fatal:
        ape.transport.pump()
    assert fatal.value.problem.code == "host-exhausted"


def test_a_callback_that_raises_does_not_apply_the_entry_twice(rig: Rig) -> None:
    """Hole 12."""
    rig.start(*rig.names)
    leader = rig.leader()

    def told(*_: object) -> None:
        raise ValueError("a bug of the proposer")

    leader.engine.submit(b"one", told)
    rig.decide(leader, b"two")
    assert rig.books[leader.engine.name].commands == [b"one", b"two"]


def test_only_commands_of_ours_are_taken_from_peers(rig: Rig) -> None:
    """Holes 11 and 13: an engine's own command types would be unpickled or stop the log."""
    ape = rig.start("ape")
    make_leader(rig, ape)
    before = ape.engine.last_index
    for junk in (b"", b"\2member", b"\3version", b"\xff", b"\0" * (9 << 20)):
        tell(ape, "bee", 1, Forward(command=junk, number=1))
    ape.transport.pump()
    assert ape.engine.last_index == before
    assert ape.transport.drops["unacceptable-command"] == 5


def test_an_entry_of_a_foreign_type_is_passed_over(rig: Rig) -> None:
    ape = rig.start("ape")
    entries = [(b"\3\x80\4.", 2, 1), (b"\2\x80\4.", 3, 1), command(1, index=4, term=1)]
    tell(ape, "bee", 1, append(1, (1, 0), entries, commit=4))
    ape.transport.pump()
    assert rig.books["ape"].commands == [b"1"] and ape.engine.last_applied == 4


def test_an_applied_entry_that_a_leader_contradicts_is_fatal(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [command(1, index=2, term=1)], commit=2))
    ape.transport.pump()
    with pytest.raises(Fatal) as fatal:
        tell(ape, "cat", 2, append(2, (1, 0), [command(9, index=2, term=2)]))
    assert fatal.value.problem.code == "replica-diverged"
    with pytest.raises(Fatal):
        tell(ape, "cat", 2, append(2, (2, 2), []))


def test_a_conflicting_tail_is_gone_back_at_once(rig: Rig) -> None:
    """Hole 19: the engine goes back one entry per heartbeat."""
    ape = rig.start("ape")
    tail = [command(number, index=number, term=1) for number in range(2, 62)]
    tell(ape, "bee", 1, append(1, (1, 0), tail))
    tell(ape, "cat", 2, append(2, (61, 2), [command(0, index=62, term=2)]))
    ape.transport.pump()
    (ack,) = [body for body in rig.said("ape", "cat") if isinstance(body, Ack)]
    assert (ack.next_index, ack.is_reset, ack.is_success) == (2, True, False)


def test_a_gap_between_entries_is_dropped(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [command(1, index=3, term=1)]))
    assert ape.engine.last_index == 1 and ape.transport.drops["gap-in-entries"] == 1


def test_a_snapshot_of_what_is_applied_already_is_not_installed(rig: Rig) -> None:
    """Hole 17."""
    ape = rig.start("ape")
    entries = [command(number, index=number, term=1) for number in range(2, 8)]
    tell(ape, "bee", 1, append(1, (1, 0), entries, commit=6))
    ape.transport.pump()
    raw = snapshot_of(b"lost", last=entries[1], before=entries[0])
    tell(ape, "bee", 1, install(1, commit=6, last=(3, 1), raw=raw))
    ape.transport.pump()
    assert ape.engine.last_index == 7 and rig.books["ape"].commands[0] == b"2"


def test_a_snapshot_does_not_take_acknowledged_entries_beyond_it(rig: Rig) -> None:
    ape = rig.start("ape")
    entries = [command(number, index=number, term=1) for number in range(2, 12)]
    tell(ape, "bee", 1, append(1, (1, 0), entries, commit=3))
    raw = snapshot_of(b"2", last=entries[4], before=entries[3])
    tell(ape, "bee", 1, install(1, commit=6, last=(6, 1), raw=raw))
    ape.transport.pump()
    assert ape.engine.last_index == 11
    assert rig.books["ape"].commands == [b"2", b"3", b"4", b"5", b"6"]
    acks = [body for body in rig.said("ape", "bee") if isinstance(body, Ack)]
    assert acks[-1] == Ack(
        next_index=7, is_reset=True, is_success=True, sent_s=1.0, loyal_s=TIMINGS.raft_min_s)


def test_a_snapshot_ahead_is_installed_and_acknowledged(rig: Rig) -> None:
    ape = rig.start("ape")
    raw = snapshot_of(b"a", b"b", last=command(9, index=9, term=3), before=(NO_OP, 8, 3))
    tell(ape, "bee", 3, install(3, commit=9, last=(9, 3), raw=raw))
    ape.transport.pump()
    assert rig.books["ape"].commands == [b"a", b"b"]
    assert (ape.engine.last_applied, ape.engine.last_index) == (9, 9)
    (ack,) = [body for body in rig.said("ape", "bee") if isinstance(body, Ack)]
    assert ack.is_success and ack.next_index == 10
    rig.crash("ape")
    again = rig.start("ape")
    assert rig.books["ape"].commands == [b"a", b"b"] and again.engine.term == 3


def test_a_damaged_snapshot_from_a_leader_changes_nothing(rig: Rig) -> None:
    ape = rig.start("ape")
    raw = bytearray(snapshot_of(b"a", last=command(9, index=9, term=3), before=(NO_OP, 8, 3)))
    raw[-1] ^= 1
    tell(ape, "bee", 3, install(3, commit=9, last=(9, 3), raw=bytes(raw)))
    ape.transport.pump()
    assert ape.engine.last_applied == 1 and rig.books["ape"].commands == []


def test_a_leader_without_a_snapshot_ready_does_not_spin(rig: Rig) -> None:
    """Hole 18: it sent 56,633 messages in a tenth of a second. The clock stands still here, so
    an engine that spins would never come back."""
    ape = rig.start("ape")
    term = make_leader(rig, ape)
    rig.said("ape", "bee")
    tell(ape, "bee", term, Ack(next_index=0, is_reset=True, is_success=False, sent_s=None))
    ape.engine.next_index[Member("bee")] = 1
    ape.engine.send_appends()
    ape.transport.pump()
    assert 1 <= len(rig.said("ape", "bee")) <= 3


def test_a_forwarded_command_that_cannot_be_sent_is_told_at_once(rig: Rig) -> None:
    """Hole 20."""
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), []))  # a leader that is known, but not connected
    told: list[int] = []
    ape.engine.submit(b"one", lambda _, reason: told.append(reason))
    ape.transport.pump()
    assert told == [FAIL_REASON.MISSING_LEADER]


def test_a_forwarded_command_that_the_wire_refuses_is_told_at_once(rig: Rig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    follower = next(voter for voter in rig.voters.values() if voter is not leader)
    told: list[int] = []
    rig.is_wire_down = True
    follower.engine.submit(b"one", lambda _, reason: told.append(reason))
    follower.transport.pump()
    assert told == [FAIL_REASON.MISSING_LEADER]


def test_a_forwarded_command_nobody_waits_for_any_more_leaves_nothing_behind(rig: Rig) -> None:
    rig.start(*rig.names)
    leader = rig.leader()
    follower = next(voter for voter in rig.voters.values() if voter is not leader)
    waiting = follower.engine.submit(b"one", lambda *_: None)
    follower.transport.pump()
    assert len(follower.engine._SyncObj__commandsWaitingReply) == 1
    follower.engine.withdraw(waiting)
    assert len(follower.engine._SyncObj__commandsWaitingReply) == 0
