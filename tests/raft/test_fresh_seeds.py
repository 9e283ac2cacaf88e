"""Every run looks at some seeds nobody has looked at before, and at all that ever found something.

A red one is a find: it is mended and kept in tests/raft/fresh.py.
"""

import logging
import time

import pytest

from tests.raft.fresh import FOUND, SEARCHES, fresh
from tests.raft.search import search
from tests.raft.slow_flusher import HastyFlusher

SECONDS = {
    "search": 15.0, "search_members": 15.0, "search_pieces": 15.0, "search_rejoin": 15.0}


@pytest.mark.parametrize("name", SECONDS)
def test_agreement_holds_with_fresh_seeds(
    name: str, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    found = list(fresh(name, first=time.time_ns() // 1_000_000, seconds=SECONDS[name]))
    assert not found, "\n".join(found)


def test_what_was_found_once_is_found_no_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    for name, network, crash, seed in FOUND:
        SEARCHES[name](seed, network, crash)


def test_what_is_broken_is_told_with_its_command(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    """A voter that does not wait for its disk: one in fifteen seeds shows it."""
    caplog.set_level(logging.CRITICAL + 1)
    monkeypatch.setitem(SEARCHES, "search", lambda seed, network, crash: search(
        seed, "orderly", "power", flusher=HastyFlusher))
    told = next(fresh("search", first=0, seconds=60.0))
    assert "seed " in told and "python -m tests.raft.search " in told
