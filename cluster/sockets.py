"""The one door to ZeroMQ: encrypted messages between nodes, and between a client and a node.

Every connection is CURVE: the listener proves its key to the caller, the caller proves its own, and
an allow list turns that key into a peer's name. The name is taken from the connection for each
message, never from what the message says about itself, so that a peer can only ever be itself; a
key taken off the list is deaf and dumb from that instant, also on a connection made before.

What must never happen here: bytes of an unknown key reaching the daemon; an exception because of
what arrived; waiting. What cannot be sent now is dropped and counted: those above send again.

ZeroMQ's descriptor is edge-triggered: it becomes readable once, however many messages wait, and a
send may swallow that one signal. Hence `Inbox` reads until nothing is left, and every send ends by
asking whether something arrived meanwhile (ZMQ_FD in zmq_getsockopt(3)).
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import zmq
from zmq.utils import z85

from packages.core.problem import Problem, problem
from packages.core.values import Value

MAX_MESSAGE_BYTES = 64 << 20
"""A snapshot travels as one message; 100,000 packages are below 50 MB."""

QUEUE_MESSAGES = 2000
"""Per peer and direction: seconds of the busiest log, and a bound on memory when a peer hangs."""

MESSAGES_PER_TURN = 256
"""Then the event loop's other work has its turn; at 5 us each this is about a millisecond."""

HANDSHAKE_MS = 2000
PING_EVERY_MS, PEER_DEAD_AFTER_MS = 500, 1500
"""A connection through a host that lost power ends after 1.5 s; Raft has its own, shorter, clocks.
"""

RECONNECT_MS, RECONNECT_MAX_MS = 50, 500
"""A restarted peer is found within half a second, and a dead one costs two attempts a second."""

REDIAL_S = 2.0
"""ZeroMQ gives up for good on a server that refused the key; the key may be on its list later."""

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
"""Fixed by the protocol (ZeroMQ RFC 27): where ZeroMQ asks whether a key may connect."""

Received = Callable[[str, bytes, bytes], None]
"""(peer's name, route to answer on, payload)"""


class CurveKeys(Value):
    """A key pair, each key 40 characters of Z85."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"CurveKeys(public={self.public!r}, secret=...)"


def make_keys() -> CurveKeys:
    public, secret = zmq.curve_keypair()
    return CurveKeys(public=public.decode(), secret=secret.decode())


def keys_of(secret: str) -> CurveKeys | None:
    """The pair whose secret half this is; None when it is no key."""
    if not is_key(secret):
        return None
    return CurveKeys(public=zmq.curve_public(secret.encode()).decode(), secret=secret)


def is_key(text: str) -> bool:
    """Whether this is a key in the form CURVE takes: 32 bytes as 40 characters of Z85."""
    try:
        return len(z85.decode(text)) == 32
    except (KeyError, ValueError, struct.error):
        return False


class Inbox:
    """Reads a socket whenever something arrived, a bounded number of messages per turn."""

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
        if self._is_open and not self._is_due and events(self._socket) & zmq.POLLIN:
            self._is_due = True
            self._loop.call_soon(self._read)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._descriptor)

    def _read(self) -> None:
        self._is_due = False
        try:
            for _ in range(MESSAGES_PER_TURN):
                if not self._is_open or not events(self._socket) & zmq.POLLIN:
                    break
                self._arrived(self._socket.recv_multipart(zmq.NOBLOCK, copy=False))
        finally:  # also when the receiver has a bug: the rest must not wait for another signal
            self._settle()

    def _settle(self) -> None:
        if not self._is_open:
            return
        self.look_again()
        if self._ready is not None and events(self._socket) & zmq.POLLOUT:
            self._ready()


class DoorKeeper:
    """Answers ZeroMQ's question whether a key may connect (ZAP, RFC 27), by the allow list.

    The key itself becomes the connection's User-Id, so that `Listener` can look it up again for
    each message and a key struck off the list loses its voice at once.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", drops: Counter[str]) -> None:
        self.peers: dict[str, str] = {}
        self._drops = drops
        self._socket = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(ZAP_ENDPOINT)
        self._inbox = Inbox(self._socket, self._asked)

    def _asked(self, frames: list[zmq.Frame]) -> None:
        parts = [frame.bytes for frame in frames]
        start = parts.index(b"")  # the addresses of the asking socket end with an empty frame
        request = parts[start + 1]
        version, number, _domain, _address, _route, mechanism, *credentials = parts[start + 1:]
        verdict = [b"400", b"unknown key", b"", b""]
        if request == b"1.0" and mechanism == b"CURVE" and len(credentials) == 1:
            key = z85.encode(credentials[0])
            if key.decode() in self.peers:
                verdict = [b"200", b"OK", key, b""]
        if verdict[0] != b"200":
            self._drops["unknown-key"] += 1
        self._socket.send_multipart([*parts[:start + 1], version, number, *verdict])
        self._inbox.look_again()

    def close(self) -> None:
        self._inbox.close()
        self._socket.close(0)


