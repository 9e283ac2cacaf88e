"""A disk that takes its time holds up promises and nothing else."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.raft.disk import HostDisk
from cluster.raft.flusher import PATIENCE_S, ThreadFlusher
from cluster.raft.journal import Write
from cluster.raft.snapshot import Snapshot, encoded
from cluster.raft.turns import HUNG_S
from cluster.raft.wire import Ack, Append, Body, Install, Vote, VoteRequest
from tests.contracts.replica_worlds import SocketWorld, until, until_led
from tests.raft.rig import NAMES, NO_OP, TIMINGS, Rig, append, command, tell, voted

MOST_S = 30.0


class HandFlusher:
    """Writes when the test says so, or at once."""

    def __init__(self) -> None:
        self.is_slow = False
        self._left: Write | None = None

    def begin(self, write: Write) -> None:
        if self.is_slow:
            self._left = write
        else:
            write()

    def is_done(self) -> bool:
        return self._left is None

    def finish(self) -> None:
        if self._left is not None:
            self._left()
        self._left = None


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.flushers.update({name: HandFlusher() for name in NAMES})
    rig.start(*NAMES)
    yield rig
    rig.close()


def flusher(rig: Rig, name: str) -> HandFlusher:
    found = rig.flushers[name]
    assert isinstance(found, HandFlusher)
    return found


def pumped(rig: Rig, source: str, target: str, kind: type[Body]) -> list[Body]:
    """What one turn of `source` says to `target`, of this kind."""
    rig.voters[source].transport.pump()
    return [each for each in rig.said(source, target) if isinstance(each, kind)]


def test_an_entry_is_acknowledged_when_it_is_on_disk_and_its_leader_heard_at_once(
    rig: Rig,
) -> None:
    leader = rig.leader().engine.name
    follower, _ = [name for name in NAMES if name != leader]
    rig.pass_time(0.2)
    flusher(rig, follower).is_slow = True
    rig.voters[leader].engine.submit(b"news", lambda *_: None)
    told = pumped(rig, leader, follower, Append)
    tell(rig.voters[follower], leader, rig.voters[leader].engine.term, told[-1])
    assert pumped(rig, follower, leader, Ack) == []
    rig.under_way = []
    rig.clock.now_s += 0.11
    rig.voters[leader].transport.pump()
    rig.turn(dropped=lambda source, target, body: target != follower)
    answers = [each for each in rig.said(follower, leader) if isinstance(each, Ack)]
    assert answers and not any(each.is_success for each in answers)
    flusher(rig, follower).finish()
    proven = [each for each in pumped(rig, follower, leader, Ack) if isinstance(each, Ack)]
    assert proven[-1].is_success
    assert proven[-1].next_index == rig.voters[leader].engine.last_index + 1


def test_a_leader_whose_disk_is_slow_keeps_its_lease_and_commits_nothing_alone(rig: Rig) -> None:
    leader = rig.leader()
    name, term = leader.engine.name, leader.engine.term
    flusher(rig, name).is_slow = True
    told: list[int] = []
    leader.engine.submit(b"news", lambda _, reason: told.append(reason))
    for _ in range(3):
        rig.pass_time(TIMINGS.raft_min_s)
        assert leader.is_leader()
    followers = [voter for voter in rig.voters.values() if voter is not leader]
    assert all(each.engine.last_index == leader.engine.last_index for each in followers)
    assert not told and {each.engine.term for each in rig.voters.values()} == {term}
    flusher(rig, name).is_slow = False
    flusher(rig, name).finish()
    rig.pass_time(0.2)
    assert told == [0] and leader.is_leader()


def test_a_leader_whose_disk_hangs_makes_way_for_another(rig: Rig) -> None:
    leader = rig.leader()
    flusher(rig, leader.engine.name).is_slow = True
    leader.engine.submit(b"news", lambda *_: None)
    rig.pass_time(HUNG_S + 3 * TIMINGS.raft_max_s)
    assert not leader.is_leader()
    assert any(voter.is_leader() for voter in rig.voters.values())


def test_a_vote_is_given_when_it_is_on_disk(rig: Rig) -> None:
    ape = rig.voters["ape"]
    rig.clock.now_s += TIMINGS.raft_max_s
    flusher(rig, "ape").is_slow = True
    wanted = VoteRequest(term=9, last_index=99, last_term=9)
    tell(ape, "bee", 9, wanted)
    assert pumped(rig, "ape", "bee", Vote) == []
    flusher(rig, "ape").finish()
    assert voted(pumped(rig, "ape", "bee", Vote)) == [9]


def test_a_heartbeat_of_a_term_that_is_not_on_disk_is_not_answered(rig: Rig) -> None:
    """Nor one that comes when the disk has hung for long: another is to lead then."""
    ape = rig.voters["ape"]
    flusher(rig, "ape").is_slow = True
    tell(ape, "bee", 9, append(9, (1, 0), []))
    assert pumped(rig, "ape", "bee", Ack) == [], "the disk has the term to write"
    stamps = rig.voters["bee"].transport._stamps

    def heartbeat() -> list[Body]:
        ape.transport.receive("bee", stamps.sealed("ape", ape.engine.term, append(
            ape.engine.term, (1, 0), [], sent_s=rig.clock.now_s)))
        return [each for each in rig.said("ape", "bee") if isinstance(each, Ack)]

    assert heartbeat() == []
    flusher(rig, "ape").finish()
    assert len(pumped(rig, "ape", "bee", Ack)) >= 1
    ape.engine.log.add(b"\0", 2, 9)
    assert pumped(rig, "ape", "bee", Ack) == [] and len(heartbeat()) == 1
    rig.clock.now_s += HUNG_S + 0.1
    assert heartbeat() == []


def test_a_snapshot_is_stored_while_heartbeats_are_answered(rig: Rig) -> None:
    ape, last = rig.voters["ape"], command(9, index=9, term=3)
    raw = encoded(Snapshot(last=last, previous=(NO_OP, 8, 3), state=b"a\nb"))
    tell(ape, "bee", 3, append(3, (9, 3), []))
    assert len(pumped(rig, "ape", "bee", Ack)) == 1, "its log does not reach as far"
    flusher(rig, "ape").is_slow = True
    given = Install(
        term=3, commit_index=9, last_index=9, last_term=3, snapshot=raw, sent_s=1.0,
        quorum_age_s=0.0)
    tell(ape, "bee", 3, given)
    assert pumped(rig, "ape", "bee", Ack) == [] and ape.engine.last_applied == 1
    rig.voters["bee"].engine.follow(3)
    rig.voters["bee"].transport._say("ape", 3, append(3, (9, 3), []))
    rig.turn(dropped=lambda source, target, body: (source, target) != ("bee", "ape"))
    assert [each.is_success for each in rig.said("ape", "bee") if isinstance(each, Ack)] == [False]
    flusher(rig, "ape").is_slow = False
    flusher(rig, "ape").finish()
    rig.turn(dropped=lambda *_: True)
    ape.transport.pump()
    assert rig.books["ape"].commands == [b"a", b"b"] and ape.engine.last_index == 9


def waited(happened: Callable[[], bool]) -> bool:
    """Whether it happens in time; the thread has nothing else to do."""
    ended = threading.Event()
    for _ in range(int(MOST_S / 0.01)):
        if happened():
            return True
        ended.wait(0.01)
    return False


def test_work_that_takes_long_is_not_waited_for_and_told_when_it_ends() -> None:
    may_end, told = threading.Event(), threading.Event()
    flusher = ThreadFlusher(told.set)
    flusher.begin(lambda: may_end.wait(MOST_S) and None)
    assert not flusher.is_done() and not told.is_set()
    may_end.set()
    assert told.wait(MOST_S) and flusher.is_done()
    flusher.begin(lambda: None)  # on a busy machine it takes long, too, and is told
    assert waited(flusher.is_done)
    flusher.close()


def test_what_the_work_raised_is_raised_once() -> None:
    def fail() -> None:
        raise OSError("no space")

    flusher = ThreadFlusher(lambda: None)
    with pytest.raises(OSError):
        flusher.begin(fail)
        waited(flusher.is_done)
    assert flusher.is_done()
    flusher.close()


class SlowDisk(HostDisk):
    """Takes longer than the event loop has patience for."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def sync(self, handle: int) -> None:
        self.threads.add(threading.current_thread().name)
        threading.Event().wait(20 * PATIENCE_S)
        super().sync(handle)


