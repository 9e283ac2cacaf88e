"""The judge can find fault: each checker is shown a build that is broken on purpose.

How many seeds it takes on average stands in docs/benchmarks.md.
"""

import pytest

from tests.simulation.broken_builds import BROKEN
from tests.simulation.search import seeds_until_caught

MOST_SEEDS = 200
"""Several times what the worst of them takes on average: a believed softdog is caught by one seed
in fifty, for its host has to hang while a guest of it runs and others count on its reset."""

CHECKERS = {
    "leader", "agreement", "invariants", "death", "lease", "two", "memory", "suspension", "moves",
    "strays", "should-run", "progress", "refused", "exception", "doors", "removed", "proof",
    "shot", "reset", "need", "freeze",
}


def test_every_checker_has_a_build_made_for_it() -> None:
    assert {each.caught_by[0] for each in BROKEN.values()} == CHECKERS


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_build_is_caught(name: str) -> None:
    build = BROKEN[name]
    assert seeds_until_caught(build, first=1, most=MOST_SEEDS) is not None
