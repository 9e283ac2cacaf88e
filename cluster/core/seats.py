"""Who belongs, as the cluster file says it and as the log counts it."""

from typing import Literal

from packages.core.values import Value

NodeRole = Literal["voter", "witness", "follower"]
"""A witness votes and runs nothing; a follower runs packages and does not vote."""


class Member(Value):
    """A node as the cluster file names it."""

    name: str
    is_witness: bool = False
    endpoint: str = ""
    """Where the log is carried to it."""


class Seat(Value):
    """A node in the membership of the log."""

    name: str
    votes: bool = True
    endpoint: str = ""