async def test_real_voters_with_slow_disks_agree_and_sync_off_the_loop(tmp_path: Path) -> None:
    world = SocketWorld(NAMES, tmp_path)
    disks = {name: SlowDisk() for name in NAMES}
    for name in NAMES:
        await world.start(name, disk=disks[name])
        disks[name].threads.clear()  # opening the journal may wait for the disk
    leader = await until_led(world)
    answer = await world.replicas[leader].propose(b"news", deadline_s=MOST_S)
    assert answer == b"applied news"
    await until(world, lambda: all(each.commands == [b"news"] for each in world.machines.values()))
    for name in NAMES:
        assert disks[name].threads == {"journal"}
        await world.stop(name)


class HungDisk(HostDisk):
    """Does not sync before it may."""

    def __init__(self) -> None:
        self.may_sync, self.is_stuck = threading.Event(), threading.Event()
        self.may_sync.set()

    def sync(self, handle: int) -> None:
        if not self.may_sync.is_set():
            self.is_stuck.set()
        assert self.may_sync.wait(MOST_S)
        super().sync(handle)


async def test_nobody_opens_a_journal_that_a_hung_disk_may_yet_write_to(tmp_path: Path) -> None:
    disk, world = HungDisk(), SocketWorld(("ape",), tmp_path)
    await world.start("ape", disk=disk)
    await until_led(world)
    ape = world.replicas["ape"]
    disk.may_sync.clear()
    proposal = asyncio.create_task(ape.propose(b"news", deadline_s=MOST_S))
    await until(world, disk.is_stuck.is_set)
    await ape.close()
    await proposal
    refused = await ape.start()
    assert refused is not None and refused.code == "journal-in-use"
    disk.may_sync.set()
