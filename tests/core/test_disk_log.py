"""The checker of the guest's log can fail: fabricated logs, one fault each."""

import pytest

from cluster.lab.disk_log import SECTOR_BYTES, Log, Record, check, decode, decode_log, encode
from packages.core.values import changed

A, B = "00000000000000aa", "00000000000000bb"
SLOTS = 100


def life(boot_id: str, count: int, *, position: int = 0, boots: int = 1) -> list[Record]:
    """An honest life: each record names the one before it."""
    salt = int(boot_id, 16) * 1000
    return [
        Record(
            position=position + index, boot_id=boot_id, counter=index + 1, previous_counter=index,
            ticks=4 * index, boots=boots, nonce=salt + index + 1,
            previous_nonce=salt + index if index else 0,
        )
        for index in range(count)
    ]


def log(*records: Record) -> Log:
    return Log(records=tuple(
        changed(record, position=position) for position, record in enumerate(records)
    ), slots=SLOTS)


def kinds(checked: Log, **acknowledged: int) -> set[str]:
    return {finding.kind for finding in check(checked, acknowledged=acknowledged).findings}


def test_an_honest_log_of_two_lives_is_clean() -> None:
    report = check(log(*life(A, 10), *life(B, 5, boots=2)))
    assert report.is_clean
    assert [(each.boot_id, each.records) for each in report.lives] == [(A, 10), (B, 5)]


def test_an_empty_log_is_clean() -> None:
    assert check(log()).is_clean


def test_a_missing_record_is_lost() -> None:
    records = life(A, 10)
    assert kinds(log(*records[:4], *records[5:])) == {"lost"}


def test_the_first_record_may_not_be_missing() -> None:
    assert kinds(log(*life(A, 10)[1:])) == {"lost"}


def test_what_the_guest_was_heard_to_name_may_not_be_missing_at_the_end() -> None:
    assert check(log(*life(A, 10)), acknowledged={A: 10}).is_clean
    assert {each.kind for each in check(log(*life(A, 10)), acknowledged={A: 11}).findings} == {
        "lost"}
    assert {each.kind for each in check(log(), acknowledged={A: 1}).findings} == {"lost"}


def test_a_record_that_comes_again_is_repeated() -> None:
    records = life(A, 10)
    assert "repeated" in kinds(log(*records, records[-1]))


def test_records_in_the_wrong_order_are_found() -> None:
    records = life(A, 10)
    records[4], records[5] = records[5], records[4]
    assert "out-of-order" in kinds(log(*records))


def test_a_clock_that_goes_back_is_found() -> None:
    records = life(A, 10)
    records[5] = changed(records[5], ticks=1)
    assert kinds(log(*records)) == {"out-of-order"}


def test_two_lives_that_interleave_overlap() -> None:
    first, second = life(A, 10), life(B, 10, boots=2)
    mixed = [record for pair in zip(first, second, strict=True) for record in pair]
    assert kinds(log(*mixed)) == {"overlap"}


def test_an_old_life_that_writes_one_record_more_overlaps() -> None:
    first = life(A, 10)
    assert kinds(log(*first[:9], *life(B, 3, boots=2), first[9])) == {"overlap"}


def test_two_copies_of_one_life_that_append_behind_each_other_are_found() -> None:
    """A target and its source that both run: the same boot id, the same numbers."""
    shared = life(A, 5)
    one = [changed(r, nonce=r.nonce + 7, previous_nonce=r.previous_nonce + 7 * (r.counter > 6))
           for r in life(A, 10)[5:]]
    other = life(A, 10)[5:]
    mixed = [record for pair in zip(one, other, strict=True) for record in pair]
    assert {"overlap", "repeated"} <= kinds(log(*shared, *mixed))


def test_two_copies_that_overwrite_each_other_break_the_chain() -> None:
    """Both wrote the same places; what is left counts 1 to 10 as if nothing had happened."""
    records = life(A, 10)
    records[6] = changed(records[6], nonce=4711, previous_nonce=4242)
    assert kinds(log(*records)) == {"overlap"}


@pytest.mark.parametrize("byte", [0, 9, 40, 52])
def test_a_damaged_sector_is_damaged_and_never_skipped(byte: int) -> None:
    sectors = [bytearray(encode(record)) for record in life(A, 5)]
    sectors[2][byte] ^= 1
    read = decode_log(b"".join(sectors) + bytes(SECTOR_BYTES * 20))
    assert read.damaged == 1
    assert kinds(read) == {"damaged", "lost"}


def test_what_is_encoded_is_decoded() -> None:
    record = life(B, 3, position=7)[2]
    assert decode(encode(record)) == record
    assert len(encode(record)) == SECTOR_BYTES
    assert decode(bytes(SECTOR_BYTES)) is None
    assert decode(b"VMSG") is None


def test_only_the_oldest_life_of_a_log_that_went_round_may_lack_its_beginning() -> None:
    cut = life(A, 30)[20:]
    whole = [changed(record, position=SLOTS + index) for index, record in enumerate(
        [*cut, *life(B, 5, boots=2)])]
    assert check(Log(records=tuple(whole), slots=SLOTS)).is_clean
    missing = [record for record in whole if not (record.boot_id == B and record.counter == 1)]
    assert kinds(Log(records=tuple(missing), slots=SLOTS)) == {"lost"}
