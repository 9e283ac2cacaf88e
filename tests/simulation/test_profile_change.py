"""No lease is counted by another number than it was granted by (profile_change.py)."""

import pytest

from tests.simulation.broken_proofs import OwnNumbers
from tests.simulation.judge import Broken
from tests.simulation.profile_change import changed_and_cut


@pytest.mark.parametrize("wait_s", [0.0, 3.0])
def test_to_a_shorter_lease(wait_s: float) -> None:
    for seed in (1, 2):
        changed_and_cut(seed, "wan", "lan", wait_s=wait_s)


def test_to_a_longer_lease() -> None:
    for seed in (1, 2):
        changed_and_cut(seed, "lan", "wan")


def test_a_coordinator_with_the_number_of_its_own_file_is_caught() -> None:
    with pytest.raises(Broken) as caught:
        for seed in range(1, 9):
            changed_and_cut(seed, "wan", "lan", build=OwnNumbers())
    assert caught.value.checker in OwnNumbers.caught_by
