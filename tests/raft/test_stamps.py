"""Which messages are old: of an earlier life of either end, overtaken, or said twice."""

from cluster.raft.wire import Envelope, Ping, Stamps, opened

PING = Ping(members_index=0, has_leader=True)


def sealed(stamps: Stamps, peer: str) -> Envelope:
    envelope = opened(stamps.sealed(peer, 1, PING))
    assert envelope is not None
    return envelope


def test_an_earlier_life_of_the_sender_is_not_heard_however_late_its_number() -> None:
    ours, before, now = Stamps(1), Stamps(4), Stamps(5)
    old = [sealed(before, "ape") for _ in range(9)]
    assert ours.refusal("bee", old[0]) is None
    assert ours.refusal("bee", sealed(now, "ape")) is None
    assert ours.refusal("bee", old[-1]) == "earlier-boot"
    assert ours.refusal("bee", sealed(now, "ape")) is None


def test_what_was_meant_for_an_earlier_life_of_the_receiver_is_not_heard() -> None:
    before, now, theirs = Stamps(1), Stamps(2), Stamps(7)
    assert theirs.refusal("ape", sealed(before, "bee")) is None
    late = sealed(theirs, "ape")
    assert before.refusal("bee", late) is None
    assert now.refusal("bee", late) == "for-another-boot"


def test_what_was_overtaken_or_said_twice_is_not_heard() -> None:
    ours, theirs = Stamps(1), Stamps(1)
    first, second = sealed(theirs, "ape"), sealed(theirs, "ape")
    assert ours.refusal("bee", second) is None
    assert ours.refusal("bee", second) == ours.refusal("bee", first) == "overtaken"
