"""A snapshot that is too large for one message reaches whoever fell behind, piece by piece."""

import logging
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.raft.members import Members, Peer, members_of
from cluster.raft.pieces import MOST_BUSY_S, QUIET_S, RETRY_S, Coming, Extent, Sending
from cluster.raft.snapshot import STEP_BYTES, Snapshot, decoded, encoded_parts, plain_parts
from cluster.raft.voter import Voter
from cluster.raft.wire import Ack, Body, Install, Piece, PieceHeld
from packages.core.values import changed, to_msgpack
from tests.raft.memory_disk import MemoryDisk
from tests.raft.rig import HandClock, Rig, tell
from tests.raft.search_pieces import InPieces, SmallPieces, search_pieces

BEHIND = 60
"""Entries that are in a snapshot by then."""

EXTENT = Extent(last_index=9, last_term=1, size=10)


@pytest.fixture
def rig(tmp_path: Path):
    made = Rig(tmp_path, compact_after_entries=10, voter=InPieces)
    yield made
    made.close()


def behind(rig: Rig) -> Voter:
    """Two of three, which have so much in a snapshot that the third needs it; who leads."""
    rig.start("ape", "bee")
    leader = rig.leader()
    for number in range(BEHIND):
        rig.decide(leader, b"command %d" % number)
    assert leader.engine.log[0][1] > 1
    return leader


class Ear:
    """Hears all that is said, and drops what it is told to."""

    def __init__(self, drops: Callable[[str, str, Body], bool] = lambda *_: False) -> None:
        self.said: list[tuple[str, str, Body]] = []
        self._drops = drops

    def __call__(self, source: str, target: str, body: Body) -> bool:
        self.said.append((source, target, body))
        return self._drops(source, target, body)

    def of(self, kind: type[Body]) -> list[Body]:
        return [body for _, _, body in self.said if isinstance(body, kind)]


def catches_up(rig: Rig, ear: Ear, within_s: float = 3.0) -> bool:
    rig.pass_time(within_s, ear)
    return rig.books["cat"].commands == rig.books["ape"].commands


def test_who_fell_behind_gets_it_in_pieces(rig: Rig, tmp_path: Path) -> None:
    behind(rig)
    rig.start("cat")
    assert catches_up(rig, ear := Ear())
    pieces = [each for each in ear.of(Piece) if each.raw]
    assert len(pieces) > 3 and all(len(each.raw) <= SmallPieces.piece_bytes for each in pieces)
    assert not [each for each in ear.of(Install) if each.snapshot is not None]
    last = {each.offset: each.raw for each in pieces}
    assert b"".join(last.values()) == (tmp_path / "cat" / "snapshot").read_bytes()
    assert not (tmp_path / "cat" / "snapshot.coming").exists()


def test_only_one_piece_is_under_way(rig: Rig) -> None:
    behind(rig)
    rig.start("cat")
    ear = Ear(lambda _, __, body: isinstance(body, PieceHeld))
    rig.pass_time(0.9 * RETRY_S, ear)
    assert len(ear.of(Piece)) == 1


def test_a_lost_piece_is_sent_again(rig: Rig) -> None:
    behind(rig)
    rig.start("cat")
    lost: list[Body] = []

    def every_third(_: str, __: str, body: Body) -> bool:
        if isinstance(body, (Piece, PieceHeld)):
            lost.append(body)
            return len(lost) % 3 == 0
        return False

    assert catches_up(rig, Ear(every_third), within_s=60.0)


def test_nothing_is_sent_again_to_one_that_the_first_copy_has_not_reached() -> None:
    """A link so slow that a piece takes minutes: what is said after it waits behind it."""
    clock = HandClock()
    sending, began_s = Sending(clock), clock.now_s
    assert sending.due("cat", EXTENT) == 0
    clock.now_s += 100 * RETRY_S
    for answered_s in (None, began_s - 1.0, began_s, began_s + 0.9 * RETRY_S):
        sending.answered("cat", answered_s)
        assert sending.due("cat", EXTENT) is None
    sending.answered("cat", began_s + RETRY_S)
    assert sending.due("cat", EXTENT) == 0


