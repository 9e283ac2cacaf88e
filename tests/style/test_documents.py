"""The documentation says what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _drawn() -> object:
    spec = importlib.util.spec_from_file_location("drawn", ROOT / "tests/style/drawn.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", [
    "docs/moves.md", "docs/packages.md", "docs/pains.md", "docs/problems.md", "docs/safety.md",
    "docs/security.md"])
def test_drawn_parts_are_up_to_date(path: str) -> None:
    again = _drawn().redrawn(path)  # type: ignore[attr-defined]
    assert (ROOT / path).read_text() == again, "run: python tests/style/drawn.py"


def test_every_link_between_documents_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
