"""Everything that came of one program, found in /proc and ended, wherever it hid.

A child may leave the group (setpgid), the session (setsid) and its parent (a double fork), so all
three traces are followed, and a mark in the environment, which every child inherits. A program
that takes care to wipe the mark after leaving all three gets away; an operator's health check has
no reason to. Blocking (it reads all of /proc): to be called in a thread.

What must never happen here: a signal to a process that is not of the program, so each is held by
a pidfd and its start time compared before.
"""

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

TRIES = 40
PAUSE_S = 0.005
"""Between two looks, while the killed die and the forking fork: 0.2 s in all."""


class Seen(NamedTuple):
    pid: int
    parent: int
    session: int
    start_ticks: int


def end_descendants(leader: int, mark: bytes) -> bool:
    """Kill all of the session of `leader`, all with `mark` in their environment and all children
    of those. True: none was left."""
    for _ in range(TRIES):
        found = descendants(leader, mark)
        if not found:
            return True
        for each in found:
            _kill(each)
        time.sleep(PAUSE_S)
    return False


def descendants(leader: int, mark: bytes) -> list[Seen]:
    everybody = {seen.pid: seen for seen in map(_look, _pids()) if seen is not None}
    ours = {
        pid for pid, seen in everybody.items()
        if seen.session == leader or pid == leader or mark in _environment(pid)
    }
    grown = True
    while grown:
        children = {pid for pid, seen in everybody.items() if seen.parent in ours} - ours
        ours |= children
        grown = bool(children)
    return [everybody[pid] for pid in sorted(ours)]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _look(pid: int) -> Seen | None:
    """None: gone, or a zombie, which does nothing any more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return Seen(pid, int(fields[1]), int(fields[3]), int(fields[19]))


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _kill(seen: Seen) -> None:
    try:
        pidfd = os.pidfd_open(seen.pid)
    except OSError:
        return
    try:
        now = _look(seen.pid)
        if now is not None and now.start_ticks == seen.start_ticks:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)
