"""One node's key is not the cluster's end: what is beyond reason is dropped, and said."""

import logging
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.clock import HostClock
from cluster.raft.bounds import INDEXES_AHEAD, TERMS_AHEAD, Terms, beyond_reason
from cluster.raft.disk import HostDisk
from cluster.raft.members import MemberHistory
from cluster.raft.pin import Member
from cluster.raft.snapshot import (
    FORMAT, HEADER, Snapshot, SnapshotDamaged, SnapshotStore, decoded, encoded
)
from cluster.raft.unpacking import MOST_SPARE_BYTES, allowance
from cluster.raft.wire import (
    BOOTS_AHEAD, MOST_ENTRIES, MOST_PEERS, NUMBERS_AHEAD, REJOINED_BOOT, WIRE_VERSION, Ack, Append,
    Body, Envelope, Forward, Forwarded, HigherTerm, Install, Introduction, Ping, PreVote,
    PreVoteRequest, Pulse, Regressed, Vote, VoteRequest, opened
)
from packages.core.values import to_msgpack
from tests.raft.rig import Book, Rig, append, command, make_leader, tell

FAR = 1 + TERMS_AHEAD
"""Above the term of a node that has just begun."""

HIGH = 1 << 62  # the highest that a release before could be made to follow


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def install(term: int, *, index: int = 5, of: int = 1, snapshot: bytes | None = None) -> Install:
    return Install(
        term=term, commit_index=1, last_index=index, last_term=of, snapshot=snapshot, sent_s=1.0,
        quorum_age_s=0.0)


def sealed(
    body: Body, *, term: int = 1, boot: int = 1, number: int = 1, known_boot: int = 0,
) -> bytes:
    return to_msgpack(Envelope(
        version=WIRE_VERSION, boot=boot, known_boot=known_boot, number=number, term=term,
        body=body))


def raising(term: int) -> list[Body]:
    """Every kind that could make a node take over a term: in itself, or by its sender's."""
    return [
        HigherTerm(), PreVote(round=0, is_granted=False),
        append(term, (1, 0), []), append(term, (1, 0), [command(1, index=2, term=term)]),
        install(term), install(term, of=term), install(1, of=term),
        VoteRequest(term=term, last_index=9, last_term=1),
        VoteRequest(term=1, last_index=9, last_term=term), Vote(term=term),
        PreVoteRequest(round=1, term=term, last_index=9, last_term=1),
        PreVoteRequest(round=1, term=1, last_index=9, last_term=term),
        append(1, (1, 0), [command(1, index=2, term=term)]),
        append(1, (1, term), []), Forwarded(number=1, index=2, term=term),
        Ack(next_index=2, is_reset=False, is_success=True, sent_s=1.0),
        Regressed(index=2),
    ]


@pytest.mark.parametrize("far", [FAR, HIGH, (1 << 63) - 2])
def test_no_message_raises_the_term_beyond_reason(rig: Rig, far: int) -> None:
    ape = rig.start("ape")
    for body in raising(far):
        tell(ape, "cat", far if body in (HigherTerm(), raising(far)[1]) else max(
            1, getattr(body, "term", None) or 1), body)
        assert ape.engine.term <= 1, body
    ape.transport.pump()
    assert ape.journal.getCurrentTerm() <= 1
    assert ape.transport.drops["term-beyond-reason"] >= 10


@pytest.mark.parametrize("body", raising(FAR), ids=lambda body: type(body).__name__)
def test_whatever_it_is_the_senders_own_term_is_bounded(rig: Rig, body: Body) -> None:
    ape = rig.start("ape")
    ape.transport.receive("cat", sealed(body, term=FAR))
    assert ape.engine.term == 0
    assert ape.transport.drops["term-beyond-reason"] == 1


def test_a_term_within_reason_is_followed(rig: Rig) -> None:
    """A node that was away while the others elected and elected."""
    ape = rig.start("ape")
    tell(ape, "cat", TERMS_AHEAD, HigherTerm())
    assert ape.engine.term == TERMS_AHEAD


