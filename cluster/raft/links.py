"""What carries messages between voters: encrypted sockets, one listener and a sender per peer.

What must never happen here: a message given to the voter under another name than its key's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from cluster.sockets import CurveKeys, Listener, Sender
from packages.core.problem import Problem

Received = Callable[[str, bytes], None]
"""(peer, payload)"""


class Links(Protocol):
    """Carries bytes to peers, or drops them; what arrives is given to `received`."""

    @property
    def peers(self) -> Collection[str]: ...

    def start(self, received: Received) -> Problem | None: ...

    def send(self, peer: str, raw: bytes) -> bool: ...

    def close(self) -> None: ...


class SocketLinks:
    """`peers`: the other voters, each with endpoint and public key."""

    def __init__(
        self, peers: Mapping[str, tuple[str, str]], *, bind: str, keys: CurveKeys,
    ) -> None:
        self._peers, self._bind, self._keys = dict(peers), bind, keys
        self._listener: Listener | None = None
        self._senders: dict[str, Sender] = {}

    @property
    def peers(self) -> Collection[str]:
        return self._peers

    @property
    def drops(self) -> Counter[str]:
        """Strangers, as the listener counts them."""
        return Counter() if self._listener is None else self._listener.drops

    def start(self, received: Received) -> Problem | None:
        self._listener = Listener(
            [self._bind], keys=self._keys,
            received=lambda peer, _route, payload: received(peer, payload),
        )
        self._listener.allow({key: peer for peer, (_, key) in self._peers.items()})
        found = self._listener.start()
        if found is None:
            self._senders = {
                peer: Sender(endpoint, server_key=key, keys=self._keys)
                for peer, (endpoint, key) in self._peers.items()
            }
        return found

    def send(self, peer: str, raw: bytes) -> bool:
        sender = self._senders.get(peer)
        return sender is not None and sender.send(raw)

    def close(self) -> None:
        for sender in self._senders.values():
            sender.close()
        self._senders = {}
        if self._listener is not None:
            self._listener.close()
