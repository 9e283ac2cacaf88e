"""The table of pains is whole and true to its tests."""

import ast
import re
from collections import Counter
from pathlib import Path

from tests.scenarios.pains.table import PAINS, SHOWS_SEVERAL

ROOT = Path(__file__).parents[3]
THE_LIST = ROOT.parent / "shared" / "PAINS.md"
"""Where the list itself lies beside this tree, the numbers are held against it."""
HERE = Path(__file__).parent


def named() -> list[str]:
    return [test for pain in PAINS.values() for test in pain.shown_by]


def told_in(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def test_all_items_are_there_and_no_other() -> None:
    assert list(PAINS) == list(range(1, 28))
    if THE_LIST.exists():
        listed = re.findall(r"^\| P(\d+) \|", THE_LIST.read_text(), flags=re.MULTILINE)
        assert [int(each) for each in listed] == list(PAINS)


def test_each_item_is_shown_by_tests_that_are_there() -> None:
    known: dict[str, set[str]] = {}
    for test in named():
        path, _, name = test.partition("::")
        if path not in known:
            known[path] = told_in(ROOT / path)
        assert name in known[path], test
    assert all(pain.shown_by for pain in PAINS.values())


def test_a_test_stands_under_one_item_or_says_why_not() -> None:
    several = {test for test, times in Counter(named()).items() if times > 1}
    assert several == set(SHOWS_SEVERAL)


def test_each_story_stands_under_the_item_it_is_named_after() -> None:
    """So that none is told for nothing."""
    for path in sorted(HERE.glob("test_pains_of_*.py")):
        for name in told_in(path):
            found = re.match(r"test_p(\d\d)_", name)
            assert found is not None, name
            own = f"tests/scenarios/pains/{path.name}::{name}"
            assert own in PAINS[int(found[1])].shown_by, name
