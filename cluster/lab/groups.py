"""All processes of one lab node as one thing: found, stopped and continued together.

A node's processes are in a control group that the node's first ones are started in and that their
children, the guests, inherit. Where the machine has no writable freezer the node's network
namespace tells whose a process is, and signals do the stopping. Both are always asked who belongs
to the node, so that nothing slips through between being started and being registered.

The waiting of storage requests uses the block layer's limits: with two bytes a second a node's
reads and writes hang in silence, as they do on a SAN whose path is gone, and go on when healed.
"""

import asyncio
import contextlib
import os
import signal
from itertools import product
from pathlib import Path

from cluster.lab.hosts import NAMESPACES
from cluster.lab.plan import NodePlan
from packages.core.problem import Problem, problem

FREEZE_DEADLINE_S = 2.0
"""Freezing takes a millisecond; a process that waits for its disk is frozen when it has it."""

POLL_S = 0.005
STOPPED, DEAD = "T", "ZX"
"""States in /proc/PID/stat."""

LIMITS = ("blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device")
LEAST_BYTES_S = 2
"""The least the kernel takes. A request of 4 KiB then waits half an hour, one of 512 bytes four
minutes: longer than any lab looks at it."""


def mounted(kind: str, option: str = "") -> Path | None:
    """Where a control group hierarchy is, if we may make groups in it."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, its_kind, options = line.split()[:4]
        if its_kind == kind and (not option or option in options.split(",")):
            return Path(where) if os.access(where, os.W_OK) and "rw" in options.split(",") else None
    return None


class NodeGroup:
    """The processes of one node."""

    def __init__(self, node: NodePlan) -> None:
        self.node = node
        freezer, blkio = mounted("cgroup", "freezer"), mounted("cgroup", "blkio")
        self.freezer = freezer / node.netns if freezer else None
        self.blkio = blkio / node.netns if blkio else None
        unified = mounted("cgroup2") if not freezer else None
        self.unified = unified / node.netns if unified else None

    @property
    def folders(self) -> list[Path]:
        """Of the control groups that the node's processes are in."""
        return [each for each in (self.freezer, self.blkio, self.unified) if each]

    def make(self) -> None:
        for each in self.folders:
            each.mkdir(exist_ok=True)

    def remove(self) -> bool:
        """Whether none of them is there any more; one that somebody is in stays."""
        for each in self.folders:
            with contextlib.suppress(OSError):  # not there, or somebody is in it
                each.rmdir()
        return not any(each.exists() for each in self.folders)

    def members(self) -> list[int]:
        """Every process of the node that is not dead."""
        found = in_namespace(self.node.netns)
        for each in self.folders:
            with contextlib.suppress(FileNotFoundError):
                found |= {int(pid) for pid in (each / "cgroup.procs").read_text().split()}
        return sorted(pid for pid in found if state_of(pid) not in DEAD)

    def signal(self, number: signal.Signals) -> None:
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def freeze(self) -> None:
        """Stop them all. What still waits for its disk after the deadline stops when it has it."""
        if self.freezer:
            write(self.freezer / "freezer.state", "FROZEN")
            await self._until(self.freezer / "freezer.state", "FROZEN")
        elif self.unified:
            write(self.unified / "cgroup.freeze", "1")
            await self._until(self.unified / "cgroup.events", "frozen 1")
        else:
            self._note_stopped()
            self.signal(signal.SIGSTOP)

    async def thaw(self) -> None:
        """Continue them all, but for those that were stopped before the freeze."""
        if self.freezer:
            write(self.freezer / "freezer.state", "THAWED")
        elif self.unified:
            write(self.unified / "cgroup.freeze", "0")
        else:
            for pid in set(self.members()) - self._were_stopped():
                os.kill(pid, signal.SIGCONT)

    async def _until(self, path: Path, content: str) -> None:
        with contextlib.suppress(TimeoutError, FileNotFoundError):
            async with asyncio.timeout(FREEZE_DEADLINE_S):
                while content not in path.read_text().splitlines():
                    await asyncio.sleep(POLL_S)

    @property
    def _stopped_file(self) -> Path:
        return Path(self.node.folder, "stopped")

    def _note_stopped(self) -> None:
        stopped = [str(pid) for pid in self.members() if state_of(pid) == STOPPED]
        if not self._stopped_file.exists():  # a second freeze would note everything
            self._stopped_file.write_text(" ".join(stopped))

    def _were_stopped(self) -> set[int]:
        try:
            stopped = {int(pid) for pid in self._stopped_file.read_text().split()}
        except FileNotFoundError:
            return set()
        self._stopped_file.unlink()
        return stopped

    def limit_storage(self, devices: list[str], *, waiting: bool) -> Problem | None:
        """Let the node's requests to these devices wait, or go on."""
        numbers = [os.stat(each).st_rdev for each in devices if os.path.exists(each)]
        names = [f"{os.major(each)}:{os.minor(each)}" for each in numbers]
        if self.blkio and (self.blkio / LIMITS[0]).exists():
            for name, each in product(names, LIMITS):
                write(self.blkio / each, f"{name} {LEAST_BYTES_S if waiting else 0}")
            return None
        if self.unified and has_io_controller(self.unified):
            limit = LEAST_BYTES_S if waiting else "max"
            for name in names:
                write(self.unified / "io.max", f"{name} rbps={limit} wbps={limit}")
            return None
        return problem(
            "storage-cut-unsupported", f"node:{self.node.name}",
            what="this machine cannot cut a node off its storage",
            because="LUNs of a lab are loop devices, and the kernel's limit on block requests "
                    "(blkio.throttle or io.max of control groups) is not there",
            fix="use a kernel with CONFIG_BLK_DEV_THROTTLING, or cut another network",
        )


def has_io_controller(group: Path) -> bool:
    """Whether the group has it, switched on where it was off; it stays on, for it only counts."""
    if not (group / "io.max").exists():
        with contextlib.suppress(OSError):  # this kernel has none
            (group.parent / "cgroup.subtree_control").write_text("+io")
    return (group / "io.max").exists()


def in_namespace(netns: str) -> set[int]:
    """Processes whose network namespace is this one."""
    try:
        wanted = (NAMESPACES / netns).stat().st_ino
    except FileNotFoundError:
        return set()
    found = set()
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                if (each / "ns/net").stat().st_ino == wanted:
                    found.add(int(each.name))
    return found


def state_of(pid: int) -> str:
    """The letter of /proc/PID/stat; X for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def write(path: Path, content: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # a half-made or half-removed node
        path.write_text(content)
