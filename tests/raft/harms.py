"""What the stock engine's holes do: each scenario returns whether the harm is done to this side.

The same steps for a bare engine and for ours; which hole is which stands in test_hole_table.py.
"""

import pickle
from contextlib import suppress

from cluster.raft.wire import Ack, Forwarded, Install, Vote, VoteRequest
from tests.raft import unprotected
from tests.raft.bare import TIMINGS, BareSide
from tests.raft.our_side import OurSide
from tests.raft.rig import append, command

Side = BareSide | OurSide
PIPE_BYTES = 1 << 16
"""What a pipe of Linux holds."""


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


def sends_again_what_is_under_way(side: Side) -> bool:
    lead(side)
    side.connect("bee")
    for _ in range(3):
        side.submit(b"mine", lambda *_: None)
        side.clock.now_s += TIMINGS.raft_append_s
        side.turn()
    before = side.next_for("bee")
    side.hear("bee", side.term, Ack(next_index=3, is_reset=False, is_success=True, sent_s=None))
    return side.next_for("bee") < before


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


def is_ready_without_what_was_agreed(side: Side) -> bool:
    follow(side, 3, commit=0)  # the leader counted them agreed, and died before it said so
    lead(side)
    side.turn()
    for peer in ("bee", "cat"):
        side.hear(peer, side.term, Ack(
            next_index=4, is_reset=False, is_success=False, sent_s=side.clock.boottime_s()))
    side.turn()
    return side.is_ready and side.commands == []


def leaves_a_snapshot_message_unanswered(side: Side) -> bool:
    side.hear("bee", 1, install(term=1, commit=1, last=(1, 0), raw=None))
    side.turn()
    return not side.acks("bee")


def sends_a_large_entry_in_wrong_pieces(side: Side) -> bool:
    large = bytes(2 * unprotected.SMALL_BATCH_BYTES - 30)  # two pieces, and three once pickled
    lead(side)
    side.connect("bee")
    side.submit(large, lambda *_: None)
    try:
        for _ in range(2):
            side.clock.now_s += TIMINGS.raft_append_s
            side.turn()
        return not any(large in each for each, _, _ in side.peers_log("bee"))
    except (EOFError, KeyError, pickle.UnpicklingError):
        return True


def raises_though_it_took_it(side: Side) -> bool:
    try:
        for _ in range(PIPE_BYTES + 1):
            side.submit(b"mine", lambda *_: None)
    except BlockingIOError:
        return True
    return False


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
