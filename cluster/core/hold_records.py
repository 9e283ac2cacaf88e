"""What the record keeps of suspensions that operators order, and of what happens meanwhile."""

from typing import Literal

from packages.core.values import Value, changed


class Hold(Value):
    """A suspension an operator ordered: it has an owner, a reason and, if wanted, an end."""

    kind: Literal["switching", "node-switching", "maintenance"]
    by: str
    reason: str
    since_ms: int
    node: str | None = None
    until_ms: int | None = None
    id: str = ""
    """Of the order that made it: two orders may carry the same time."""
    restores: bool = True
    """Of switching: it was on, and is so again at the end, if nobody switches it off meanwhile."""


class NotedFailure(Value):
    """A guest that failed during a suspension: nothing follows from it before that is over."""

    node: str
    at_ms: int
    because: str
    blameless: bool = False
    """It was lost with its node, or ended by its own guardian: no failure of the guest."""


class LostOwner(Value):
    """A node that is proven dead, or was cut off, and may still have the package's guest whole.

    It is the owner as long as nobody else is: a package is taken from it only together with its
    next owner."""

    node: str
    epoch: int
    state: Literal["starting", "running"] = "running"


class Shortage(Value):
    """A node had no means to start the package."""

    node: str
    at_ms: int
    """In the cluster's time."""
    because: str


def joined(holds: tuple[Hold, ...], new: Hold) -> tuple[Hold, ...]:
    """With one more. The same owner's newer order replaces the older one, but what was to last
    until it is lifted is not given an end by a second order."""
    return (*(
        each for each in holds
        if (each.kind, each.node, each.by) != (new.kind, new.node, new.by)
        or each.until_ms is None and new.until_ms is not None
    ), new)


def lifted(holds: tuple[Hold, ...], kind: str, node: str | None = None) -> tuple[Hold, ...]:
    """Without those of this kind, whoever ordered them."""
    return tuple(each for each in holds if (each.kind, each.node) != (kind, node))


def giving_nothing_back(holds: tuple[Hold, ...]) -> tuple[Hold, ...]:
    """Switching was switched off by something else meanwhile, and stays so after their end."""
    return tuple(
        changed(each, restores=False) if each.kind == "switching" else each for each in holds)
