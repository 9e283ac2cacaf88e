"""Fresh seeds for the searches of this room, as many as a time allows, and those that found.

What is found is printed with the command that plays it again, and is kept in FOUND once it is
mended.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.raft.search import Broken, Crash, Network, nodes_of, search
from tests.raft.search_members import search_members
from tests.raft.search_pieces import search_pieces
from tests.raft.search_rejoin import search_rejoin

One = Callable[[int, Network, Crash], object]

SEARCHES: dict[str, One] = {
    "search": lambda seed, network, crash: search(seed, network, crash, nodes=nodes_of(seed)),
    "search_members": search_members,
    "search_pieces": search_pieces,
    "search_rejoin": lambda seed, network, crash: search_rejoin(
        seed, network, crash, nodes=nodes_of(seed)),
}
"""As the command line runs them."""

MANNERS: tuple[tuple[Network, Crash], ...] = (
    ("wild", "power"), ("orderly", "kill"), ("wild", "kill"), ("orderly", "power"))


class Found(NamedTuple):
    search: str
    network: Network
    crash: Crash
    seed: int


FOUND: tuple[Found, ...] = ()
"""What broke something once; each is played again in every run."""


def command_for(found: Found) -> str:
    return (f"python -m tests.raft.{found.search} {found.network} {found.crash} {found.seed} 1")


def fresh(name: str, *, first: int, seconds: float) -> Iterator[str]:
    """What is broken in the seeds from `first` on, each with the command that plays it again."""
    end = time.monotonic() + seconds
    for seed, (network, crash) in zip(itertools.count(first), itertools.cycle(MANNERS)):
        if time.monotonic() > end:
            print(f"{name}: {seed - first} seeds from {first}")
            return
        try:
            SEARCHES[name](seed, network, crash)
        except Broken as broken:
            yield f"{broken}\n    {command_for(Found(name, network, crash, seed))}"
