"""The threat model is whole and true to its tests."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from cluster.config.schema import Role
from tests.scenarios.threats.actor import WHO, Actor
from tests.scenarios.threats.table import ACTORS

ROOT = Path(__file__).parents[3]


def told_in(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_everybody_has_a_row() -> None:
    assert [each.name for each in ACTORS] == list(WHO)
    assert {f"A {role}" for role in get_args(Role)} <= set(WHO)


@pytest.mark.parametrize("actor", ACTORS, ids=[each.name for each in ACTORS])
def test_each_row_says_what_holds_and_which_tests_show_it(actor: Actor) -> None:
    assert actor.may and actor.never
    known: dict[str, set[str]] = {}
    for each in actor.never:
        assert each.what and each.held_by and each.shown_by, each
        for test in each.shown_by:
            path, _, name = test.partition("::")
            if path not in known:
                known[path] = told_in(ROOT / path)
            assert name in known[path], test


def test_the_model_is_the_first_thing_on_its_page() -> None:
    text = (ROOT / "docs/security.md").read_text()
    assert text.index("<!-- drawn: threats -->") < text.index("## What a host keeps")
