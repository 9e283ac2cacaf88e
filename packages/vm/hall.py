"""The landing's hall: who has connected to the target's relay and proven nothing yet.

Only the source's address is let in; whoever comes from elsewhere is closed unseen. From that
address too strangers may come (its other processes, a forged neighbour), as many as they like:
whoever says nothing costs a descriptor and no thread, and the one that has been silent longest
makes room for the next. So no number of silent connections keeps the source out, which speaks at
once, and comes again if it had to make room.

Standard library only: it is part of the relay's process (relay.py).

What must never happen here: the source turned away because others came before it; a wait without an
end.
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection

SILENT = 256
"""Descriptors of connections that say nothing; a process has 1024."""
EXAMINED = 64
"""At a time, each in a thread: those that have said something."""
SILENCE_S = 5.0
"""For the first byte; a LAN needs milliseconds."""

UNUSED_S = 120.0
"""With nobody connected: longer than a move's init phase (90 s)."""
LINGER_S = 1.0
"""After the last connection, or the first direction of one: those of a migration end together."""

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: closed with a reset, so that nothing of it is kept, and so that a source which had to
make room can tell that from being refused."""

Stream = socket.socket


def addresses_of(names: str) -> frozenset[str] | None:
    """Of hosts, as the kernel shows them, from their names or addresses with spaces between; None
    for no names: anybody. Raises OSError."""
    found = {
        str(each[4][0]).partition("%")[0]
        for name in names.split() for each in socket.getaddrinfo(name, None)
    }
    return frozenset(found) or None


class Census:
    """How many connections carry something, and since when none does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._carrying, self._has_carried = 0, False
        self._idle_since_s = time.monotonic()

    def __enter__(self) -> None:
        with self._lock:
            self._carrying += 1
            self._has_carried = True

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._carrying -= 1
            self._idle_since_s = time.monotonic()

    def left_s(self) -> float:
        """Until this process is of no more use."""
        with self._lock:
            limit_s = LINGER_S if self._has_carried else UNUSED_S
            idle_s = 0.0 if self._carrying else time.monotonic() - self._idle_since_s
            return limit_s - idle_s


class Hall:
    """`examine` is run in a thread of its own for each connection that speaks; it says with `leave`
    when it knows whom it has. `allowed`: addresses, None for all."""

    def __init__(
        self, listener: Stream, allowed: Collection[str] | None,
        examine: Callable[[Stream], None],
    ) -> None:
        self._listener, self._allowed, self._examine = listener, allowed, examine
        self._silent: dict[int, tuple[Stream, float]] = {}
        """By descriptor: since when; the longest first."""
        self._examined: dict[Stream, Stream] = {}
        """Each with another descriptor of it: TLS takes the one over."""
        self._lock = threading.Lock()
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self.strangers = 0
        listener.setblocking(False)

    def serve(self, most_s: float) -> None:
        """Whatever comes within so many seconds."""
        now_s = time.monotonic()
        for connection, since_s in list(self._silent.values()):
            if now_s - since_s < SILENCE_S:
                break
            self._show_out(connection)
        for descriptor, _ in self._poll.poll(1000 * most_s):
            if descriptor == self._listener.fileno():
                self._come()
            elif descriptor in self._silent:
                self._begin(self._forget(descriptor))

    def leave(self, connection: Stream) -> bool:
        """It is known now. False where it had to make room meanwhile."""
        with self._lock:
            handle = self._examined.pop(connection, None)
        if handle is not None:
            handle.close()
        return handle is not None

    def _come(self) -> None:
        try:
            connection, address = self._listener.accept()
        except OSError:  # it has gone again, or there is no descriptor
            return
        if self._allowed is not None and str(address[0]).partition("%")[0] not in self._allowed:
            close_at_once(connection)
            self._count()
            return
        if len(self._silent) >= SILENT:
            self._show_out(next(iter(self._silent.values()))[0])
        self._silent[connection.fileno()] = connection, time.monotonic()
        self._poll.register(connection, select.POLLIN)

    def _begin(self, connection: Stream) -> None:
        with self._lock:
            if len(self._examined) >= EXAMINED:
                end(self._examined.pop(next(iter(self._examined))))
                self._count()
            self._examined[connection] = connection.dup()
        connection.setblocking(True)
        threading.Thread(target=self._examine, args=(connection,), daemon=True).start()

    def _show_out(self, connection: Stream) -> None:
        close_at_once(self._forget(connection.fileno()))
        self._count()

    def _forget(self, descriptor: int) -> Stream:
        self._poll.unregister(descriptor)
        return self._silent.pop(descriptor)[0]

    def _count(self) -> None:
        """A line for the log of the relay, each time there are twice as many."""
        self.strangers += 1
        if not self.strangers & (self.strangers - 1):
            os.write(2, b"%d connections of strangers were closed\n" % self.strangers)


def end(connection: Stream) -> None:
    """By another descriptor than the thread has that reads it, and then hears of the end."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


def close_at_once(connection: Stream) -> None:
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    except OSError:
        pass
    connection.close()
