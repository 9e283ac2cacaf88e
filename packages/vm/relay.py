"""The carrier's process: guest memory from a unix socket on one node to one on another.

    python -I -S -E relay.py     with its orders on standard input, `key=value` a line:

    role=land    listens for the source's relay, passes what it sends to QEMU's unix socket
    role=launch  connects to the target's relay, listens on a unix socket for QEMU

It is a process of its own, so that a busy daemon never slows a guest's memory and a stuck peer
never hangs the daemon; standard library only, so that it starts in tens of milliseconds: its start
is part of every move. It survives the daemon, since a move must: it ends when its connections have
ended, when nothing connects in time, or when it is killed.

Each end of a connection ends by itself, and over TLS it says so. A source whose channel breaks in
the switch runs on by itself, so what the target holds is the last of the memory only where the
source's QEMU was the first to close: the target's relay notes that in the file `ended_path`.

What must never happen here: a byte from anybody who has not proven with the cluster's certificate
to be the expected node and shown this move's token reaching QEMU (one byte of garbage kills a
waiting target); guest memory in the clear, unless the orders say `plain`; a wait without an end; a
channel that broke taken for one that ended.

One line goes to standard output: `ready PORT`, or `refused REASON WORDS`. Then it is closed.
Standard error is the relay's log.
"""

import errno
import os
import select
import socket
import ssl
import sys
import threading
import time
from _operator import _compare_digest as equal_in_constant_time  # hmac would load hashlib

if __name__ == "__main__":  # -I leaves this tree out: its end, so that nothing hides the library's
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from packages.vm.hall import EXAMINED, LINGER_S, UNUSED_S, Census, Hall, addresses_of

CONNECT_S = 5.0
"""For TCP, TLS and the token together; a LAN needs milliseconds."""
BUFFER_BYTES, SOCKET_BUFFER_BYTES = 1 << 20, 4 << 20
AGAIN_S = 0.02
"""A source that had to make room at the landing comes again."""
TOKEN_BYTES = 64
"""What the token's line may take; the carrier's tokens have 32 characters."""
WELCOME, UNWELCOME = b"+", b"-"

# A peer that is gone without a word: nobody acknowledges what was sent, or answers when asked. Not
# before the longest lease is over (16 s with its margin): a source that waits for the last answer
# runs on by itself when the channel closes, and must be frozen by then if it is cut off from all.
DEAD_PEER_MS = 20_000
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 8, 4, 3

Orders = dict[str, str]
Stream = socket.socket


class Refusal(Exception):
    """The reason (a word for the carrier) and its explanation."""


class Direction:
    """One of a connection's two: what was read from `source` and not yet written to `sink`."""

    def __init__(self, source: Stream, sink: Stream, first: bytes = b"") -> None:
        self.source, self.sink, self.reverse = source, sink, self
        self.ended = self.told = False
        """Nothing more comes, though what came may still have to be written; the sink knows it."""
        self._view = memoryview(bytearray(BUFFER_BYTES))
        self._begin, self._end = 0, len(first)
        self._view[:len(first)] = first

    @property
    def is_empty(self) -> bool:
        return self._begin == self._end

    def move(self) -> bool:
        """Read and write what goes without waiting; true if anything went."""
        moved = False
        if self.is_empty and not self.ended:
            count = _read(self.source, self._view)
            if count is not None:
                self._begin, self._end, self.ended = 0, count, count == 0
                moved = True
        if not self.is_empty:
            # The same piece again after a refusal: TLS has begun to send it and insists on it.
            count = _write(self.sink, self._view[self._begin:self._end])
            if count is not None:
                self._begin += count
                moved = True
        if self.ended and self.is_empty and not self.told:
            self.reverse.ended |= _end(self.sink)
            self.told = moved = True
        return moved


def main() -> None:
    orders = _orders()
    if not orders:
        return
    try:
        (land if orders["role"] == "land" else launch)(orders)
    except Refusal as refusal:
        reason, words = refusal.args
        _report(f"refused {reason} {words}")
    except OSError as failure:  # a certificate, an address or a path
        _report(f"refused unusable {failure}")


