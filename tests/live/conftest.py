"""Every failure in this room comes with what the daemons said last, and with the history; and what
is guarded in it ends with its test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.evidence import pytest_runtest_makereport
from tests.live.guarded import Guard, Ticker

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    guard = Guard(tmp_path)
    yield guard
    guard.end()


@pytest.fixture
def tickers(tmp_path: Path) -> Iterator[Callable[[str], Ticker]]:
    made: list[Ticker] = []

    def make(name: str) -> Ticker:
        made.append(Ticker(tmp_path, name))
        return made[-1]

    yield make
    for ticker in made:
        ticker.end()
