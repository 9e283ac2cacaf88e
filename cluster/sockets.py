"""The one door to ZeroMQ: encrypted messages between nodes, and between a client and a node.

Every connection is CURVE: the listener proves its key to the caller, the caller proves its own, and
an allow list turns that key into a peer's name. The name is taken from the connection for each
message, never from what the message says about itself, so that a peer can only ever be itself; a
key taken off the list is deaf and dumb from that instant, also on a connection made before.

What must never happen here: bytes of an unknown key reaching the daemon; an exception because of
what arrived; waiting. What cannot be sent now is dropped and counted: those above send again.

A send may swallow the one signal that something arrived (cluster/socket_inbox.py), so every send
ends by asking.
"""

import asyncio
import logging
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import zmq
from zmq.utils import z85

from cluster.connections import Connections
from cluster.doorkeeper import DoorKeeper, Handshakes, told_address
from cluster.local_door import LOCAL, LocalDoor
from cluster.socket_inbox import POLLIN, POLLOUT, WIDE, Inbox, Queues, events
from cluster.socket_options import HANDSHAKE_MS, Socket, set_options
from cluster.tally import Tally
from packages.core.problem import Problem, problem
from packages.core.values import Value

log = logging.getLogger("vmsg.doors")

MAX_MESSAGE_BYTES = 64 << 20
"""A snapshot travels as one message; 100,000 packages are below 50 MB."""

RECONNECT_MS, RECONNECT_MAX_MS = 50, 500
"""A restarted peer is found within half a second, and a dead one costs two attempts a second."""

REDIAL_S = 2.0
"""ZeroMQ gives up for good on a server that refused the key; the key may be on its list later."""

OTHER_KEY_S = 0.8
"""How long a peer that changes its key is tried with one of the two: a connection over a WAN of
100 ms takes four round trips. The first try with the other key is made at once."""

ENDPOINT = re.compile(r"tcp://(\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9.-]+):[1-9][0-9]{0,4}")

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


def public_of(secret: str) -> str | None:
    """The public half of this secret; None when it is no key."""
    keys = keys_of(secret)
    return keys.public if keys is not None else None


def is_key(text: str) -> bool:
    """Whether this is a key in the form CURVE takes: 32 bytes as 40 characters of Z85."""
    try:
        return len(z85.decode(text)) == 32
    except (KeyError, ValueError, struct.error):
        return False


def is_endpoint(text: str) -> bool:
    """Whether ZeroMQ would connect there: it raises on what is none."""
    return ENDPOINT.fullmatch(text) is not None


def is_ipv6(endpoint: str) -> bool:
    return endpoint.startswith("tcp://[")


