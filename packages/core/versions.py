"""Versions of the product, and which of them work together. PURE.

A cluster is upgraded node by node, and packages move off a node before its turn: so whatever may
take part in one cluster may also move guests, by this one rule (docs/upgrade.md).
"""

Version = tuple[int, int, int]

FIRST: Version = (0, 1, 0)


def version_of(text: str) -> Version:
    """The numbers of a version; what is none counts as the first."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return FIRST
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch


def are_adjacent(one: Version, other: Version) -> bool:
    """Neighbours in time: of one major version, and at most one minor version apart."""
    return one[0] == other[0] and abs(one[1] - other[1]) <= 1
