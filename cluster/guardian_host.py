"""What the guardian asks of Linux: a timer, a lock, a socket, priority, a record, a log.

The other half of cluster/guardian.py and of the same rule: standard library only, and nothing in
here may wait for anything but the tmpfs it writes to.
"""

import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import time
from contextlib import suppress
from typing import Any

from cluster.supervision import ERROR, INFO, WARNING, is_journal, prioritised

Json = dict[str, Any]

NEVER_S = 1e11
"""Later than any clock will show; finite, because JSON knows no infinity."""

CONNECTIONS = 16
"""The daemon, its successor, an operator's question; more is a mistake."""

SENT_BYTES = 1 << 20
"""Room for the whole answer of a node with thousands of guests: it is sent at once or not."""

LIBC = ctypes.CDLL(None, use_errno=True)


def boottime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


TO_JOURNAL = is_journal(os.environ)


def say(text: str, priority: int = INFO) -> None:
    """One line on stderr, lost rather than waited for: a log that is full must not stop this."""
    line = prioritised(text, priority) if TO_JOURNAL else f"vmsg-guard: {text}"
    writable = select.poll()
    writable.register(2, select.POLLOUT)
    try:
        if writable.poll(0):
            os.write(2, f"{line}\n".encode()[:4096])
    except OSError:
        return


