"""The project's own Python files, read once for all tests of style."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PRODUCT_ROOMS = ("cluster", "packages", "cli")


class Source(NamedTuple):
    path: Path
    """From the top of the tree."""
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def where(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@functools.cache
def sources(*rooms: str) -> tuple[Source, ...]:
    found = sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return tuple(read(path) for path in found)


def read(path: Path) -> Source:
    text = path.read_text()
    return Source(path.relative_to(ROOT), text, ast.parse(text, str(path)))


def product() -> tuple[Source, ...]:
    return sources(*PRODUCT_ROOMS)


def everything() -> tuple[Source, ...]:
    return sources(*PRODUCT_ROOMS, "supply", "tests")


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def imports(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Full name of everything imported, as far as the text alone tells."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, node) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.where(node)}: relative import"
            yield from ((f"{node.module}.{each.name}", node) for each in node.names)


def dotted(node: ast.expr) -> str:
    """The text of a.b.c; empty where it is something else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""
