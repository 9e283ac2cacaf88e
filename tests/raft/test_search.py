"""A few seeds of the search with every change; many more are run by hand (see search.py)."""

import logging

import pytest

from tests.raft.search import Broken, Crash, Network, search
from tests.raft.slow_flusher import HastyFlusher

SEEDS_WITHOUT_WAITING = 20
"""Killed, about every fifteenth of them is broken; without power, every fourth."""


@pytest.mark.parametrize("crash", ["kill", "power", "either"])
@pytest.mark.parametrize("network", ["orderly", "wild"])
@pytest.mark.parametrize("nodes", [3, 5])
def test_agreement_holds_through_trouble(
    network: Network, crash: Crash, nodes: int, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    runs = [search(seed, network, crash, nodes=nodes) for seed in range(4)]
    assert sum(run.acknowledged() for run in runs) > 100
    assert sum(run.crashes for run in runs) > 10


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (search(7, "wild", "power") for _ in range(2))
    assert (first.crashes, first.acknowledged(), first.clock.now_s) == (
        second.crashes, second.acknowledged(), second.clock.now_s)


def is_found_out(seed: int, crash: Crash) -> bool:
    try:
        search(seed, "orderly", crash, flusher=HastyFlusher)
    except Broken:
        return True
    return False


@pytest.mark.parametrize("crash", ["kill", "power"])
def test_a_voter_that_does_not_wait_for_its_disk_is_found_out(
    crash: Crash, caplog: pytest.LogCaptureFixture,
) -> None:
    """The search would notice a promise that left before it was on disk."""
    caplog.set_level(logging.CRITICAL + 1)
    assert any(is_found_out(seed, crash) for seed in range(SEEDS_WITHOUT_WAITING))