class Alarm:
    """A kernel timer on CLOCK_BOOTTIME, readable when it has fired; Python 3.11 has none."""

    def __init__(self) -> None:
        clock_boottime, nonblock_cloexec = 7, 0o2004000
        self.fd: int = LIBC.timerfd_create(clock_boottime, nonblock_cloexec)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        return self.fd

    def set(self, at_s: float) -> None:
        """Fire then, at once if that is past. Setting it also ends its readability."""
        absolute, nanos = 1, max(1, int(at_s * 1e9)) if at_s < NEVER_S else 0  # 0 disarms
        when = (ctypes.c_long * 4)(0, 0, nanos // 10**9, nanos % 10**9)
        LIBC.timerfd_settime(self.fd, absolute, when, None)


class Watchdog:
    """/dev/watchdog: resets the host `timeout_s` after it was petted last. Once opened it goes on
    counting, also when this process is killed, until somebody pets it or says the magic V.

    Anything that is written to like one serves as one (the lab's is a pipe); what is no device has
    the timeout it was given.
    """

    set_timeout, get_timeout, get_support = 0xC0045706, 0x80045707, 0x80285700  # WDIOC_*

    def __init__(self, path: str, timeout_s: float) -> None:
        self.path, self.wished_s = path, timeout_s
        self.fd, self.timeout_s, self.identity, self.said = -1, 0.0, "", ""
        self.open()

    def open(self) -> None:
        """Tried again at each petting: a predecessor that was killed leaves the device counting,
        and may let go of it only after this process has begun; then it has to be petted soon."""
        if not self.path or self.fd >= 0:
            return
        try:  # not waiting: a pipe that nobody reads is no watchdog
            self.fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            why = f"no watchdog: {self.path}: {error.strerror}"
            if why != self.said:
                say(why, WARNING)
            self.said = why
            return
        self.said, self.timeout_s = "", self.wished_s
        self.identity = os.path.basename(self.path)
        self._learn()
        say(f"watchdog {self.identity}: resets this host after {self.timeout_s:g} s")

    def _learn(self) -> None:
        """What it really is, and takes."""
        wish = struct.pack("i", max(1, int(self.wished_s)))
        try:
            fcntl.ioctl(self.fd, self.set_timeout, wish)
            [held_s] = struct.unpack("i", fcntl.ioctl(self.fd, self.get_timeout, bytes(4)))
            support = fcntl.ioctl(self.fd, self.get_support, bytes(40))
            self.timeout_s = float(held_s)
            self.identity = support[8:].split(b"\0")[0].decode(errors="replace")
        except OSError as error:
            if not stat.S_ISFIFO(os.fstat(self.fd).st_mode):
                say(f"{self.path} has a timeout of its own, which proves nothing: {error.strerror}",
                    WARNING)
                self.timeout_s = 0.0

    def pet(self) -> None:
        self.open()
        self._write(b"\0")

    def close(self) -> None:
        """Nobody is left to guard: do not reset the host."""
        self._write(b"V")
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _write(self, what: bytes) -> None:
        if self.fd < 0:
            return
        try:
            os.write(self.fd, what)
        except OSError as error:
            say(f"CANNOT write to the watchdog: {error}", ERROR)


class Record:
    """DIR/guardian.json: what a guardian's successor has to know, of this boot only."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "guardian.json")
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot_id:
            self.boot_id = boot_id.read().strip()

    def write(self, kept: Json) -> bool:
        """Whole or not at all: whether it is there. Not synced: it outlives this process, and need
        not a power cut. One that cannot be written any more is taken away: an old one would hide
        the newer guests from a successor, who finds them by their names where there is none."""
        try:
            with open(self.path + ".new", "w", encoding="ascii") as new:
                new.write(json.dumps({"boot_id": self.boot_id, **kept}))
            os.replace(self.path + ".new", self.path)
        except OSError as error:
            say(f"CANNOT write {self.path}: {error}; a restart would freeze all guests at first",
                ERROR)
            for each in (self.path, self.path + ".new"):
                with suppress(OSError):
                    os.unlink(each)
            return False
        return True

    def read(self) -> Json | None:
        """None: there is none of this boot, so its clock and its pids would mean nothing."""
        try:
            with open(self.path, "rb") as old:
                kept = json.load(old)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            say(f"record {self.path} is unreadable: {error}", ERROR)
            return None
        if not isinstance(kept, dict) or kept.get("boot_id") != self.boot_id:
            return None
        return kept


class ToEnd:
    """Readable when a signal to end, or to begin anew, has come; the handler does nothing."""

    def __init__(self) -> None:
        self.readable, wakeup = socket.socketpair()
        self.readable.setblocking(False)
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.detach(), warn_on_full_buffer=False)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, lambda *_: None)

    def fileno(self) -> int:
        return self.readable.fileno()

    def taken(self) -> set[int]:
        """The signals that have come since."""
        return set(self.readable.recv(64))


class Place:
    """DIR, with the lock by which one guardian alone guards it, and its socket. Whoever cleans up
    below /run takes both away: a daemon that starts would find nobody, and a second guardian would
    start beside the first. The lock is held for as long as this process lives."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.lock = -1
        self.lock_path = os.path.join(folder, "guardian.lock")
        self.socket_path = os.path.join(folder, "guardian.sock")
        self.spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        """With which a caller is turned away where no descriptor is left for it: one that waits at
        the door would have the loop turn for nothing, and this process is real-time."""

    def locked(self) -> bool:
        """Whether it is ours alone now. Raises OSError."""
        lock = os.open(self.lock_path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        if self.lock >= 0:
            os.close(self.lock)
        self.lock = lock
        return True

    def listening(self) -> socket.socket:
        """Only the lock's holder comes here, so a socket found there is a dead one's."""
        if os.path.exists(self.socket_path):
            os.unlink(self.socket_path)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listener.bind(self.socket_path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
        return listener

    def accepted(self, listener: socket.socket) -> socket.socket | None:
        """The next peer, if it is of our own uid (root's, on a node)."""
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._turn_away(listener)
            return None
        _, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            say(f"refused a connection of uid {uid}", WARNING)
            sock.close()
            return None
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
        return sock

    def _turn_away(self, listener: socket.socket) -> None:
        say("refused a connection: no descriptor is left for it", ERROR)
        with suppress(OSError):
            os.close(self.spare)
        with suppress(OSError):
            listener.accept()[0].close()
        with suppress(OSError):
            self.spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def is_whole(self) -> bool:
        return self._has_lock() and os.path.exists(self.socket_path)

    def made_again(self) -> socket.socket | None:
        """A new listener where something was missing; None: not now."""
        try:
            os.makedirs(self.folder, 0o700, exist_ok=True)
            if self._has_lock() or self.locked():
                return self.listening()
            say(f"another guardian guards {self.folder} since it was cleaned up", ERROR)
        except OSError as error:
            say(f"CANNOT make again what was cleaned up in {self.folder}: {error}", ERROR)
        return None

    def _has_lock(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.lock_path), os.fstat(self.lock))
        except OSError:
            return False


def begin_again(environment: Json) -> None:
    """Begin this program again, as this process, with what is on the disk now: by its own script,
    which may name another Python than before. It returns only where that cannot be done, and then
    nothing has changed."""
    say("begins anew, with what is installed now")
    is_script = os.access(sys.argv[0], os.X_OK)
    words = sys.argv if is_script else [sys.executable, *sys.orig_argv[1:]]
    try:
        os.execve(words[0], words, {**os.environ, **environment})
    except OSError as error:
        say(f"CANNOT begin anew, so this one goes on: {error}", ERROR)


def harden() -> None:
    """Be there when the host is sick. All of it is best effort: a lab's guardian may not."""
    current_future_onfault = 1 | 2 | 4  # lock what is used, not all that is mapped
    if LIBC.mlockall(current_future_onfault) != 0:
        say("memory is not locked: a swapping host may freeze guests late", WARNING)
    for what, attempt in (
        ("real-time priority", _in_real_time),
        ("exemption from the end for want of memory", _never_ended_for_memory),
        ("more descriptors", _all_descriptors),
    ):
        try:
            attempt()
        except (OSError, ValueError) as error:  # what one lacks must not cost the others
            say(f"no {what}: {error}", WARNING)


def _in_real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _never_ended_for_memory() -> None:
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("-1000")


def _all_descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
