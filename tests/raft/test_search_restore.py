"""A few seeds of the search with folders put back; more are run by hand (search_restore.py)."""

import logging
from contextlib import suppress

import pytest

from tests.raft.search import Broken, Crash, Network
from tests.raft.search_restore import search_restore

SEEDS_WITHOUT_PROTECTION = range(8)
"""About every second of them is broken."""


@pytest.mark.parametrize("crash", ["kill", "power"])
@pytest.mark.parametrize("network", ["orderly", "wild"])
def test_agreement_holds_while_folders_are_put_back(
    network: Network, crash: Crash, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    runs = [
        search_restore(seed, network, crash, nodes=nodes) for seed in range(3) for nodes in (3, 5)]
    assert sum(run.refused for run in runs) > 3
    assert sum(run.acknowledged() for run in runs) > 100


def test_a_node_that_takes_an_earlier_folder_for_the_newest_is_found_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    sound = 0
    for seed in SEEDS_WITHOUT_PROTECTION:
        with suppress(Broken):
            search_restore(seed, "wild", "kill", protected=False)
            sound += 1
    assert sound < len(SEEDS_WITHOUT_PROTECTION)
