"""How every connection is set up, at both ends: bounds on memory and on waiting.

Heartbeats of ZeroMQ's own (ZMTP) are off, and stay off: a connection that ends while a full queue
keeps its input from being read ends the whole process at the next heartbeat ("Assertion failed:
!_io_error", libzmq 4.3.5 and before; its issues 3937, 4364 and 4767). A stall of the event loop and
a caller that goes away are enough. The kernel's own means find a dead host as quickly.
"""

from typing import TypeAlias

import zmq

from cluster.socket_inbox import WIDE, Queues

Socket: TypeAlias = "zmq.Socket[bytes]"

HANDSHAKE_MS = 2000

HOST_DEAD_AFTER_MS = 1500
"""What was sent and not confirmed for so long (TCP_USER_TIMEOUT, tcp(7)) ends the connection: the
host lost power, or nothing passes. Raft has its own, shorter, clocks."""
KEEPALIVE_S = 1
"""Where nothing is sent the kernel asks so often, in whole seconds, and gives up likewise."""


def set_options(
    socket: Socket, max_message_bytes: int, queues: Queues = WIDE, *, is_ipv6: bool = False,
) -> None:
    """What holds for both ends."""
    socket.linger = 0  # closing never waits for a peer that does not read
    # For each socket by itself: where it is on, ZeroMQ opens IPv6 for IPv4's addresses, too, and a
    # host may have none.
    socket.set(zmq.IPV6, int(is_ipv6))
    socket.set(zmq.MAXMSGSIZE, max_message_bytes)
    socket.set(zmq.SNDHWM, queues.sent)
    socket.set(zmq.RCVHWM, queues.received)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.TCP_MAXRT, HOST_DEAD_AFTER_MS)
    socket.set(zmq.TCP_KEEPALIVE, 1)
    socket.set(zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S)
    socket.set(zmq.TCP_KEEPALIVE_INTVL, KEEPALIVE_S)
