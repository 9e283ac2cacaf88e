"""What every room of the tests shares: golden texts, and what a test may expect of its process."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

CALCULATING = frozenset({"style", "core", "scenarios", "simulation"})
"""Rooms whose tests only calculate. They give way to the live ones beside them, which wait for real
processes on the same processors."""

GIVES_WAY = 10

RIG = "tests/acceptance/"


def pytest_configure() -> None:
    """A shell that starts something in the background lets it ignore Ctrl-C, and so do all its
    children: nothing could be interrupted then, also not by a test that does so."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # not every run loads the plugin
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Tests are handed out singly, and those of hosts with a systemd to one worker, in their order:
    each file of them tells one story. The plugin's own groups are marks that pytest 9.2 does not
    show it."""
    from xdist.scheduler import LoadScopeScheduling

    class Singly(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return RIG if nodeid.startswith(RIG) else nodeid

    return Singly(config, log)


def room_of(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.geteuid() != 0:
        return  # who gave way could not come back
    os.setpriority(os.PRIO_PROCESS, 0, GIVES_WAY if room_of(item) in CALCULATING else 0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true",
        help="write the golden files anew; the diff is then reviewed as behaviour",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with <folder of the test>/golden/<name>."""
    folder = Path(request.path).parent / "golden"

    def judge(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--regenerate"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing: run once with --regenerate"
        assert text == path.read_text()

    return judge
