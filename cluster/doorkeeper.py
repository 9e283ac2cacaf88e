"""Who stands before a listener's door: whose key is let in, and who did not get so far.

What must never happen here: a key let in that is not on the list; an exception because of what a
stranger sent; waiting.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable

import zmq
from zmq.utils import z85

from cluster.connections import Connections
from cluster.socket_inbox import Inbox
from cluster.tally import Tally

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
"""Fixed by the protocol (ZeroMQ RFC 27): where ZeroMQ asks whether a key may connect."""

WATCHED = (
    zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_DISCONNECTED)
EVENT = struct.Struct("=hi")
"""What the monitor of a socket says (zmq_socket_monitor(3)): the event, and a number."""

AT_ONCE, A_SECOND = 128, 64
"""Connections of one key: a script that runs `vmsg` as often as it can makes thirty a second."""

HANDSHAKE_S = 2.5
"""After which a connection without a key was ended: sockets.HANDSHAKE_MS, and a while."""


class Pace:
    """How often one key may come in: a connection costs 40 KiB, and a processor half a
    millisecond. Keys are those of the list, so that there are few."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._left: dict[bytes, tuple[float, float]] = {}

    def may_come(self, key: bytes) -> bool:
        now_s = self._now_s()
        left, at_s = self._left.get(key, (float(AT_ONCE), now_s))
        left = min(AT_ONCE, left + (now_s - at_s) * A_SECOND)
        self._left[key] = max(0.0, left - 1), now_s
        return left >= 1


class DoorKeeper:
    """Answers ZeroMQ's question whether a key may connect (ZAP, RFC 27), by the allow list.

    The key itself becomes the connection's User-Id, so that `Listener` can look it up again for
    each message and a key struck off the list loses its voice at once.
    """

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", tally: Tally, *, where: str,
    ) -> None:
        self.peers: dict[str, str] = {}
        self._tally, self._where = tally, where
        self._pace = Pace(asyncio.get_running_loop().time)
        self._socket = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(ZAP_ENDPOINT)
        self._inbox = Inbox(self._socket, self._asked)

    def _asked(self, frames: list[zmq.Frame]) -> None:
        parts = [frame.bytes for frame in frames]
        start = parts.index(b"")  # the addresses of the asking socket end with an empty frame
        request = parts[start + 1]
        version, number, _domain, address, _route, mechanism, *credentials = parts[start + 1:]
        verdict = [b"400", b"unknown key", b"", b""]
        if request == b"1.0" and mechanism == b"CURVE" and len(credentials) == 1:
            key = z85.encode(credentials[0])
            if key.decode() in self.peers:
                verdict = [b"200", b"OK", key, b""]
                if not self._pace.may_come(key):
                    verdict = [b"300", b"too often", b"", b""]  # it hears nothing, and tries again
                    self._tally.refuse("too-many-connections", (
                        f"a key connects too often from {address.decode(errors='replace')[:64]}, "
                        f"at {self._where}"))
        if verdict[0] == b"400":
            self._tally.refuse("unknown-key", (
                f"somebody at {address.decode(errors='replace')[:64]} has shown a key that is not "
                f"on the list, at {self._where}"))
        self._socket.send_multipart([*parts[:start + 1], version, number, *verdict])
        self._inbox.look_again()

    def close(self) -> None:
        self._inbox.close()
        self._socket.close(0)


class Handshakes:
    """Counts the connections to a listening socket that never showed a key: ZeroMQ ends them
    without a word. It tells of each that comes, and of each that has shown one, refused or not; the
    rest said nothing, or nothing that is CURVE."""

    def __init__(
        self, socket: "zmq.Socket[bytes]", tally: Tally, connections: Connections, *, where: str,
    ) -> None:
        self._listening, self._tally, self._where = socket, tally, where
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._open: deque[float] = deque()
        """When those came that have shown nothing yet, oldest first."""
        self._timer: asyncio.TimerHandle | None = None
        self._socket = socket.get_monitor_socket(WATCHED)
        self._inbox = Inbox(self._socket, self._told)

    def _told(self, frames: list[zmq.Frame]) -> None:
        event, descriptor = EVENT.unpack(frames[0].bytes)
        if event == zmq.EVENT_DISCONNECTED:
            self._connections.ended(descriptor)
        elif event == zmq.EVENT_ACCEPTED:
            self._connections.accepted(descriptor)
            self._open.append(self._loop.time())
            if self._timer is None:
                self._timer = self._loop.call_later(HANDSHAKE_S, self._look)
        elif self._open:
            self._open.popleft()

    def _look(self) -> None:
        now_s = self._loop.time()
        while self._open and now_s - self._open[0] >= HANDSHAKE_S:
            self._open.popleft()
            self._tally.refuse("no-handshake", (
                f"somebody connects to {self._where} and does not speak as a peer does"))
        self._timer = None
        if self._open:
            self._timer = self._loop.call_later(HANDSHAKE_S, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._inbox.close()
        self._listening.disable_monitor()
        self._socket.close(0)


def told_address(address: str) -> str:
    """Where a message is from, in words: over TCP its host's address, over a socket file of this
    host ZeroMQ has `localhost:UID:GID:PID`."""
    host, _, user = address.partition(":")
    is_here = host == "localhost" and user
    return f"this host, uid {user.split(':')[0]}" if is_here else address
