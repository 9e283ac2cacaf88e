"""What every room of the tests shares: golden texts, and the one flag that writes them anew."""

from collections.abc import Callable
from pathlib import Path

import pytest


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
