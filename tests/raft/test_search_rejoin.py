"""A few seeds of the search with lost disks; many more are run by hand (see search_rejoin.py)."""

import logging
from contextlib import suppress

import pytest

from tests.raft.search import Broken, Crash, Network
from tests.raft.search_rejoin import search_rejoin

SEEDS_WITHOUT_PROTECTION = range(5, 20)
"""About every third of them is broken."""


@pytest.mark.parametrize("crash", ["kill", "power"])
@pytest.mark.parametrize("network", ["orderly", "wild"])
def test_agreement_holds_while_disks_are_lost(
    network: Network, crash: Crash, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    runs = [
        search_rejoin(seed, network, crash, nodes=nodes) for seed in range(3) for nodes in (3, 5)]
    assert sum(run.losses for run in runs) > 5
    assert sum(run.acknowledged() for run in runs) > 100


def test_a_node_that_votes_at_once_after_it_lost_its_disk_is_found_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    sound = 0
    for seed in SEEDS_WITHOUT_PROTECTION:
        with suppress(Broken):
            search_rejoin(seed, "wild", "power", protected=False)
            sound += 1
    assert sound < len(SEEDS_WITHOUT_PROTECTION)
