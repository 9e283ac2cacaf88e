"""How much may happen at once: moves on a node and on a link, starts on a node. PURE.

Two copies on one link each take twice as long, and what the guests dirty meanwhile eats the
difference (P11); what must never happen here is a node that serves one package's move so well
that its other guests stand still.
"""

from collections.abc import Iterable

from packages.core.values import Value

Route = tuple[str, str]
"""Where a move goes from and to."""


class Limits(Value):
    moves_per_node: int = 2
    """One copy fills a link of 1 Gb/s; a second, to another node, uses what the first leaves while
    its target starts and its guest is switched."""
    moves_per_link: int = 1
    """Between the same two nodes, either way."""
    starts_per_node: int = 8
    """Guests that boot at once: each reads its whole kernel and fills its memory; more of them
    make the most important one wait for the least."""


def crowded(under_way: Iterable[Route], route: Route, limits: Limits) -> str:
    """Why one more move must wait for its turn, as a sentence; empty when it need not."""
    routes = list(under_way)
    source, target = route
    for node in route:
        moving = sum(node in each for each in routes)
        if moving >= limits.moves_per_node:
            return f"{node} takes part in {_moves(moving)} already."
    linked = sum({source, target} == set(each) for each in routes)
    if linked >= limits.moves_per_link:
        return f"Between {source} and {target} there is {_moves(linked)} already."
    return ""


def _moves(number: int) -> str:
    return "1 move" if number == 1 else f"{number} moves"