class Listener:
    """Where peers of the allow list connect; answers go back along the `route` they came by.

    Each listener has its own ZeroMQ context, because a context has but one door keeper.
    """

    def __init__(
        self, endpoints: Sequence[str], *, keys: CurveKeys, received: Received,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self.endpoints = list(endpoints)
        """After `start`: those really bound, so `tcp://127.0.0.1:*` names its port then."""
        self.drops: Counter[str] = Counter()
        """What was refused or lost, by reason."""
        self._keys = keys
        self._received = received
        self._max_message_bytes = max_message_bytes
        self._allowed: dict[str, str] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None

    def allow(self, peers: Mapping[str, str]) -> None:
        """Replace the allow list: public key -> the peer's name."""
        self._allowed = dict(peers)
        if self._context is not None:
            self._keeper.peers = self._allowed

    def start(self) -> Problem | None:
        """Bind every endpoint, on the running event loop; on a Problem nothing stays open."""
        if not (is_key(self._keys.public) and is_key(self._keys.secret)):
            return bad_key(f"socket:{self.endpoints[0]}")
        self._context = zmq.Context()
        self._keeper = DoorKeeper(self._context, self.drops)
        self._keeper.peers = self._allowed
        self._socket = self._context.socket(zmq.ROUTER)
        set_options(self._socket, self._max_message_bytes)
        self._socket.curve_server = True
        self._socket.curve_publickey = self._keys.public.encode()
        self._socket.curve_secretkey = self._keys.secret.encode()
        self._socket.zap_domain = b"vmsg"
        # Without these two, a peer is let in when nobody answers for the allow list, and an answer
        # to a client that has gone is lost without being counted.
        self._socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._inbox = Inbox(self._socket, self._arrived)
        return self._bind()

    def _bind(self) -> Problem | None:
        bound = []
        for endpoint in self.endpoints:
            try:
                self._socket.bind(endpoint)
            except zmq.ZMQError as error:
                self.close()
                return problem(
                    "cannot-listen", f"socket:{endpoint}", what="The address cannot be bound.",
                    because=str(error),
                    fix="See that the address is this host's own and that no other daemon uses it.",
                )
            bound.append(self._socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0"))
        self.endpoints = bound
        return None

    def send(self, route: bytes, payload: bytes) -> bool:
        """Answer the peer behind `route`; False when it is gone or does not read."""
        if self._context is None:
            return False
        try:
            self._socket.send_multipart((route, payload), zmq.NOBLOCK)
        except zmq.ZMQError as error:  # EHOSTUNREACH: gone; EAGAIN: its queue is full
            self.drops["slow-peer" if error.errno == zmq.EAGAIN else "peer-gone"] += 1
            return False
        finally:
            self._inbox.look_again()
        return True

    def _arrived(self, frames: list[zmq.Frame]) -> None:
        if len(frames) != 2:
            self.drops["frames"] += 1
            return
        key = frames[1].get("User-Id")
        peer = self._allowed.get(key) if isinstance(key, str) else None
        if peer is None:
            self.drops["key-struck-off"] += 1
            return
        self._received(peer, frames[0].bytes, frames[1].bytes)

    def close(self) -> None:
        if self._context is None:
            return
        self._inbox.close()
        self._socket.close(0)
        self._keeper.close()
        self._context.term()
        self._context = None


class Sender:
    """A connection to one listener whose public key is known; made on the running event loop.

    All senders of a process share ZeroMQ's one default context and its one thread.
    """

    def __init__(
        self, endpoint: str, *, server_key: str, keys: CurveKeys,
        received: Callable[[bytes], None] | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES, watch_refusals: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.drops: Counter[str] = Counter()
        self._received = received
        self._loop = asyncio.get_running_loop()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._socket = context.socket(zmq.DEALER)
        set_options(self._socket, max_message_bytes)
        self._socket.set(zmq.IMMEDIATE, 1)  # nothing is queued for a peer that is not there
        self._socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        self._socket.set(zmq.CONNECT_TIMEOUT, HANDSHAKE_MS)
        self._socket.curve_serverkey = server_key.encode()
        self._socket.curve_publickey = keys.public.encode()
        self._socket.curve_secretkey = keys.secret.encode()
        self._refusals: zmq.Socket[bytes] | None = None
        if watch_refusals:
            self._refusals = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self._socket.connect(endpoint)
        self._dialled_s = self._loop.time()
        self._waiting: list[asyncio.Future[None]] = []
        self._inbox = Inbox(self._socket, self._arrived, ready=self._is_writable)
        self._is_open = True

    def was_refused(self) -> bool:
        """Whether the listener has said, since this was last asked, that our key is unknown.

        Whoever watches refusals must ask now and then: ZeroMQ's own thread stands still when a
        thousand of them were not collected.
        """
        refused = False
        while self._refusals is not None and events(self._refusals) & zmq.POLLIN:
            self._refusals.recv_multipart(zmq.NOBLOCK)
            refused = True
        return refused

    def is_up(self) -> bool:
        """Whether the peer is connected and reads."""
        if not self._is_open:
            return False
        is_writable = bool(events(self._socket) & zmq.POLLOUT)
        self._inbox.look_again()
        return is_writable

    def send(self, payload: bytes) -> bool:
        """Send now; False, and counted, when the peer is not connected or does not read."""
        if not self._is_open:
            return False
        try:
            self._socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            self.drops["peer-down"] += 1
            self._redial()
            return False
        finally:
            self._inbox.look_again()
        return True

    async def send_when_up(self, payload: bytes, *, deadline_s: float) -> bool:
        """Wait for the connection, then send; False when the deadline passed first. The reason
        may be a dead host or a refused key: a server tells strangers nothing."""
        due_s = self._loop.time() + deadline_s
        while not events(self._socket) & zmq.POLLOUT:
            left_s = due_s - self._loop.time()
            if left_s <= 0 or not self._is_open:
                return False
            self._redial()
            writable = self._loop.create_future()
            self._waiting.append(writable)
            await asyncio.wait([writable], timeout=min(left_s, REDIAL_S))
        return self.send(payload)

    def _redial(self) -> None:
        if self._loop.time() - self._dialled_s < REDIAL_S:
            return
        self._dialled_s = self._loop.time()
        try:
            self._socket.disconnect(self.endpoint)
        except zmq.ZMQError:  # ENOENT: ZeroMQ has given the connection up already
            self.drops["refused"] += 1
        self._socket.connect(self.endpoint)

    def _is_writable(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _arrived(self, frames: list[zmq.Frame]) -> None:
        if len(frames) != 1 or self._received is None:
            self.drops["frames"] += 1
            return
        self._received(frames[0].bytes)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._inbox.close()
            if self._refusals is not None:
                self._socket.disable_monitor()
                self._refusals.close(0)
            self._socket.close(0)
            self._is_writable()


def events(socket: "zmq.Socket[bytes]") -> int:
    """Whether a message waits (POLLIN) and whether one can be sent (POLLOUT)."""
    return int(socket.get(zmq.EVENTS))


def set_options(socket: "zmq.Socket[bytes]", max_message_bytes: int) -> None:
    """What holds for both ends."""
    socket.linger = 0  # closing never waits for a peer that does not read
    socket.set(zmq.MAXMSGSIZE, max_message_bytes)
    socket.set(zmq.SNDHWM, QUEUE_MESSAGES)
    socket.set(zmq.RCVHWM, QUEUE_MESSAGES)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.HEARTBEAT_IVL, PING_EVERY_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, PEER_DEAD_AFTER_MS)


def bad_key(subject: str) -> Problem:
    return problem(
        "bad-key", subject, what="A key is not a CURVE key.",
        because="A key has 40 characters of Z85.", fix="Make a new pair and put it in its place.",
    )