def land(orders: Orders) -> None:
    """The target's side."""
    family = socket.AF_INET6 if ":" in orders["address"] else socket.AF_INET
    listener = socket.create_server(
        (orders["address"], int(orders.get("port", "0"))), family=family)
    context = _context(orders, ssl.PROTOCOL_TLS_SERVER)
    if context:
        context.num_tickets = 0  # every connection proves itself anew
    census = Census()

    def examine(connection: Stream) -> None:
        trusted = _examined(connection, context, orders)
        if not hall.leave(connection) or trusted is None:
            return (trusted or connection).close()
        with census:
            _deliver(trusted, orders)

    hall = Hall(listener, addresses_of(orders.get("source", "")), examine)
    _report(f"ready {listener.getsockname()[1]}")
    while (left_s := census.left_s()) > 0:
        hall.serve(min(left_s, LINGER_S))


def launch(orders: Orders) -> None:
    """The source's side. The first connection is made before QEMU is let in: a target that is
    wrong is found out while nothing depends on it, and no handshake delays the copy."""
    context = _context(orders, ssl.PROTOCOL_TLS_CLIENT)
    spare = [_connected(orders, context)]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(orders["socket_path"])
    listener.listen(EXAMINED)
    _report("ready 0")
    census = Census()

    def accepted(local: Stream) -> None:
        try:
            remote = spare.pop() if spare else _connected(orders, context)
        except Refusal:
            return local.close()
        with census:
            _carry(local, remote)

    while (left_s := census.left_s()) > 0:
        listener.settimeout(min(left_s, LINGER_S))
        try:
            connection, _ = listener.accept()
        except OSError:
            continue
        connection.setblocking(True)
        threading.Thread(target=accepted, args=(connection,), daemon=True).start()


def _examined(connection: Stream, context: ssl.SSLContext | None, orders: Orders) -> Stream | None:
    """The connection, if it is the expected node with the token; others are told nothing but no."""
    try:
        _harden(connection)
        connection.settimeout(CONNECT_S)
        if context:
            connection = context.wrap_socket(
                connection, server_side=True, suppress_ragged_eofs=False)
        said = _line(connection)
        is_node = not isinstance(connection, ssl.SSLSocket) or _is_node(
            connection.getpeercert(), orders["peer"])
        is_welcome = equal_in_constant_time(said, orders["token"].encode()) and is_node
        connection.sendall(WELCOME if is_welcome else UNWELCOME)
        return connection if is_welcome else None
    except (OSError, ValueError):  # ssl's own errors are OSErrors
        return None


def _connected(orders: Orders, context: ssl.SSLContext | None) -> Stream:
    """A connection to the target's relay, welcomed there. Raises Refusal."""
    until_s = time.monotonic() + CONNECT_S
    while True:
        try:
            return _welcomed(orders, context)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as failure:
            if time.monotonic() >= until_s:
                raise Refusal("crowded", failure) from failure
            time.sleep(AGAIN_S)


def _welcomed(orders: Orders, context: ssl.SSLContext | None) -> Stream:
    """Raises Refusal; or ConnectionResetError or SSLEOFError where it had to make room there."""
    try:
        connection = _dialled(orders)
        _harden(connection)
    except ConnectionResetError:
        raise
    except OSError as failure:
        raise Refusal("unreachable", failure) from failure
    try:
        if context:
            connection = context.wrap_socket(
                connection, server_hostname=orders["peer"], suppress_ragged_eofs=False)
            if not _is_node(connection.getpeercert(), orders["peer"]):
                raise Refusal("untrusted", "the certificate is another node's")
        connection.sendall(orders["token"].encode() + b"\n")
        if connection.recv(1) != WELCOME:
            raise Refusal("unwelcome", "it closed the connection")
    except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
        connection.close()
        raise
    except ssl.SSLCertVerificationError as failure:
        raise Refusal("untrusted", failure.verify_message) from failure
    except OSError as failure:
        raise Refusal("unwelcome", failure) from failure
    return connection


def _dialled(orders: Orders) -> Stream:
    """From this node's own address of that network, by which the landing knows it."""
    there, own = (orders["address"], int(orders["port"])), orders.get("own", "")
    if own:
        try:
            return socket.create_connection(there, CONNECT_S, (own, 0))
        except OSError as failure:
            if failure.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL):
                raise
    return socket.create_connection(there, CONNECT_S)