class Listener:
    """Where peers of the allow list connect; answers go back along the `route` they came by.

    Each listener has its own ZeroMQ context, because a context has but one door keeper.
    """

    def __init__(
        self, endpoints: Sequence[str], *, keys: CurveKeys, received: Received,
        max_message_bytes: int = MAX_MESSAGE_BYTES, queues: Queues = WIDE,
    ) -> None:
        self.endpoints = list(endpoints)
        """After `start`: those really bound, so `tcp://127.0.0.1:*` names its port then."""
        self.drops: Counter[str] = Counter()
        """What was refused or lost, by reason."""
        self.address = ""
        """Where the message came from that is being given to `received`."""
        self._keys = keys
        self._received = received
        self._max_message_bytes, self._queues = max_message_bytes, queues
        self._allowed: dict[str, str] = {}
        self._doors: list[LocalDoor] = []
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None

    def allow(self, peers: Mapping[str, str]) -> None:
        """Replace the allow list: public key -> the peer's name."""
        self._allowed = dict(peers)
        if self._context is not None:
            self._keeper.peers = self._allowed

    def change_keys(self, keys: CurveKeys) -> Problem | None:
        """Prove another key from now on. ZeroMQ knows no other way than to listen anew: every
        connection ends, and whoever knows the new key is back within milliseconds."""
        self._keys = keys
        if self._context is None:
            return None
        self.close()
        return self.start()

    def start(self) -> Problem | None:
        """Bind every endpoint, on the running event loop; on a Problem nothing stays open."""
        if not (is_key(self._keys.public) and is_key(self._keys.secret)):
            return bad_key(f"socket:{self.endpoints[0]}")
        self._context = zmq.Context()
        tally = self._tally = Tally(log, asyncio.get_running_loop().time, self.drops)
        self._keeper = DoorKeeper(self._context, tally, where=self.endpoints[0])
        self._keeper.peers = self._allowed
        self._socket = self._context.socket(zmq.ROUTER)
        set_options(self._socket, self._max_message_bytes, self._queues,
                    is_ipv6=any(map(is_ipv6, self.endpoints)))
        self._socket.curve_server = True
        self._socket.curve_publickey = self._keys.public.encode()
        self._socket.curve_secretkey = self._keys.secret.encode()
        self._socket.zap_domain = b"vmsg"
        # Without these two, a peer is let in when nobody answers for the allow list, and an answer
        # to a client that has gone is lost without being counted.
        self._socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._inbox = Inbox(self._socket, self._arrived)
        held = self._held = Connections(self._queues, tally, where=self.endpoints[0])
        self._handshakes = Handshakes(self._socket, tally, held, where=self.endpoints[0])
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
            if endpoint.startswith(LOCAL):
                self._doors.append(LocalDoor(endpoint))
        self.endpoints = bound
        self._held.listens(bound)
        return None

    def send(self, route: bytes, payload: bytes) -> bool:
        """Answer the peer behind `route`; False when it is gone or does not read."""
        if self._context is None or not self._held.may_answer(route, len(payload)):
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
            self._tally.refuse("frames", f"no message of ours, at {self.endpoints[0]}")
            return
        key, address = frames[1].get("User-Id"), frames[1].get("Peer-Address")
        if isinstance(key, str):
            self._held.heard(
                int(frames[1].get(zmq.SRCFD)), key, frames[0].bytes, len(frames[1].buffer))
        self.address = told_address(address) if isinstance(address, str) else ""
        peer = self._allowed.get(key) if isinstance(key, str) else None
        if peer is None:
            self._tally.refuse("key-struck-off", f"at {self.endpoints[0]}, from {self.address}")
            return
        self._received(peer, frames[0].bytes, frames[1].bytes)

    def close(self) -> None:
        if self._context is None:
            return
        while self._doors:
            self._doors.pop().close()
        self._inbox.close()
        self._handshakes.close()
        self._held.close()
        self._socket.close(0)
        self._keeper.close()
        self._context.term()
        self._context = None


