"""What the connections to a listener hold: how many each key has, what came in on them and is no
whole message yet, or waits to be read, and what was answered and nobody fetched.

ZeroMQ bounds messages and not bytes, each connection by itself, and none while it shakes hands. So
whoever opened a hundred connections and stopped a byte short of a message's end on each had a
hundred times the largest message of this daemon's memory. The kernel counts the bytes of each
connection (TCP_INFO, tcp(7)); those of each key are summed up a few times a second, and what is
beyond its budget is shut: ZeroMQ lets go of what it had, and an honest peer connects anew.

What must never happen here: a connection shut that is not the listener's, for numbers of
descriptors are used again; one key's connections shut for what another holds.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from cluster.socket_inbox import Queues
from cluster.tally import Tally

LOOK_S, CALM_S, SHARE = 0.05, 0.25, 20
"""How often it is looked at while somebody comes or sends much, and otherwise. It takes 3 us for
each connection; where there are thousands, a twentieth of the time."""
CALM_BYTES = 1 << 20

GREETED_BYTES = 256
"""A stranger is sent 64 bytes of greeting, 170 of welcome, and a refusal of a dozen; whoever is let
in, some forty more (ZeroMQ RFC 23 and 26). The kernel has counted what the peer confirmed."""
STRANGER_BYTES = 4 << 10
"""Of a handshake; an honest one has 700 bytes."""

NAMELESS, NAMELESS_BYTES = 512, 32 << 20
"""Let in, and nothing whole was heard on it yet; of all keys together, as only a message says whose
it is. One key comes in at DoorKeeper's pace, so that it pushes out nobody who is about to speak."""

SEALED_BYTES = 33
"""What CURVE adds to a message; a frame's head comes to that (RFC 26)."""

OWED_UNSEEN_BYTES = 256 << 10
"""Less is not looked at before it is sent."""

_COUNTS = struct.Struct("=104x16xQQ")
"""Of the kernel's tcp_info: bytes_acked and bytes_received (Linux 4.1)."""


class Connection:
    """One that was accepted; `key` is empty before its first message."""

    __slots__ = ("descriptor", "peer", "heard_s", "key", "route", "whole", "owed", "received",
                 "confirmed")

    def __init__(self, descriptor: int, peer: object, now_s: float) -> None:
        self.descriptor, self.peer, self.heard_s = descriptor, peer, now_s
        self.key, self.route = "", b""
        self.whole = 0
        """Bytes of the messages that were read."""
        self.owed = 0
        """Bytes of the answers since all of them had left this host."""
        self.received, self.confirmed = 0, 0

    @property
    def is_let_in(self) -> bool:
        return self.confirmed > GREETED_BYTES or bool(self.key)

    @property
    def waiting(self) -> int:
        """Bytes that came and were not read as messages."""
        return max(0, self.received - self.whole)


def beyond(open_: Iterable[Connection], queues: Queues) -> Iterator[tuple[Connection, str]]:
    """Whom to shut, and why. Of one key those go that were not heard for longest: an honest peer
    goes on with the newest."""
    of_key: defaultdict[str, list[Connection]] = defaultdict(list)
    for each in open_:
        if each.is_let_in:
            of_key[each.key].append(each)
        elif each.received > STRANGER_BYTES:
            yield each, "half-sent"
    for key, its in of_key.items():
        most = queues.connections if key else NAMELESS
        most_bytes = queues.waiting_bytes if key else NAMELESS_BYTES
        its.sort(key=lambda each: each.heard_s, reverse=True)
        total = 0
        for at, each in enumerate(its):
            total += each.waiting
            if at >= most:
                yield each, "too-many-connections"
            elif total > most_bytes and each.waiting:
                yield each, "half-sent"


