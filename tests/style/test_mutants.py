"""The lists of lines broken on purpose fit the tree, so that `make mutants` can try them."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant, collected, misfits
from tests.mutants.run import DIED, LIVES, Trial, left_over, table

LINE = "def one_line(text: str) -> str:"


def test_every_mutant_can_be_tried() -> None:
    wrong = [why for mutant in collected() for why in misfits(mutant)]
    assert not wrong, "\n".join(wrong)


def test_no_line_is_broken_twice_in_the_same_way() -> None:
    times = Counter((each.file, each.line, each.broken) for each in collected())
    assert not [each for each, count in times.items() if count > 1]


@pytest.mark.parametrize(("change", "why"), [
    ({"file": "tests/mutants/nowhere.py"}, "no such file"),
    ({"line": "def"}, "times"),
    ({"line": "this stands nowhere"}, "0 times"),
    ({"broken": "def one_line(text: str -> str:"}, "does not compile"),
    ({"broken": "def  one_line(text: str) -> str:"}, "nothing is broken"),
    ({"tests": ()}, "no test"),
    ({"tests": ("tests/style/test_nowhere.py",)}, "there is no test"),
    ({"tests": ("tests/style/test_mutants.py::test_nothing",)}, "there is no test"),
])
def test_what_could_not_be_tried_is_said(change: dict[str, object], why: str) -> None:
    good: dict[str, object] = {
        "file": "tests/mutants/mutant.py", "line": LINE, "broken": "def one_line(text, more):",
        "tests": (f"{Path(__file__).relative_to(Path(__file__).parents[2])}",)}
    assert not list(misfits(Mutant(**good)))  # type: ignore[arg-type]
    assert why in "\n".join(misfits(Mutant(**{**good, **change})))  # type: ignore[arg-type]


def test_what_lives_is_told_and_counted_by_subject() -> None:
    line = Mutant(file="f.py", line="a", broken="b", tests=("t.py",), subject="rules")
    trials = [Trial(line, DIED, "t.py::test_a", 2.5), Trial(line, LIVES, "", 1.0)]
    assert left_over(trials) == "LIVES: rules: f.py: a -> b\n    tried: t.py\n"
    assert table(trials) == "rules     2 lines     1 died  longest   2.5 s\n"
    assert left_over([]) == table([]) == ""
