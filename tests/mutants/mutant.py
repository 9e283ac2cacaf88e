"""A line of the product broken on purpose, and the tests that have to notice.

Each file of tests/mutants/list is one subject and has a list MUTANTS. The lists are read by
`make mutants`, which breaks one line at a time in a copy of the tree and runs the tests that are
named beside it, and by tests/style/test_mutants.py, which checks in every run of the suite that the
lists still fit the tree.
"""

import ast
import dataclasses
import functools
import importlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).parent / "list"


@dataclasses.dataclass(frozen=True)
class Mutant:
    file: str
    """From the top of the tree."""
    line: str
    """Text that stands there exactly once; several lines where one alone would not be unique."""
    broken: str
    """What stands in its place: it compiles, and the module can be imported."""
    tests: tuple[str, ...]
    """Fast ones, as pytest names them, without parameters: path, or path::function."""
    subject: str = ""
    """The list it comes from; filled in when the lists are read."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.file}: {one_line(self.line)} -> {one_line(self.broken)}"


def one_line(text: str) -> str:
    return " ".join(text.split())


def collected(lists: Path = LISTS) -> list[Mutant]:
    """All mutants of all subjects, by the names of their files."""
    return [
        dataclasses.replace(each, subject=path.stem)
        for path in sorted(lists.glob("*.py"))
        for each in importlib.import_module(f"tests.mutants.list.{path.stem}").MUTANTS
    ]


def broken_text(mutant: Mutant, root: Path = ROOT) -> str:
    """The whole file with its one line broken."""
    return (root / mutant.file).read_text().replace(mutant.line, mutant.broken)


def misfits(mutant: Mutant, root: Path = ROOT) -> Iterator[str]:
    """Why it proves nothing as it is written; nothing where it can be tried."""
    path = root / mutant.file
    if not path.is_file():
        yield f"{mutant}: there is no such file"
        return
    times = path.read_text().count(mutant.line)
    if times != 1:
        yield f"{mutant}: its line stands there {times} times"
    elif not compiles(broken_text(mutant, root)):
        yield f"{mutant}: does not compile, so that anything would notice"
    if one_line(mutant.line) == one_line(mutant.broken):
        yield f"{mutant}: nothing is broken"
    if not mutant.tests:
        yield f"{mutant}: no test is named"
    for test in mutant.tests:
        if not exists(test, root):
            yield f"{mutant}: there is no test {test}"


def compiles(text: str) -> bool:
    try:
        compile(text, "broken", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def exists(test: str, root: Path = ROOT) -> bool:
    path, _, name = test.partition("::")
    if not (root / path).exists():
        return False
    return not name or name.partition("[")[0] in _functions(root / path)


@functools.cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(
        each.name for each in tree.body
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)))
