"""What carries messages between voters: encrypted sockets, one listener and a sender per peer.

What must never happen here: a message given to the voter under another name than its key's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from cluster.raft.wire import MOST_PEERS
from cluster.sockets import CurveKeys, Listener, Sender, is_endpoint, is_key
from packages.core.problem import Problem

Received = Callable[[str, bytes], None]
"""(peer, payload)"""


class Links(Protocol):
    """Carries bytes to peers, or drops them; what arrives is given to `received`."""

    @property
    def peers(self) -> Collection[str]: ...

    def start(self, received: Received) -> Problem | None: ...

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool: ...

    def close(self) -> None: ...


class Circle(Protocol):
    """Whom to speak to, as it changes."""

    def reach(self, endpoints: Mapping[str, str]) -> None:
        """From now on these and nobody else; an empty endpoint is one that is known already."""

    def keys_of(self, peer: str) -> tuple[str, ...]:
        """Accepted of it here."""

    def introduce(self, peer: str, keys: tuple[str, ...]) -> None:
        """Another member says so; what is known here counts more."""


class SocketLinks:
    """Two connections to each peer: what is urgent has one where nothing large is in its way.

    `peers`: the other voters, each with endpoint and public key; one whose key is empty has not
    come in yet, and is neither heard nor spoken to."""

    def __init__(
        self, peers: Mapping[str, tuple[str, str]], *, bind: str, keys: CurveKeys,
    ) -> None:
        self._endpoints = {peer: endpoint for peer, (endpoint, _) in peers.items()}
        self._keys_of: dict[str, tuple[str, ...]] = {
            peer: (key,) for peer, (_, key) in peers.items() if key
        }
        self._introduced: dict[str, tuple[str, ...]] = {}
        self._bind, self._keys = bind, keys
        self._listener: Listener | None = None
        self._senders: dict[tuple[str, bool], Sender] = {}
        """By peer, and whether it carries what is urgent."""

    @property
    def peers(self) -> Collection[str]:
        return self._endpoints

    @property
    def bound(self) -> str:
        """After `start`: where it really listens."""
        return self._bind if self._listener is None else self._listener.endpoints[0]

    @property
    def drops(self) -> Counter[str]:
        """Strangers, as the listener counts them."""
        return Counter() if self._listener is None else self._listener.drops

    def start(self, received: Received) -> Problem | None:
        self._listener = Listener(
            [self._bind], keys=self._keys,
            received=lambda peer, _route, payload: received(peer, payload),
        )
        self._allow()
        found = self._listener.start()
        if found is None:
            self._connect()
        return found

    def trust(
        self, accepted: Mapping[str, tuple[str, ...]], keys: CurveKeys,
    ) -> Problem | None:
        """From now on: each peer's public keys, the one in use first, and this node's own pair."""
        self._keys_of = {peer: each for peer, each in accepted.items() if each}
        own_changed, self._keys = keys != self._keys, keys
        if self._listener is None:
            return None
        self._allow()
        self._connect()
        return self._listener.change_keys(keys) if own_changed else None

    def reach(self, endpoints: Mapping[str, str]) -> None:
        self._endpoints = {
            peer: endpoint or self._endpoints.get(peer, "")
            for peer, endpoint in endpoints.items()
        }
        if self._listener is not None:
            self._allow()
            self._connect()

    def keys_of(self, peer: str) -> tuple[str, ...]:
        return self._keys_of.get(peer) or self._introduced.get(peer, ())

    def introduce(self, peer: str, keys: tuple[str, ...]) -> None:
        if keys and self._introduced.get(peer) != keys:
            self._introduced[peer] = keys
            if self._listener is not None:
                self._allow()
                self._connect()

    @property
    def _accepted(self) -> dict[str, tuple[str, ...]]:
        """Whom the record knows comes first; what another member said beside that is bounded, for
        each has two connections, and a key that is none would raise."""
        known = sorted(self._endpoints, key=lambda peer: peer not in self._keys_of)
        found = {
            peer: keys for peer in known
            if is_endpoint(self._endpoints[peer]) and (keys := self.keys_of(peer))
            and all(map(is_key, keys))
        }
        return dict(list(found.items())[:MOST_PEERS])

    def _allow(self) -> None:
        if self._listener is not None:
            self._listener.allow({
                key: peer for peer, keys in self._accepted.items() for key in keys
            })

    def _connect(self) -> None:
        accepted = self._accepted
        for (peer, urgent), sender in list(self._senders.items()):
            if peer not in accepted or sender.endpoint != self._endpoints[peer]:
                self._senders.pop((peer, urgent)).close()
        for peer, keys in accepted.items():
            for way in ((peer, False), (peer, True)):
                if way not in self._senders:
                    self._senders[way] = Sender(
                        self._endpoints[peer], server_key=keys[0], keys=self._keys)
                self._senders[way].change_keys(server_keys=keys, keys=self._keys)

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        sender = self._senders.get((peer, urgent))
        return sender is not None and sender.send(raw)

    def close(self) -> None:
        for sender in self._senders.values():
            sender.close()
        self._senders = {}
        if self._listener is not None:
            self._listener.close()
            self._listener = None
