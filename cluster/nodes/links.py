"""What the coordinator knows of links that are broken: who is heard through a peer alone.

Nothing is concluded from a broken link about a node's life; an operator is told, and the lead may
go to somebody who hears everybody.
"""

from cluster.clock import Clock
from packages.core.values import Map, Value


class Relay(Value):
    """A request that was passed on."""

    peer: str
    hears: frozenset[str]
    first_s: float
    last_s: float


class Links:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._relays: dict[str, Relay] = {}
        self._itself_s: dict[str, float] = {}
        self._passed_on_s: dict[str, float] = {}
        self.narrow: dict[str, tuple[str, ...]] = {}
        """As each node says: those to which only its small packets pass."""

    def heard_itself(self, node: str) -> None:
        self._itself_s[node] = self._clock.boottime_s()

    def relayed(self, node: str, peer: str, hears: tuple[str, ...]) -> None:
        now_s, before = self._clock.boottime_s(), self._relays.get(node)
        self._passed_on_s[peer] = now_s
        first_s = before.first_s if before is not None and before.peer == peer else now_s
        self._relays[node] = Relay(
            peer=peer, hears=frozenset(hears) | {peer}, first_s=first_s, last_s=now_s)

    def passed_on_s(self, peer: str) -> float:
        """When it last passed on a request, which is a sign of its own life; 0.0: never."""
        return self._passed_on_s.get(peer, 0.0)

    def broken(self, *, within_s: float) -> Map[str, str]:
        """Of the time that is past: those that somebody passed on, and that said nothing
        themselves."""
        since_s = self._clock.boottime_s() - within_s
        return Map({
            node: relay.peer for node, relay in sorted(self._relays.items())
            if relay.last_s >= since_s and self._itself_s.get(node, 0.0) < since_s
        })
