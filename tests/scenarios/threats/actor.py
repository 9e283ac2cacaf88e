"""What the threat model is made of (table.py): who there is, and what each must never do.

What must never happen here: a promise wider than the tests that stand beside it.
"""

from typing import NamedTuple

WHO = (
    "A stranger on the cluster network", "A stranger on the migration network",
    "A stranger where operators are",
    "Whoever delivers what a host installs", "A guest", "A user of a node's host", "A monitor",
    "A package-admin", "A full-admin", "An invited host", "Root of one node", "A majority of nodes",
)
"""In the order of what they hold: nothing, a place, a key, a host, the cluster."""


class Never(NamedTuple):
    what: str
    """What they must never do, after "never"."""
    held_by: str
    shown_by: tuple[str, ...]
    """file::test"""


class Actor(NamedTuple):
    name: str
    may: str
    """What they may do: by their place, or because somebody gave it to them."""
    never: tuple[Never, ...]
    open: str = ""
    """What nothing keeps them from, and whoever relies on it must know."""
