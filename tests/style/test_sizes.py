"""Rooms a reader can take in: the ceilings of the house style."""

import ast

from tests.style.sources import everything, functions, product

FILE_LINES, FUNCTION_LINES, COLUMNS, LEVELS = 400, 50, 100, 4

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def test_files_have_at_most_400_lines():
    wrong = [
        f"{source.path}: {len(source.text.splitlines())} lines" for source in everything()
        if len(source.text.splitlines()) > FILE_LINES
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_have_at_most_50_lines():
    wrong = [
        f"{source.where(function)}: {function.name} has {length(function)} lines"
        for source in everything() for function in functions(source)
        if length(function) > FUNCTION_LINES
    ]
    assert not wrong, "\n".join(wrong)


def test_lines_have_at_most_100_columns():
    wrong = [
        f"{source.path}:{number}" for source in everything()
        for number, line in enumerate(source.text.splitlines(), 1) if len(line) > COLUMNS
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_are_at_most_four_blocks_deep():
    wrong = [
        f"{source.where(function)}: {function.name} is {depth(function.body)} deep"
        for source in product() for function in functions(source)
        if depth(function.body) > LEVELS
    ]
    assert not wrong, "\n".join(wrong)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def depth(body: list[ast.stmt]) -> int:
    """Blocks inside one another; an `elif` is beside its `if`, and a function begins anew."""
    return max((1 + inner(each) for each in body if isinstance(each, BLOCKS)), default=0)


def inner(block: ast.stmt) -> int:
    bodies = [getattr(block, "body", []), getattr(block, "finalbody", [])]
    orelse = getattr(block, "orelse", [])
    is_elif = isinstance(block, ast.If) and len(orelse) == 1 and isinstance(orelse[0], ast.If)
    bodies += [each.body for each in getattr(block, "handlers", [])]
    bodies += [each.body for each in getattr(block, "cases", [])]
    deepest = max(depth(each) for each in bodies)
    return max(deepest, depth(orelse) - 1 if is_elif else depth(orelse))