def test_it_is_said_once_and_not_for_each(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    ape = rig.start("ape")
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            tell(ape, "cat", HIGH, HigherTerm())
        assert [each.getMessage()[:28] for each in caplog.records] == [
            "term-beyond-reason: from cat"]
        rig.clock.now_s += 61.0
        tell(ape, "cat", HIGH, HigherTerm())
    assert "99 more since" in caplog.records[-1].getMessage()


def test_the_others_elect_and_agree_while_one_says_it(rig: Rig) -> None:
    rig.start("ape", "bee")
    for name in ("ape", "bee"):
        rig.voters[name].transport.receive("cat", sealed(HigherTerm(), term=HIGH))
    leader = rig.leader()
    assert rig.decide(leader, b"one")[0][0] == b"applied one"
    assert leader.engine.term < 10


def test_a_node_of_another_age_follows_what_a_majority_is_in(rig: Rig) -> None:
    """The others were raised before this release kept them from it: one new node must come in."""
    ape = rig.start("ape")
    ape.transport.receive("bee", sealed(Ping(), term=HIGH))
    tell(ape, "bee", HIGH, HigherTerm())
    assert ape.engine.term == 0, "one node's word"
    ape.transport.receive("cat", sealed(Ping(), term=HIGH))
    tell(ape, "bee", HIGH, HigherTerm())
    assert ape.engine.term == HIGH


def test_a_cluster_that_was_raised_to_the_highest_term_elects_again(tmp_path: Path) -> None:
    """All that is to be done is to start this release."""
    rig = Rig(tmp_path)
    rig.start("ape", "bee", "cat")
    for name in ("ape", "bee"):
        rig.voters[name].engine.follow(HIGH)
        rig.voters[name].journal.flush()
        rig.crash(name)
    rig.start("ape", "bee")
    leader = rig.leader()
    assert leader.engine.term > HIGH
    assert rig.decide(leader, b"one")[0][0] == b"applied one"
    assert rig.voters["cat"].engine.term == leader.engine.term
    rig.close()


def test_in_steps_it_is_led_no_further_than_in_one(rig: Rig) -> None:
    ape = rig.start("ape")
    for _ in range(100):
        tell(ape, "cat", ape.engine.term + TERMS_AHEAD // 2, HigherTerm())
    assert ape.engine.term == TERMS_AHEAD
    rig.clock.now_s += 1.0
    tell(ape, "cat", ape.engine.term + TERMS_AHEAD, HigherTerm())
    assert ape.engine.term == 2 * TERMS_AHEAD, "so much again a second later"


def test_two_that_were_led_apart_find_each_other(rig: Rig) -> None:
    """One node has led another on for a minute, and is struck off: the two that are left have a
    majority, and neither may be out of reason to the other for good."""
    rig.start("ape", "bee")
    for _ in range(60):
        rig.clock.now_s += 1.0
        bee = rig.voters["bee"]
        tell(bee, "cat", bee.engine.term + TERMS_AHEAD, HigherTerm())
    assert bee.engine.term == 60 * TERMS_AHEAD
    assert rig.voters["ape"].engine.term == 0
    for _ in range(120):
        rig.clock.now_s += 0.8
        rig.pass_time(0.2)
        if any(voter.is_leader() for voter in rig.voters.values()):
            break
    leader = rig.leader()
    assert rig.decide(leader, b"one")[0][0] == b"applied one"


def test_only_others_make_a_majority() -> None:
    terms = Terms()
    terms.heard("cat", HIGH)
    terms.heard("zoe", HIGH)
    assert terms.of_majority({"ape", "bee", "cat"}) == 0
    assert terms.of_majority({"ape", "cat"}) == 0, "two nodes: one is no majority"
    terms.heard("bee", 7)
    assert terms.of_majority({"ape", "bee", "cat"}) == 7


@pytest.mark.parametrize("body", [
    append(1, (1 << 61, 1), []), append(1, (1, 0), [], commit=1 << 61),
    append(1, ((1 << 61) - 1, 1), [command(1, index=1 << 61, term=1)]),
    install(1, index=1 << 61), install(1, index=1 << 61, snapshot=b"any"),
    Ack(next_index=1 << 61, is_reset=True, is_success=False, sent_s=1.0),
    Ack(next_index=2, is_reset=True, is_success=False, sent_s=1.0, last_index=1 << 61),
    VoteRequest(term=1, last_index=1 << 61, last_term=1), Regressed(index=1 << 61),
    PreVoteRequest(round=1, term=1, last_index=1 << 61, last_term=1),
    Forwarded(number=1, index=1 << 61, term=1),
], ids=lambda body: type(body).__name__)
def test_an_index_that_no_log_reaches_is_dropped(rig: Rig, body: Body) -> None:
    ape = rig.start("ape")
    tell(ape, "cat", 1, body)
    assert ape.transport.drops["index-beyond-reason"] == 1
    assert (ape.engine.term, ape.engine.last_index) == (0, 1)


def test_a_node_that_was_away_for_a_month_is_caught_up() -> None:
    far = 50_000_000
    assert far < INDEXES_AHEAD
    assert beyond_reason(append(9, (far, 9), []), term=9, highest=9, last_index=1) is None
    assert beyond_reason(install(9, index=far, of=9), term=9, highest=9, last_index=1) is None


def test_what_was_introduced_as_of_far_away_is_not_kept(rig: Rig) -> None:
    ape = rig.start("ape")
    peers = [("dog", "tcp://10.0.0.9:5470", ["k"])]
    ape.transport.receive("cat", sealed(Introduction(members_index=1 << 61, peers=peers)))
    assert ape.transport.drops["index-beyond-reason"] == 1
    assert "dog" not in ape.transport._members
    ape.transport.receive("bee", sealed(Introduction(members_index=3, peers=peers)))
    assert "dog" in ape.transport._members


# Boots and numbers

@pytest.mark.parametrize("boot", [HIGH, HIGH - 1, REJOINED_BOOT + BOOTS_AHEAD + 1])
@pytest.mark.parametrize("body", [Ping(), HigherTerm(), Pulse(
    term=1, sent_s=1.0, quorum_age_s=0.0)], ids=lambda body: type(body).__name__)
def test_a_boot_beyond_reason_does_not_deafen_for_the_true_node(
    rig: Rig, body: Body, boot: int,
) -> None:
    ape = rig.start("ape")
    ape.transport.receive("cat", sealed(body, term=0, boot=boot))
    assert ape.transport.known_boot("cat") == 0
    ape.transport.receive("cat", sealed(Ping(), term=0, boot=3))
    assert "cat" in ape.transport.present()


def test_a_node_that_began_anew_is_heard(rig: Rig) -> None:
    """Its count of boots goes on from the clock (answers/rejoin.py), also in a hundred years."""
    ape = rig.start("ape")
    ape.transport.receive("cat", sealed(Ping(), term=0, boot=3))
    ape.transport.receive("cat", sealed(Ping(), term=0, boot=int(4.0e9) << 22))
    assert ape.transport.known_boot("cat") == int(4.0e9) << 22


def test_a_number_beyond_reason_does_not_silence_its_boot(rig: Rig) -> None:
    ape = rig.start("ape")
    ape.transport.receive("cat", sealed(Ping(), term=0, number=NUMBERS_AHEAD + 1))
    assert ape.transport.drops["number-beyond-reason"] == 1
    ape.transport.receive("cat", sealed(Ping(), term=0, number=1 << 31))
    assert "cat" in ape.transport.present(), "a year of messages that a cut has swallowed"


def test_a_node_that_is_not_heard_is_told_why(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody has spoken with its key, as a later life of it."""
    ape = rig.start("ape")
    ape.transport.receive("cat", sealed(Ping(), known_boot=ape.journal.boot + 5))
    assert "another-is-heard-as-us: from cat" in caplog.text


# What only a leader may say

def test_nobody_but_the_leader_it_follows_stops_a_node(rig: Rig) -> None:
    """That its journal is an earlier copy: it would step out."""
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [command(1, index=2, term=1)]))
    tell(ape, "cat", 1, Regressed(index=9))
    tell(ape, "cat", 5, Regressed(index=9))
    assert ape.transport.drops["regressed-by-no-leader"] == 2
    assert not ape.transport.is_stopped


def test_no_entry_is_of_a_later_term_than_its_leaders(rig: Rig) -> None:
    ape = rig.start("ape")
    tell(ape, "bee", 1, append(1, (1, 0), [command(1, index=2, term=900)]))
    assert ape.transport.drops["entry-of-a-later-term"] == 1
    assert ape.engine.last_index == 1


# Sizes

def test_a_message_of_too_many_entries_is_refused_unread() -> None:
    entries = b"\xdd" + (1 << 23).to_bytes(4, "big") + b"\x93\xc4\x00\x01\x01" * (1 << 23)
    raw = sealed(append(1, (1, 0), [])).replace(b"\x90", entries, 1)
    began_s = time.process_time()
    assert opened(raw) is None
    assert time.process_time() - began_s < 0.5
    assert opened(sealed(append(1, (1, 0), [(b"", 1, 1)] * MOST_ENTRIES))) is not None
    assert opened(sealed(append(1, (1, 0), [(b"", 1, 1)] * (MOST_ENTRIES + 1)))) is None


def test_a_leader_sends_no_more_entries_than_are_read(rig: Rig) -> None:
    ape = rig.start("ape")
    assert ape.transport._outgoing.most_sent < MOST_ENTRIES
    ape.transport._outgoing.most_sent = 10
    make_leader(rig, ape)
    rig.said("ape", "bee")
    for number in range(35):
        ape.engine.submit(b"%d" % number, lambda *_: None)
    ape.transport.pump()
    ape.transport.pump()
    sent = [body.entries for body in rig.said("ape", "bee") if isinstance(body, Append)]
    assert max(map(len, sent)) == 10
    indexes = [entry[1] for entries in sent for entry in entries]
    assert indexes == sorted(set(indexes)) and len(indexes) >= 35


def test_an_introduction_names_no_more_than_can_be_connected() -> None:
    peers = [(f"x{n}", f"tcp://10.0.0.1:{2000 + n}", ["k" * 40]) for n in range(1500)]
    assert opened(sealed(Introduction(members_index=1, peers=peers))) is None
    assert opened(sealed(Introduction(members_index=1, peers=peers[:MOST_PEERS]))) is not None
    long = [("x" * 300, "tcp://10.0.0.1:2000", ["k"])]
    assert opened(sealed(Introduction(members_index=1, peers=long))) is None


# Snapshots

def bomb(declared: int, real: int) -> bytes:
    """Zeroes, deflated: a state that says one size and has another."""
    deflater = zlib.compressobj(9)
    head = b"\x94\x93\xc4\x00\x01\x01\x93\xc4\x00\x00\x00\xc6" + declared.to_bytes(4, "big")
    pieces = [deflater.compress(head)]
    pieces += [deflater.compress(bytes(1 << 20)) for _ in range(real >> 20)]
    pieces += [deflater.compress(b"\xc0"), deflater.flush()]
    body = b"".join(pieces)
    return FORMAT + HEADER.pack(len(body), zlib.crc32(body)) + body


@pytest.mark.parametrize("declared, real", [
    ((1 << 30) - 60, 256 << 20), ((1 << 32) - 1, 64 << 20), (1 << 20, 256 << 20)])
def test_a_bomb_is_refused_by_what_it_declares(declared: int, real: int) -> None:
    raw = bomb(declared, real)
    began_s = time.process_time()
    with pytest.raises(SnapshotDamaged):
        decoded(raw, most=allowance(len(raw)))
    assert time.process_time() - began_s < 0.3


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(
        tmp_path / "snapshot", machine=Book(), disk=HostDisk(), clock=HostClock(), executor=None,
        members=MemberHistory())


def snapshot(index: int, term: int, state: bytes = b"one\ntwo") -> bytes:
    return encoded(Snapshot(
        last=(b"", index, term), previous=(b"", index - 1, term), state=state))


def test_a_bomb_never_reaches_the_disk(store: SnapshotStore, tmp_path: Path) -> None:
    store.receive(bomb(256 << 20, 256 << 20))
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_deflates_too_well_is_stored_plainly(store: SnapshotStore) -> None:
    state = bytes(MOST_SPARE_BYTES + (8 << 20))
    raw = snapshot(9, 1, state)
    assert len(raw) > len(state)
    store.receive(raw)
    kept = store.stored()
    assert kept is not None and kept.state == state


@pytest.mark.parametrize("last", [(1 << 61, 1), (5, HIGH), (6, 2), (4, 1)])
def test_a_snapshot_is_the_one_that_was_spoken_of(
    rig: Rig, last: tuple[int, int], caplog: pytest.LogCaptureFixture,
) -> None:
    """Its message may be within reason, and what it holds not."""
    ape = rig.start("ape")
    tell(ape, "cat", 1, install(1, index=5, of=1, snapshot=snapshot(*last)))
    ape.transport.pump()
    assert (ape.engine.term, ape.engine.last_index) == (1, 1)
    assert "snapshot-refused" in caplog.text
    tell(ape, "cat", 1, install(1, index=5, of=1, snapshot=snapshot(8, 1)))
    ape.transport.pump()
    assert ape.engine.last_index == 8, "one that is newer by what was agreed upon meanwhile"


@pytest.mark.parametrize("previous", [(3, 1), (5, 1), (6, 1), (0, 0), (4, 2)])
def test_a_snapshot_that_no_journal_begins_with_is_refused(
    rig: Rig, previous: tuple[int, int],
) -> None:
    """It would be written, and the journal that begins with its entries never read again."""
    ape = rig.start("ape")
    raw = encoded(Snapshot(last=(b"", 5, 1), previous=(b"", *previous), state=b"one"))
    tell(ape, "cat", 1, install(1, index=5, of=1, snapshot=raw))
    ape.transport.pump()
    assert ape.engine.last_index == 1
    rig.crash("ape")
    assert rig.start("ape").engine.last_index == 1


def test_who_forwards_is_named_in_what_it_forwards(rig: Rig) -> None:
    ape = rig.start("ape")
    make_leader(rig, ape)
    ape.transport.vouched = lambda peer, raw: raw + b" via " + peer.encode()
    tell(ape, "cat", ape.engine.term, Forward(command=b"\0order", number=1))
    ape.transport.pump()
    assert ape.engine.log[-1][0] == b"\0order via cat"
    assert Member("cat") in ape.engine.match_index
