"""A takeover begins in time after a power cut, whoever the dice have elect whom (takeovers.py)."""

import pytest

from packages.core.model import FenceSpec
from tests.simulation.takeovers import DISK_FENCE, NO_FENCE, Takeover, taken_over

SEEDS = {"another": range(1, 4), "coordinator": range(1, 15)}
"""Five of these elections were split before candidates gave way to each other."""

LEASE_ALONE_S = 4.3
"""The lease, the margin, and what the coordinator needs to look and to have it agreed."""
FENCED_S = 1.1


@pytest.mark.parametrize("cut", SEEDS)
def test_with_the_lease_alone(cut: str) -> None:
    assert not too_late(cut, NO_FENCE, LEASE_ALONE_S)


@pytest.mark.parametrize("cut", SEEDS)
def test_with_a_storage_fence(cut: str) -> None:
    assert not too_late(cut, DISK_FENCE, FENCED_S)


def too_late(cut: str, fence: FenceSpec, limit_s: float) -> dict[int, Takeover]:
    found = {seed: taken_over(seed, coordinator=cut == "coordinator", fence=fence)
             for seed in SEEDS[cut]}
    return {seed: each for seed, each in found.items() if each.begun_s > limit_s}