class Sender:
    """A connection to one listener whose public key is known, or which is about to change it and
    then has two; made on the running event loop.

    All senders of a process share ZeroMQ's one default context and its one thread.
    """

    def __init__(
        self, endpoint: str, *, server_key: str, keys: CurveKeys,
        received: Callable[[bytes], None] | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES, watch_refusals: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.drops: Counter[str] = Counter()
        self._received, self._max_message_bytes = received, max_message_bytes
        self._watches_refusals = watch_refusals
        self._server_keys: tuple[str, ...] = (server_key,)
        self._keys = keys
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._is_open = True
        self.heard_s = self._loop.time()
        """When anything came last, on the loop's clock."""
        self._dial()

    def _dial(self) -> None:
        """A new socket each time: one that is told to disconnect still takes messages for a while,
        which nobody gets. OSError, and nothing has changed: no descriptor is left for it."""
        refusals: Socket | None = None
        with ExitStack() as made:
            try:
                socket: Socket = zmq.Context.instance().socket(zmq.DEALER)
                made.callback(socket.close, 0)
                self._set_up(socket)
                if self._watches_refusals:
                    refusals = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
                    made.callback(refusals.close, 0)
                socket.connect(self.endpoint)
            except zmq.ZMQError as error:
                raise OSError(error.errno, str(error)) from error
            made.pop_all()
        self._socket, self._refusals = socket, refusals
        self._dialled_s = self._loop.time()
        self._inbox = Inbox(self._socket, self._arrived, ready=self._is_writable)

    def _set_up(self, socket: "zmq.Socket[bytes]") -> None:
        set_options(socket, self._max_message_bytes, is_ipv6=is_ipv6(self.endpoint))
        socket.set(zmq.IMMEDIATE, 1)  # nothing is queued for a peer that is not there
        socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        socket.set(zmq.CONNECT_TIMEOUT, HANDSHAKE_MS)
        socket.curve_serverkey = self._server_keys[0].encode()
        socket.curve_publickey = self._keys.public.encode()
        socket.curve_secretkey = self._keys.secret.encode()

    def change_keys(self, *, server_keys: Sequence[str], keys: CurveKeys) -> None:
        """Know the listener by these keys, and prove this one to it. A connection goes on under
        the keys it was made with while both are still good."""
        if not self._is_open:
            return
        in_use = self._server_keys[0]
        is_good = in_use in server_keys and keys == self._keys
        # The key in use stays in front; the others are for when the connection ends.
        self._server_keys = tuple(sorted(server_keys, key=lambda key: key != in_use))
        self._keys = keys
        if not is_good:
            self._redial(turned=False)

    def was_refused(self) -> bool:
        """Whether the listener has said, since this was last asked, that our key is unknown.

        Whoever watches refusals must ask now and then: ZeroMQ's own thread stands still when a
        thousand of them were not collected.
        """
        refused = False
        while self._is_open and self._refusals is not None and events(self._refusals) & POLLIN:
            self._refusals.recv_multipart(zmq.NOBLOCK)
            refused = True
        return refused

    def is_up(self) -> bool:
        """Whether the peer is connected and reads."""
        if not self._is_open:
            return False
        is_writable = bool(events(self._socket) & POLLOUT)
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
            self._redial_if_due()
            return False
        finally:
            if self._received is not None:  # nothing arrives where nothing is expected
                self._inbox.look_again()
        return True

    async def send_when_up(self, payload: bytes, *, deadline_s: float) -> bool:
        """Wait for the connection, then send; False when the deadline passed first, or this was
        closed. The reason may be a dead host or a refused key: a server tells strangers nothing."""
        due_s = self._loop.time() + deadline_s
        while self._is_open and not events(self._socket) & POLLOUT:
            left_s = due_s - self._loop.time()
            if left_s <= 0:
                return False
            self._redial_if_due()
            writable = self._loop.create_future()
            self._waiting.append(writable)
            await asyncio.wait([writable], timeout=min(left_s, OTHER_KEY_S))
        return self.send(payload)

    def renew(self) -> None:
        """Connect anew: what was under way is lost. At most once in the time a connection needs."""
        if self._is_open and self._loop.time() - self._dialled_s >= OTHER_KEY_S:
            self._redial(turned=False)

    def _redial_if_due(self) -> None:
        waited_s = self._loop.time() - self._dialled_s
        if waited_s >= (REDIAL_S if len(self._server_keys) == 1 else OTHER_KEY_S):
            self._redial(turned=True)

    def _redial(self, *, turned: bool) -> None:
        """`turned`: with the listener's other key, where it has two."""
        if turned:
            self._server_keys = (*self._server_keys[1:], self._server_keys[0])
        before = self._inbox, self._socket, self._refusals
        try:
            self._dial()
        except OSError as error:
            log.warning("no new connection to %s: %s", self.endpoint, error)
            self._dialled_s = self._loop.time()
        else:
            hang_up(*before)

    def _is_writable(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _arrived(self, frames: list[zmq.Frame]) -> None:
        if len(frames) != 1 or self._received is None:
            self.drops["frames"] += 1
            return
        self.heard_s = self._loop.time()
        self._received(frames[0].bytes)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            hang_up(self._inbox, self._socket, self._refusals)
            self._is_writable()


def hang_up(inbox: Inbox, socket: "Socket", refusals: "Socket | None") -> None:
    inbox.close()
    if refusals is not None:
        socket.disable_monitor()
        refusals.close(0)
    socket.close(0)


def bad_key(subject: str) -> Problem:
    return problem(
        "bad-key", subject, what="A key is not a CURVE key.",
        because="A key has 40 characters of Z85.", fix="Make a new pair and put it in its place.",
    )
