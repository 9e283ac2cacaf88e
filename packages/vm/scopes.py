"""The one door to systemd's manager: a control group of its own for each guest.

A guest must outlive its daemon, so nothing that befalls the daemon's unit may reach it: no kill, no
freeze, no limit of memory or processor, no end of all because one was short of memory. Only who is
told a slice asks for scopes (conf/systemd/vmsgd.service); in a lab, or where there is no systemd,
guests stay where they were started.

At a host's shutdown guests are stopped after the daemon, which has moved or halted what it could,
and before the guardian; by SIGKILL, because systemd follows any other signal with one that lets a
frozen guest go on, whose disks may be another's by then.

What must never happen here: a start that fails, or waits for long, for the want of a scope.
"""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Protocol

from packages.vm.processes import told

log = logging.getLogger(__name__)

ASKED_S = 3.0
MOVED_S = 2.0
"""The manager answers when it has queued the job, which then takes milliseconds."""
LOOK_S = 0.005
AT_ONCE = 4
"""Of a daemon that starts, and has taken up hundreds of guests."""

MANAGER = (
    "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


class Scopes(Protocol):
    async def take(self, pid: int, package: str) -> None:
        """Put a guest's process into a group of its own, if it is not in it yet. Never raises."""


class NoScopes:
    async def take(self, pid: int, package: str) -> None:
        return


class SystemdScopes:
    def __init__(self, slice_name: str, *, busctl: str = "busctl") -> None:
        self._slice, self._busctl = slice_name, busctl
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def take(self, pid: int, package: str) -> None:
        name = scope_name(package, pid)
        try:
            if _is_in(name, pid):
                return
            async with self._turns:
                because = await self._asked(name, pid, package) or await _not_moved(name, pid)
        except TimeoutError:
            because = f"no answer within {ASKED_S:g} s"
        except OSError as failure:
            because = str(failure)
        if because and not _is_in(name, pid):
            log.warning("%s: its guest has no scope of its own, so what befalls the daemon's unit "
                        "befalls it too: %s", package, because)

    async def _asked(self, name: str, pid: int, package: str) -> str:
        """Why not; "" when the manager has taken it on."""
        process = await asyncio.create_subprocess_exec(
            self._busctl, *request(name, self._slice, pid, package),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE)
        _, complaint = await told(process, deadline_s=ASKED_S)
        return complaint.decode(errors="replace").strip() if process.returncode else ""


def scope_name(package: str, pid: int) -> str:
    """With the process, because the scope of an earlier life may not be gone yet."""
    return f"vmsg-{package}-{pid}.scope"


def request(name: str, slice_name: str, pid: int, package: str) -> list[str]:
    """What busctl(1) is given; the properties are those of systemd.scope(5) and systemd.kill(5)."""
    properties = [
        ["PIDs", "au", "1", str(pid)],
        ["Slice", "s", slice_name],
        ["Description", "s", f"vmsg guest {package}"],
        ["Before", "as", "1", "vmsgd.service"],
        ["After", "as", "1", "vmsg-guard.service"],
        ["KillSignal", "i", str(int(signal.SIGKILL))],
        ["CollectMode", "s", "inactive-or-failed"],
    ]
    return [
        "--system", f"--timeout={ASKED_S:g}", "call", *MANAGER, "StartTransientUnit",
        "ssa(sv)a(sa(sv))", name, "fail", str(len(properties)),
        *(word for each in properties for word in each), "0",
    ]


def _is_in(name: str, pid: int) -> bool:
    """One that is gone needs none. With the older hierarchies a process is in several groups."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    return any(line.rpartition("/")[2] == name for line in lines)


async def _not_moved(name: str, pid: int) -> str:
    try:
        async with asyncio.timeout(MOVED_S):
            while not _is_in(name, pid):
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        return f"it was not moved within {MOVED_S:g} s"
    return ""
