"""The migration channel in memory: paths of the fake fabric, given to whoever shows the token.

Ending either side of a move's channel ends the migration that goes through it, as closing a relay
does.
"""

from collections import defaultdict

from cluster.clock import Clock
from packages.core.problem import Problem, problem
from packages.vm.carrier import Landing
from packages.vm.fake import FakeFabric


class FakeCables:
    """Which nodes' migration networks reach one another, and what is landed where."""

    def __init__(self) -> None:
        self.landings: dict[str, tuple[Landing, str, str]] = {}
        """By move: the landing, the socket behind it, the source that may use it."""
        self.channels: dict[str, set[str]] = defaultdict(set)
        """By move: the paths handed out for it."""
        self.cut: set[str] = set()
        """Nodes nobody reaches, and that reach nobody."""


class FakeCarrier:
    """One node's carrier over a fabric."""

    def __init__(self, node: str, fabric: FakeFabric, cables: FakeCables, clock: Clock) -> None:
        self._node = node
        self._fabric = fabric
        self._cables = cables
        self._clock = clock
        self._moves: set[str] = set()

    async def prepare(self, move: str) -> None:
        """Nothing here takes time."""

    async def land(self, move: str, *, socket_path: str, source: str) -> Landing | Problem:
        landing = Landing(address=self._node, port=1, token=self._clock.token())
        self._cables.landings[move] = (landing, socket_path, source)
        self._moves.add(move)
        return landing

    async def launch(self, move: str, *, landing: Landing, target: str) -> str | Problem:
        if {self._node, landing.address} & self._cables.cut or move not in self._cables.landings:
            return problem(
                "carrier-unreachable", f"move:{move}", what=f"no connection to {target}",
                because="nobody answers", fix="look at the migration network",
            )
        landed, socket_path, source = self._cables.landings[move]
        if landed != landing or source != self._node or landing.address != target:
            return problem(
                "carrier-untrusted", f"move:{move}",
                what=f"{target} and this node do not trust each other",
                because="the token or the name is another's", fix="start the move anew",
            )
        path = f"/fake/{self._node}/{move}/out"
        self._fabric.channels[path] = socket_path
        self._cables.channels[move].add(path)
        self._moves.add(move)
        return path

    async def has_ended_well(self, move: str) -> bool:
        landed = self._cables.landings.get(move)
        target = self._fabric.listening.get(landed[1]) if landed is not None else None
        return target is not None and target.has_ended_well

    async def end(self, move: str) -> None:
        if move not in self._moves:
            return
        self._moves.discard(move)
        self._cables.landings.pop(move, None)
        for path in self._cables.channels.pop(move, ()):
            target = self._fabric.listening.get(self._fabric.channels.pop(path))
            if target is not None and target.partner is not None and target.state == "incoming":
                target.lost_partner()

    async def close(self) -> None:
        for move in tuple(self._moves):
            await self.end(move)
