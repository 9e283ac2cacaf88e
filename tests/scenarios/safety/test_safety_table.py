"""The table of safety is whole and true to its tests."""

import ast
from pathlib import Path

import pytest

from cluster.core.model import ProofKind
from packages.core.problem_catalogue import CATALOGUE
from tests.scenarios.safety.cell import FAULTS, Cell, Nothing, Part
from tests.scenarios.safety.table import PARTS

ROOT = Path(__file__).parents[3]
PROOFS: dict[ProofKind, str] = {
    "lease": "Lease", "storage": "Disk fence", "power": "Power fence", "watchdog": "Watchdog",
    "operator": "Operator's word",
}
ARE_PROCESSES = ("Lease", "Guardian", "The daemon's freeze")
FEWEST_WORDS, MOST_WORDS = 2, 4


def cells() -> list[tuple[str, str, Cell]]:
    return [(part.name, fault, cell) for part in PARTS for fault, cell in part.cells.items()
            if isinstance(cell, Cell)]


@pytest.mark.parametrize("part", PARTS, ids=[each.name for each in PARTS])
def test_each_fault_of_each_part_is_answered(part: Part) -> None:
    assert sorted(part.cells) == sorted(FAULTS)
    for cell in part.cells.values():
        if isinstance(cell, Nothing):
            assert FEWEST_WORDS <= len(cell.why.split()) <= MOST_WORDS, cell
        else:
            assert all([cell.follows, cell.seen, cell.within, cell.ends, cell.shown_by]), cell


def test_every_kind_of_proof_has_its_part() -> None:
    assert set(PROOFS.values()) <= {part.name for part in PARTS}
    assert set(PROOFS) == set(ProofKind.__args__)  # type: ignore[attr-defined]


def test_each_cell_is_shown_by_tests_that_are_there() -> None:
    known: dict[str, set[str]] = {}
    for _, _, cell in cells():
        for test in cell.shown_by:
            path, _, name = test.partition("::")
            if path not in known:
                tree = ast.parse((ROOT / path).read_text())
                known[path] = {node.name for node in ast.walk(tree) if isinstance(
                    node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in known[path], test


@pytest.mark.parametrize("fault", ["dead", "stopped"])
@pytest.mark.parametrize("name", ARE_PROCESSES)
def test_where_a_process_is_the_part_it_is_harmed_for_real(name: str, fault: str) -> None:
    [part] = [each for each in PARTS if each.name == name]
    cell = part.cells[fault]
    assert isinstance(cell, Cell)
    assert any(test.startswith("tests/live/") for test in cell.shown_by)


def test_what_is_said_by_its_code_is_a_problem_of_the_catalogue() -> None:
    said = {word.strip(",;:.") for _, _, cell in cells() for word in cell.seen.split()}
    assert {"guardian-unreachable", "fence-failed", "no-quorum", "stale-order"} <= said
    dashed = {each for each in said if "-" in each[1:]}
    assert dashed <= set(CATALOGUE), dashed - set(CATALOGUE)
