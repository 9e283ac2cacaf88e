"""How much room each node has, as every node knows it, so that status tells it whoever answers.
Whoever does not even know this node's key is noted on the way.

Soft knowledge, asked for every few seconds and never in the record: it changes all the time, and
where it matters most, with the disks of a majority full, nothing can be agreed upon. A node that
has stepped out of agreement still answers. What must never happen here: a sick disk that holds up
the event loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from cluster.api.messages import AskRoom, Reply
from cluster.api.neighbour import Neighbour
from cluster.clock import Clock
from packages.core.problem import Problem
from packages.core.room import Room, descriptors_problem, room_problem
from packages.core.values import Undecodable, shaped

EVERY_S = 3.0
ANSWER_S = 1.0
KNOWN_S = 60.0
"""What a node said last stands for so long once it says nothing: it may be silent because of it."""

log = logging.getLogger(__name__)

Look = Callable[[], Awaitable[tuple[Room, ...]]]


class Rooms:
    """Without `look` it knows of nothing."""

    def __init__(
        self, *, node: str, clock: Clock, neighbours: Mapping[str, Neighbour],
        look: Look | None = None,
    ) -> None:
        self._node, self._clock, self._neighbours, self._look = node, clock, neighbours, look
        self._known: dict[str, tuple[float, tuple[Room, ...]]] = {}
        self._was_short = False
        self.refusing: set[str] = set()
        """Neighbours that are there and do not know this node's key."""

    async def run(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(EVERY_S)

    async def ask(self) -> None:
        """Look here, and ask everybody."""
        await asyncio.gather(self._look_here(), *(
            self._ask(name, peer) for name, peer in tuple(self._neighbours.items())))

    def own(self) -> tuple[Room, ...]:
        return self._of(self._node)

    def problems(self) -> list[Problem]:
        """Of every node that is short of room, in the order of their names."""
        found = (tells(name, self._of(name)) for name in sorted(self._known)
                 for tells in (room_problem, descriptors_problem))
        return [each for each in found if each is not None]

    def _of(self, node: str) -> tuple[Room, ...]:
        said_s, rooms = self._known.get(node, (0.0, ()))
        return rooms if self._clock.boottime_s() - said_s <= KNOWN_S else ()

    def _note(self, node: str, rooms: tuple[Room, ...]) -> None:
        self._known[node] = self._clock.boottime_s(), rooms

    async def _look_here(self) -> None:
        if self._look is None:
            return
        self._note(self._node, await self._look())
        short = room_problem(self._node, self.own())
        if short is not None and not self._was_short:
            log.warning("%s %s %s", short.what, short.because, short.fix)
        elif short is None and self._was_short:
            log.info("%s has room again", self._node)
        self._was_short = short is not None

    async def _ask(self, name: str, peer: Neighbour) -> None:
        reply = await peer.ask(AskRoom(), deadline_s=ANSWER_S)
        if isinstance(reply, Problem) and reply.code == "not-authorised":
            self.refusing.add(name)
        else:
            self.refusing.discard(name)
        if not isinstance(reply, Reply) or reply.verdict != "done":
            return
        try:
            self._note(name, shaped(reply.result, tuple[Room, ...]))
        except Undecodable:
            return
