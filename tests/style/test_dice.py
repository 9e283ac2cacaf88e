"""Every run of the suite looks where none has looked before."""

import re

from tests.style.sources import ROOT, sources


def test_examples_are_drawn_anew_in_every_run() -> None:
    fixed = re.compile(r"derandomize=True|@seed\(|hypothesis-seed")
    # This file names what it looks for.
    wrong = [str(each.path) for each in sources("tests")
             if each.path.name != "test_dice.py" and fixed.search(each.text)]
    assert not wrong
    profile = (ROOT / "tests/core/conftest.py").read_text()
    assert "derandomize=False" in profile and "print_blob=True" in profile
    assert "hypothesis" not in (ROOT / "setup.cfg").read_text().partition("[tool:pytest]")[2]


def test_every_search_is_made_with_fresh_seeds() -> None:
    """Searches are what `search` and its like in the rooms of seeds are; each has its run."""
    told = {each.path.name: each.text for each in sources("tests/raft", "tests/simulation")}
    assert "test_fresh_seeds" in told["test_simulation.py"]
    for name in ("search", "search_members", "search_rejoin"):
        assert f"\"{name}\":" in told["test_fresh_seeds.py"]
