"""What a failing live test has to say: the daemons' and guardians' last words, and the history.

A lab is gone by the time somebody reads of a failure, so this is written down while it stands:
`standing` adds it to whatever fails inside of it, and the hook of pytest below to the report of a
test that fails while its lab stands in a fixture around it.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LINES = 40
ASKED_S = 15.0
"""For the history, of one node: a daemon that a test has stopped never answers."""
ASKED_NODES = 2

_standing: list[Callable[[], str]] = []


class Place(NamedTuple):
    """One node, as far as a failure is concerned."""

    name: str
    etc: Path
    run: Path
    logs: tuple[Path, ...]


def evidence(places: Iterable[Place]) -> str:
    there = list(places)
    return "\n".join([
        *(last_words(place.name, log) for place in there for log in place.logs),
        history(there),
    ])


def last_words(of: str, log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-LINES:]
    except OSError as error:
        lines = [f"unreadable: {error.strerror}"]
    return "\n".join([f"--- {of}, {log.name}", *lines])


def history(places: Iterable[Place]) -> str:
    """As the first node tells it that answers."""
    why = "nobody is asked"
    for place in list(places)[:ASKED_NODES]:
        try:
            said = subprocess.run(
                [sys.executable, "-c", "from cli.main import main; main()", "events"],
                env={**os.environ, "PYTHONPATH": str(ROOT), "VMSG_ETC": str(place.etc),
                     "VMSG_RUN": str(place.run)},
                capture_output=True, text=True, timeout=ASKED_S)
        except subprocess.TimeoutExpired:
            why = f"{place.name} does not answer within {ASKED_S:.0f} s"
            continue
        if said.returncode == 0:
            return "\n".join([f"--- the history, as {place.name} has it",
                              *said.stdout.splitlines()[-LINES:]])
        why = said.stderr.strip()
    return f"--- no history: {why}"


@contextmanager
def standing(tell: Callable[[], str]) -> Iterator[None]:
    """While it lasts, a failure says what `tell` does."""
    _standing.append(tell)
    try:
        yield
    except (Exception, pytest.fail.Exception) as failure:
        failure.add_note(tell())
        raise
    finally:
        _standing.remove(tell)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        told = [tell() for tell in _standing]
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if folder is not None:  # of what runs there without a cluster
            told += [last_words(log.parent.name, log) for log in sorted(folder.rglob("*.log"))]
        report.sections += [("evidence", each) for each in told]  # type: ignore[attr-defined]
    return report