def _deliver(trusted: Stream, orders: Orders) -> None:
    """Let QEMU know of the source only once it speaks: an idle connection would keep the one that
    comes for real from being heard, and one that closes would end a waiting target."""
    local = socket.socket(socket.AF_UNIX)
    try:
        trusted.settimeout(UNUSED_S)
        first = trusted.recv(BUFFER_BYTES)
        if first:
            local.connect(orders["socket_path"])
            if _carry(trusted, local, first) and isinstance(trusted, ssl.SSLSocket):
                # Without TLS a relay that is killed looks like one that has ended.
                os.close(os.open(orders["ended_path"], os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        return
    finally:
        local.close()
        trusted.close()


def _carry(one: Stream, other: Stream, first: bytes = b"") -> bool:
    """Both directions, each until it ends; a break of either is the end of both. Whether what came
    from `one` ended by itself, with everything delivered."""
    for stream in (one, other):
        stream.setblocking(False)
    there, back = Direction(one, other, first), Direction(other, one)
    there.reverse, back.reverse = back, there
    until_s = float("inf")
    try:
        while not (there.told and back.told) and time.monotonic() < until_s:
            if there.told or back.told:
                until_s = min(until_s, time.monotonic() + LINGER_S)
            if not (there.move() | back.move()):
                _wait(there, back, until_s)
    except OSError:
        pass
    finally:
        one.close()
        other.close()
    return there.told


def _end(stream: Stream) -> bool:
    """Say that nothing more comes this way. Whether the peer has said the same before."""
    try:
        if isinstance(stream, ssl.SSLSocket):
            stream.unwrap()
            return True
        stream.shutdown(socket.SHUT_WR)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        pass  # it is on its way
    return False


def _wait(there: Direction, back: Direction, until_s: float) -> None:
    """Until a direction that has nothing may read or one that has something may write. A dead peer
    wakes it too: the kernel closes that connection after its own timers."""
    poll = select.poll()
    wanted: dict[int, int] = {}
    for each in (there, back):
        if each.told:
            continue
        if each.is_empty:
            descriptor, event = each.source.fileno(), select.POLLIN
        else:
            descriptor, event = each.sink.fileno(), select.POLLOUT
        wanted[descriptor] = wanted.get(descriptor, 0) | event
    for descriptor, events in wanted.items():
        poll.register(descriptor, events)
    poll.poll(1000 * min(max(0.0, until_s - time.monotonic()), UNUSED_S))


def _read(stream: Stream, into: memoryview) -> int | None:
    """Bytes read, 0 at the end, None when there is nothing now. TLS gives one record (16 KiB) at a
    time: as many as are there are gathered, so that they are passed on in one piece."""
    count = 0
    try:
        while count < len(into):
            got = stream.recv_into(into[count:])
            count += got
            if not got or not isinstance(stream, ssl.SSLSocket):
                return count
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return count or None
    except ssl.SSLZeroReturnError:  # the peer's end, after ours
        return count
    except OSError:  # a break, found again once what came before it is delivered
        if not count:
            raise
    return count


def _write(stream: Stream, content: memoryview) -> int | None:
    try:
        return stream.send(content)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


def _context(orders: Orders, protocol: int) -> ssl.SSLContext | None:
    """TLS 1.3 with the cluster's certificates on both ends, or None for `plain`."""
    if orders["transport"] == "plain":
        return None
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(f"{orders['etc']}/ca.crt")
    context.load_cert_chain(f"{orders['etc']}/node.crt", f"{orders['etc']}/node.key")
    return context


def _is_node(certificate: object, name: str) -> bool:
    """The certificate is for this one node, by its only DNS name."""
    names = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return tuple(names) == (("DNS", name),)


def _harden(connection: Stream) -> None:
    tcp, any_socket = socket.IPPROTO_TCP, socket.SOL_SOCKET
    for level, option, value in (
        (tcp, socket.TCP_NODELAY, 1), (tcp, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS),
        (tcp, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S),
        (tcp, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S),
        (tcp, socket.TCP_KEEPCNT, KEEPALIVE_PROBES), (any_socket, socket.SO_KEEPALIVE, 1),
        (any_socket, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES),
    ):
        connection.setsockopt(level, option, value)


def _line(connection: Stream) -> bytes:
    """What comes before a line feed; nothing behind it is read."""
    said = b""
    while len(said) < TOKEN_BYTES:
        byte = connection.recv(1)
        if byte in (b"", b"\n"):
            return said
        said += byte
    raise ValueError("too long for a token")


def _orders() -> Orders:
    """Nothing when the daemon that started this has ended, or has thought better of it."""
    told = select.poll()
    told.register(0, select.POLLIN)
    if not told.poll(1000 * UNUSED_S):
        return {}
    raw = sys.stdin.buffer.read()
    return dict(line.split("=", 1) for line in raw.decode().splitlines())


def _report(line: str) -> None:
    """The one line, and nothing after it; neither pipe of the daemon's is kept."""
    os.write(1, line.replace("\n", " ").encode() + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)


if __name__ == "__main__":
    main()