class Connections:
    """Of one listener; on the running event loop."""

    def __init__(self, queues: Queues, tally: Tally, *, where: str) -> None:
        self._queues, self._tally, self._where = queues, tally, where
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, Connection] = {}
        self._by_route: dict[bytes, Connection] = {}
        self._owed: Counter[str] = Counter()
        self._ports: frozenset[int] = frozenset()
        self._is_calm = False
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def __len__(self) -> int:
        return len(self._open)

    def listens(self, endpoints: Sequence[str]) -> None:
        """What it is bound to; those over socket files of this host are root's, and not looked
        at."""
        self._ports = frozenset(
            int(each.rpartition(":")[2]) for each in endpoints if each.startswith("tcp:"))

    def accepted(self, descriptor: int) -> None:
        with contextlib.suppress(OSError), _borrowed(descriptor) as its:  # gone meanwhile
            if its.getsockname()[1] in self._ports:
                self._open[descriptor] = Connection(
                    descriptor, its.getpeername(), self._loop.time())
        if self._is_calm:
            self._is_calm = False
            self._timer.cancel()
            self._timer = self._loop.call_later(LOOK_S, self._look)

    def ended(self, descriptor: int) -> None:
        found = self._open.pop(descriptor, None)
        if found is not None:
            self._by_route.pop(found.route, None)
            self._settle(found, 0)

    def heard(self, descriptor: int, key: str, route: bytes, length: int) -> None:
        """A whole message came by it."""
        found = self._open.get(descriptor)
        if found is None:
            return
        if found.route != route:
            found.key, found.route = key, route
            self._by_route[route] = found
        found.heard_s = self._loop.time()
        found.whole += length + SEALED_BYTES + (2 if length + SEALED_BYTES < 256 else 9)

    def may_answer(self, route: bytes, length: int) -> bool:
        """Whether an answer is taken for it: not while too much is there that its key never
        fetched. What is taken is counted."""
        found = self._by_route.get(route)
        if found is None:
            return True
        if found.owed > OWED_UNSEEN_BYTES and _is_fetched(found.descriptor):
            self._settle(found, 0)
        if self._owed[found.key] > self._queues.owed_bytes:
            self._tally.refuse("answers-not-fetched", (
                f"a caller at {_host(found)} asks {self._where} and does not read"))
            return False
        self._settle(found, found.owed + length)
        return True

    def _settle(self, found: Connection, owed: int) -> None:
        self._owed[found.key] += owed - found.owed
        found.owed = owed
        if not self._owed[found.key]:
            del self._owed[found.key]

    def _look(self) -> None:
        began_s = self._loop.time()
        for each in self._open.values():
            try:
                each.confirmed, each.received = counted(each.descriptor)
            except OSError:
                pass  # gone meanwhile
        for each, why in list(beyond(self._open.values(), self._queues)):
            self._tally.refuse(why, (
                f"somebody at {_host(each)} holds too much of {self._where}: shut"))
            self._shut(each)
        ended_s = self._loop.time()
        self._is_calm = sum(each.waiting for each in self._open.values()) < CALM_BYTES
        self._timer = self._loop.call_later(max(
            CALM_S if self._is_calm else LOOK_S, SHARE * (ended_s - began_s)), self._look)

    def _shut(self, each: Connection) -> None:
        """It is ZeroMQ's, which is told that its peer has gone."""
        with contextlib.suppress(OSError):  # gone meanwhile
            with socket.socket(fileno=os.dup(each.descriptor)) as its:
                if its.getsockname()[1] in self._ports and its.getpeername() == each.peer:
                    its.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.cancel()


def counted(descriptor: int) -> tuple[int, int]:
    """Bytes that the peer has confirmed, and that came from it. Raises OSError."""
    its = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        confirmed, received = _COUNTS.unpack(
            its.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _COUNTS.size))
    finally:
        its.detach()
    return confirmed, received


def _is_fetched(descriptor: int) -> bool:
    """Whether all that was sent by it has left this host (SIOCOUTQ, tcp(7))."""
    try:
        return fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)) == bytes(4)
    except OSError:  # gone meanwhile
        return True


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """To ask the kernel about it; it stays ZeroMQ's. The family does not matter for that."""
    its = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        yield its
    finally:
        its.detach()


def _host(each: Connection) -> str:
    return str(each.peer[0]) if isinstance(each.peer, tuple) else "this host"
