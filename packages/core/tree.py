"""A configuration text as a tree that remembers where everything stood.

Scalars stay text until a shape (packages/core/shape.py) says what they should be: `off` is a word
where a word is wanted, and a MAC address of decimal digits never becomes a number by accident.
"""

from typing import TypeAlias

from packages.core.values import Value

# The YAML spellings of "nothing here"; a quoted one is text.
NULLS = ("", "~", "null")


class Scalar(Value):
    """`plain` is false for quoted and block text. Lines and columns count from 1."""

    value: str
    line: int
    column: int
    plain: bool = True


class Listing(Value):
    value: tuple["Tree", ...]
    line: int
    column: int


class Entry(Value):
    """One key with its value; the position is the key's."""

    key: str
    value: "Tree"
    line: int
    column: int


class Mapping(Value):
    """Each key once, in the order of the file."""

    value: tuple[Entry, ...]
    line: int
    column: int


Tree: TypeAlias = Scalar | Listing | Mapping


def is_null(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and tree.plain and tree.value in NULLS


def entry_of(tree: Tree, key: str) -> Entry | None:
    if not isinstance(tree, Mapping):
        return None
    return next((entry for entry in tree.value if entry.key == key), None)
