"""Every code an operator can meet stands in the catalogue, and nothing else does.

A code is the first argument of `problem`, or of a function that hands its own parameter on as one.
"""

import ast
import re
from collections.abc import Iterator

from packages.core.problem_catalogue import CATALOGUE
from tests.style.sources import Source, dotted, functions, product

CODE = re.compile(r"[a-z]+(-[a-z]+)+")
FILE = "packages/core/problem_catalogue.py"


def test_codes_used_are_in_the_catalogue():
    wrong = [
        f"{where}: {code}" for where, code in sorted(codes_used()) if code not in CATALOGUE
    ]
    assert not wrong, "\n".join(wrong)


def test_codes_in_the_catalogue_are_used():
    texts = {
        node.value for source in product() if str(source.path) != FILE
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not sorted(set(CATALOGUE) - texts)


def test_codes_are_kebab_case_and_stand_once():
    catalogue = next(each for each in product() if str(each.path) == FILE)
    keys = [
        key.value for node in ast.walk(catalogue.tree) if isinstance(node, ast.Dict)
        for key in node.keys if isinstance(key, ast.Constant)
    ]
    assert sorted(keys) == sorted(set(keys))
    assert not [key for key in keys if not CODE.fullmatch(str(key))]


def codes_used() -> set[tuple[str, str]]:
    makers = {"problem"} | {name for source in product() for name in handing_on(source)}
    return {
        (source.where(call), code) for source in product() for call in calls(source)
        if dotted(call.func).split(".")[-1] in makers for code in first_argument(call)
    }


def handing_on(source: Source) -> Iterator[str]:
    """Functions whose first parameter becomes a problem's code."""
    for function in functions(source):
        parameters = [each.arg for each in function.args.args if each.arg != "self"]
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and dotted(call.func) == "problem" and parameters:
                if call.args and dotted(call.args[0]) == parameters[0]:
                    yield function.name


def calls(source: Source) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))


def first_argument(call: ast.Call) -> Iterator[str]:
    """The literal codes it may be; both of `a if b else c`."""
    given = [each.value for each in call.keywords if each.arg == "code"]
    for node in [*call.args[:1], *given]:
        choices = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
        for each in choices:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value
