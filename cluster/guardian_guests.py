"""The guests of the guardian: each one process, held so that no other can be taken for it.

A part of cluster/guardian.py and of the same rule: standard library only.
"""

import os
import signal
from typing import Any

from cluster.guardian_host import Json, say
from cluster.supervision import ERROR, WARNING

NAME = b"vmsg:"
"""How the -name of every guest of ours begins (packages/vm/qemu/command_line.py, identity)."""


class Garbage(Exception):
    """The peer sent something that is not of the protocol, or asks for what cannot be done; its
    connection is dropped."""


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        raise Garbage("number")
    return float(value)


class Guest:
    """One registered process, held by a pidfd that cannot come to mean another process."""

    def __init__(self, said: Any) -> None:
        names = ("package", "epoch", "pid", "start_ticks")
        if not isinstance(said, dict) or [type(said.get(name)) for name in names] != [
            str, int, int, int,
        ]:
            raise Garbage("guest")
        self.shown: Json = {name: said[name] for name in names}
        self.pid, self.start_ticks = said["pid"], said["start_ticks"]
        if len(said["package"]) > 255 or not 1 < self.pid < 1 << 31 or self.pid == os.getpid():
            raise Garbage("guest")
        self.state = "frozen" if said.get("frozen") is True else "thawed"
        self.pidfd = -1
        self.has_stood = False
        """Seen to stand since it was stopped: that may take it a moment."""

    @property
    def key(self) -> tuple[int, int]:
        return self.pid, self.start_ticks

    def held(self) -> bool:
        """Open the pidfd; False: no such process. The start time is looked at after that, so that
        a pid used again in between is noticed. One found stopped is taken for frozen: a guardian
        before this one may have died between the deed and its record. OSError: it may well be
        there, and cannot be held."""
        try:
            self.pidfd = os.pidfd_open(self.pid)
            # Field 22; the second, a name in brackets, may contain anything.
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
            if int(fields[19]) == self.start_ticks:
                if fields[0] == b"T":
                    self.state = "frozen"
                return True
        except (ProcessLookupError, FileNotFoundError):
            pass
        except OSError:
            self.let_go()
            raise
        self.let_go()
        return False

    def stands(self) -> bool:
        """As the kernel shows it; what cannot be read is not said to run."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] in (b"T", b"t", b"X", b"Z")
        except (OSError, IndexError):
            return True

    def let_go(self) -> None:
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def bring(self, state: str) -> bool:
        """To `thawed`, `frozen` or `killed`; True if that is new. A frozen guest is stopped again
        each time, because somebody may have continued it (or the record may be a moment old). Only
        what was frozen is thawed: one stopped by others later is the health checks' business."""
        if self.state == "killed" or self.state == state == "thawed":
            return False
        stood = self.has_stood
        self.has_stood = self.state == state == "frozen" and self.stands()
        if self.state == state and stood and not self.has_stood:
            say(f"CONTINUED by somebody, and stopped again: {self.shown}")
        how = {
            "frozen": signal.SIGSTOP, "thawed": signal.SIGCONT, "killed": signal.SIGKILL,
        }[state]
        try:
            signal.pidfd_send_signal(self.pidfd, how)
        except ProcessLookupError:
            return False  # its end is about to be read from the pidfd
        except OSError as error:
            say(f"CANNOT signal {self.shown}: {error}", ERROR)
            return False
        before, self.state = self.state, state
        return before != state


def found_guests(folder: str) -> list[Guest]:
    """The guests whose sockets and logs are below this folder, by the names of their processes."""
    folders = {os.path.abspath(folder).encode() + b"/", os.path.realpath(folder).encode() + b"/"}
    there = [_guest_of(each, folders) for each in os.listdir("/proc") if each.isdigit()]
    found = [guest for guest in there if guest is not None]
    if found:
        say(f"no record, and {len(found)} guests are here: they stand until the daemon says more",
            WARNING)
    return found


def _guest_of(pid: str, folders: set[bytes]) -> Guest | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            words = cmdline.read().split(b"\0")
        with open(f"/proc/{pid}/stat", "rb") as stat:
            start_ticks = int(stat.read().rpartition(b")")[2].split()[19])
        name = next((each for each in words if each.startswith(NAME)), None)
        if name is None or not any(folder in each for folder in folders for each in words):
            return None
        _, package, epoch, _ = name.decode().split(":", 3)
        return Guest({
            "package": package, "epoch": int(epoch), "pid": int(pid), "start_ticks": start_ticks})
    except (OSError, ValueError, IndexError, Garbage):
        return None