def test_who_is_started_anew_gets_it_from_the_beginning(rig: Rig) -> None:
    behind(rig)
    rig.start("cat")
    ear = Ear()
    while len(ear.of(PieceHeld)) < 3:
        rig.pass_time(0.01, ear)
    rig.crash("cat")
    rig.start("cat")
    assert catches_up(rig, ear := Ear()), "it waits to be asked twice"
    assert 0 in [each.offset for each in ear.of(Piece)]


def test_another_leader_begins_its_own(rig: Rig) -> None:
    leader = behind(rig)
    rig.start("cat")
    ear = Ear()
    while len(ear.of(PieceHeld)) < 3:
        rig.pass_time(0.01, ear)
    leader.transport.resign()
    assert rig.leader().engine.name != leader.engine.name
    assert catches_up(rig, ear, within_s=10.0)


def test_a_piece_that_was_changed_on_its_way_is_noticed_and_all_is_sent_again(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    leader = behind(rig)
    cat = rig.start("cat")
    ear = Ear()
    while not [each for each in ear.of(PieceHeld) if each.offset > 30]:
        rig.pass_time(0.01, ear)
    coming = cat.store.coming
    handle = coming._disk.open(coming._path)
    coming._disk.write_at(handle, b"#", 30)
    coming._disk.close(handle)
    with caplog.at_level(logging.WARNING):
        assert catches_up(rig, ear, within_s=10.0)
    assert "snapshot-refused" in caplog.text
    assert leader.engine.is_leading


def test_the_journal_waits_to_be_cut_while_somebody_is_sent_what_it_goes_on_from(
    rig: Rig,
) -> None:
    leader = behind(rig)
    rig.start("cat")
    ear = Ear(lambda _, __, body: isinstance(body, Piece) and body.offset > 0)
    rig.pass_time(0.5, ear)
    extent, first = leader.store._extent, leader.engine.log[0][1]
    for number in range(40):
        rig.decide(leader, b"more %d" % number)
        rig.pass_time(0.02, ear)
    assert leader.store._extent == extent and leader.engine.log[0][1] == first
    rig.pass_time(QUIET_S + 1.0, ear)
    assert leader.store._extent != extent and leader.engine.log[0][1] > first
    assert catches_up(rig, Ear(), within_s=10.0)


def test_a_peer_that_takes_for_ever_does_not_keep_journals_from_being_cut() -> None:
    clock = HandClock()
    sending, large = Sending(clock), changed(EXTENT, size=1 << 20)
    began_s, taken = clock.now_s, 0
    while sending.due("cat", large) is None or sending.is_busy():
        taken += 1
        sending.held("cat", PieceHeld(
            last_index=9, last_term=1, size=large.size, offset=taken))
        clock.now_s += 0.9 * QUIET_S
        assert clock.now_s - began_s < 2 * MOST_BUSY_S
    assert clock.now_s - began_s >= MOST_BUSY_S


def test_who_has_it_by_now_is_not_given_it(rig: Rig) -> None:
    leader = behind(rig)
    rig.start("cat")
    assert catches_up(rig, Ear())
    cat, engine = rig.voters["cat"], leader.engine
    rig.said("cat", engine.name)
    piece = Piece(
        term=engine.term, last_index=5, last_term=1, size=10, offset=0, raw=b"1", sent_s=1.0,
        quorum_age_s=0.0)
    tell(cat, engine.name, engine.term, piece)
    cat.transport.pump()
    answers = [each for each in rig.said("cat", engine.name) if isinstance(each, (Ack, PieceHeld))]
    assert answers and all(isinstance(each, Ack) for each in answers)


def piece(offset: int, raw: bytes, extent: Extent = EXTENT) -> Piece:
    return Piece(
        term=1, last_index=extent.last_index, last_term=extent.last_term, size=extent.size,
        offset=offset, raw=raw, sent_s=1.0, quorum_age_s=0.0)


@pytest.fixture
def coming() -> Coming:
    return Coming(Path("/snapshot.coming"), MemoryDisk(random.Random(1)))


def take(coming: Coming, peer: str, given: Piece) -> bool:
    if not coming.is_next(peer, given):
        return False
    coming.wrote(peer, given)
    return True


def test_what_came_does_not_go_on_with_another_ones_pieces(coming: Coming) -> None:
    assert take(coming, "bee", piece(0, b"12345"))
    assert not take(coming, "ape", piece(5, b"67890")), "of another node"
    assert not take(coming, "bee", piece(5, b"67890", changed(EXTENT, last_index=8)))
    assert not take(coming, "bee", piece(5, b"67890", changed(EXTENT, last_term=2)))
    assert not take(coming, "bee", piece(5, b"67890", changed(EXTENT, size=11)))
    assert not take(coming, "bee", piece(4, b"67890")), "it would be written over"
    assert not take(coming, "bee", piece(6, b"7890")), "a gap"
    assert not take(coming, "bee", piece(5, b"678901")), "more than it said"
    assert not take(coming, "bee", piece(5, b"")), "only asked"
    assert coming.answer("bee", piece(5, b"")).offset == 5
    assert coming.answer("ape", piece(5, b"")).offset == 0
    assert take(coming, "bee", piece(5, b"67890")) and coming.is_whole()


def test_a_snapshot_that_begins_takes_the_place_of_one_that_came_in_part(coming: Coming) -> None:
    assert take(coming, "bee", piece(0, b"12345"))
    assert take(coming, "ape", piece(0, b"abc"))
    assert not take(coming, "bee", piece(5, b"67890"))
    assert coming.answer("ape", piece(0, b"")).offset == 3


@pytest.mark.parametrize("said", [
    PieceHeld(last_index=8, last_term=1, size=10, offset=5),
    PieceHeld(last_index=9, last_term=2, size=10, offset=5),
    PieceHeld(last_index=9, last_term=1, size=99, offset=5),
    PieceHeld(last_index=9, last_term=1, size=10, offset=11),
    PieceHeld(last_index=9, last_term=1, size=10, offset=0),
])
def test_only_who_has_taken_a_piece_gets_the_next_at_once(said: PieceHeld) -> None:
    sending = Sending(HandClock())
    assert sending.due("cat", EXTENT) == 0
    assert not sending.held("cat", said) and sending.due("cat", EXTENT) is None
    assert not sending.held("dog", PieceHeld(last_index=9, last_term=1, size=10, offset=5))
    assert sending.held("cat", PieceHeld(last_index=9, last_term=1, size=10, offset=5))
    assert sending.due("cat", EXTENT) == 5


class TinyStates(SmallPieces):
    most_state_bytes = 10


class WithTinyStates(InPieces):
    store_type = TinyStates


def test_a_state_nobody_could_read_is_not_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    """It would end the node that wrote it at its next start."""
    rig = Rig(tmp_path, compact_after_entries=10, voter=WithTinyStates)
    rig.start("ape", "bee")
    leader = rig.leader()
    with caplog.at_level(logging.WARNING):
        for number in range(BEHIND):
            rig.decide(leader, b"command %d" % number)
    assert "could not be written" in caplog.text and leader.is_leader()
    assert leader.store.stored() is None
    rig.close()


def test_agreement_holds_through_trouble_with_pieces(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    runs = [
        search_pieces(seed, network, crash) for seed, network, crash in (
            (0, "wild", "power"), (1, "orderly", "kill"), (2, "wild", "kill"),
            (3, "orderly", "power"))]
    assert sum(run.pieces for run in runs) > 30


@pytest.mark.parametrize("size", [0, 1, STEP_BYTES, STEP_BYTES + 1, 2 * STEP_BYTES + 7])
@pytest.mark.parametrize("members", [None, members_of([Peer(name="ape")])])
def test_a_large_state_is_written_in_parts_and_is_the_same(
    size: int, members: Members | None,
) -> None:
    snapshot = Snapshot(
        last=(b"x", 9, 1), previous=(b"", 8, 1), members=members,
        state=random.Random(size).randbytes(size))
    parts = encoded_parts(snapshot)
    assert all(len(each) < STEP_BYTES + (1 << 16) for each in parts)
    assert decoded(b"".join(parts)) == snapshot
    assert b"".join(plain_parts(snapshot)) == to_msgpack(snapshot)
