"""A few seeds of the search through changing memberships; many more are run by hand."""

import logging

import pytest

from tests.raft.search import Broken, Crash, Network
from tests.raft.search_members import search_members

SEEDS_WITHOUT_RULES = 400
FOUND = (1796066883551,)
"""With a wild network and losses of power: runs that have found something."""
"""One in a few dozen is enough of them to be seen: a second partition must come at the moment."""
UNSETTLED = ("has the members", "not converged")
"""Without rules a cluster may also just end elsewhere, which is no split."""


@pytest.mark.parametrize("crash", ["kill", "power"])
@pytest.mark.parametrize("network", ["orderly", "wild"])
def test_agreement_holds_while_members_change(
    network: Network, crash: Crash, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    runs = [search_members(seed, network, crash) for seed in range(8)]
    assert sum(run.changes for run in runs) > 20
    assert sum(run.crashes for run in runs) > 30


def is_split(seed: int) -> bool:
    try:
        search_members(seed, "orderly", "kill", rules=False)
    except Broken as broken:
        return not any(each in str(broken) for each in UNSETTLED)
    return False


def test_changes_without_rules_are_found_out(caplog: pytest.LogCaptureFixture) -> None:
    """Hole 16: the search would notice if the rules were gone."""
    caplog.set_level(logging.CRITICAL + 1)
    assert any(is_split(seed) for seed in range(SEEDS_WITHOUT_RULES))


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_holds(seed: int) -> None:
    assert search_members(seed, "wild", "power").changes
