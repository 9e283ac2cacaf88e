"""What is said first of a cluster without a majority: who is heard, who is missing, since when."""

import pytest

from cluster.core.outlook import Hearing, forming, without_quorum
from packages.core.problem_catalogue import CATALOGUE

SINCE = "2026-01-01T00:00:00.000Z"


def hearing(*heard: str, names: str = "abc", voters: str = "abc") -> Hearing:
    return Hearing(
        node="a", members=tuple(names), voters=tuple(voters), heard=heard, since=SINCE)


def test_who_is_cut_off_says_who_is_missing_and_how_many_are_needed() -> None:
    found = without_quorum(hearing("a"))
    assert found.code == "no-quorum" and found.code in CATALOGUE
    assert "a reaches no majority" in found.what
    assert found.because == (
        f"Heard: a. Not heard: b, c. Since {SINCE}. 2 of 3 who vote are needed, 1 are heard.")
    assert "vmsgd on b, c" in found.fix


@pytest.mark.parametrize("case", [
    (hearing("a", "b"), True),
    (hearing("a", "b", names="abcd", voters="abcd"), False),
    (hearing("a", "c", names="abcd", voters="abd"), False),
    (hearing("a", names="a", voters="a"), True),
], ids=["two of three", "two of four", "one of three and a follower", "alone"])
def test_a_majority_that_is_heard_has_only_to_elect(case: tuple[Hearing, bool]) -> None:
    """Nobody is told to start what runs."""
    asked, elects = case
    found = without_quorum(asked)
    assert ("no leader is elected" in found.what) == elects
    assert ("Start vmsgd" in found.fix) == (not elects)


def test_a_cluster_that_is_being_formed_says_who_is_still_to_come() -> None:
    found = forming(hearing("a", "b"))
    assert found.code in CATALOGUE and found.severity == "warn"
    assert found.fix == "Start vmsgd on c."
    assert forming(hearing("a", "b", "c")).fix == "Wait a few seconds."
