"""Reads a ZeroMQ socket on the event loop.

ZeroMQ's descriptor is edge-triggered: it becomes readable once, however many messages wait, and a
send may swallow that one signal. Hence an inbox reads until nothing is left, and whoever uses the
socket otherwise has it look again (ZMQ_FD in zmq_getsockopt(3)).

What must never happen here: a message left lying because its signal was missed.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import zmq

MESSAGES_PER_TURN = 256
"""Then the event loop's other work has its turn; at 5 us each this is about a millisecond."""

TURN_S = 0.005
"""The same for messages that take longer: none is begun after this."""

QUEUE_MESSAGES = 2000
"""Per peer and direction: seconds of the busiest log, and a bound on memory when a peer hangs."""


class Queues(NamedTuple):
    """How many messages may wait for each connection, and how much of one key's may be held
    (cluster/connections.py)."""

    received: int = QUEUE_MESSAGES
    """What is beyond it waits at its sender."""
    sent: int = QUEUE_MESSAGES
    """What is beyond it is dropped: the peer does not read."""
    connections: int = 16
    """Two nodes have two to each other, and some that are about to end."""
    waiting_bytes: int = 96 << 20
    """The largest message, and seconds of the busiest log."""
    owed_bytes: int = 16 << 20
    """Answers that nobody fetched; one more is taken when there is less, however long."""


WIDE = Queues()

POLLIN, POLLOUT = int(zmq.POLLIN), int(zmq.POLLOUT)
"""Plain numbers: these are looked at several times for each message, and an enum's `&` costs more
than the question itself."""


class Inbox:
    """Reads a socket whenever something arrived, a bounded number of messages and time per turn."""

    def __init__(
        self, socket: "zmq.Socket[bytes]", arrived: Callable[[list[zmq.Frame]], None],
        *, ready: Callable[[], None] | None = None,
    ) -> None:
        self._socket = socket
        self._arrived = arrived
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._is_due = False
        self._descriptor = int(socket.get(zmq.FD))
        self._loop.add_reader(self._descriptor, self._read)
        self.look_again()

    def look_again(self) -> None:
        """Read soon if anything waits: to be called after each use of the socket."""
        if self._is_open and not self._is_due and events(self._socket) & POLLIN:
            self._is_due = True
            self._loop.call_soon(self._read)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._descriptor)

    def _read(self) -> None:
        self._is_due = False
        found = POLLIN  # or so the signal says: to ask costs as much as to try
        end_s = self._loop.time() + TURN_S
        try:
            for _ in range(MESSAGES_PER_TURN):
                if not self._is_open or not found & POLLIN or self._loop.time() > end_s:
                    break
                if (frames := self._received()) is not None:
                    self._arrived(frames)
                found = events(self._socket) if self._is_open else 0
        finally:  # also when the receiver has a bug: the rest must not wait for another signal
            self._settle(found)

    def _received(self) -> list[zmq.Frame] | None:
        """A whole message; None when there is none after all."""
        try:
            frames = [self._socket.recv(zmq.NOBLOCK, copy=False)]
        except zmq.Again:
            return None
        while frames[-1].more:  # all parts arrive at once
            frames.append(self._socket.recv(zmq.NOBLOCK, copy=False))
        return frames

    def _settle(self, found: int) -> None:
        """`found`: what the socket said after it was used last."""
        if not self._is_open:
            return
        if found & POLLIN:
            self.look_again()
        if self._ready is not None and found & POLLOUT:
            self._ready()


def events(socket: "zmq.Socket[bytes]") -> int:
    """Whether a message waits (POLLIN) and whether one can be sent (POLLOUT)."""
    return int(socket.get(zmq.EVENTS))
