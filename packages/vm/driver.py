"""The door to a hypervisor: start, adopt, observe, move and end one guest.

What must never happen here: a guest continued that the record has given away, or one ended
because a question about it went unanswered. A driver decides nothing: it does what it is told
for one (package, epoch), or returns the Problem that kept it from it. Every call has a deadline.

The states are those real QEMU shows (docs/moves.md). The product always sends `cont` itself:
a target never runs by itself.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Protocol

from packages.core.model import PackageSpec, VmSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value

RunState = Literal[
    "running",       # the guest's vCPUs run
    "paused",        # stopped by the host; on a target: loaded completely, never run
    "prelaunch",     # made, never continued
    "incoming",      # waits for, or receives, a migration
    "switchover",    # source, stopped for the switch: pre-switchover or device
    "postmigrate",   # source, everything sent; may be continued only before the commit
    "io-error",      # stopped by the hypervisor on a storage error: a failure, never "up"
    "panicked",      # the guest's kernel said so
    "watchdog",      # the guest's watchdog ran out
    "suspended",     # the guest suspended itself to memory
    "shutdown",      # the guest powered itself off
    "unanswered",    # the process lives, its monitor does not answer in time
    "gone",          # no such process
]

MigrationState = Literal[
    "none", "setup", "active", "pre-switchover", "device", "completed", "failed", "cancelling",
    "cancelled",
]


class Guest(Value):
    """One life of one guest on this node, as found again after a restart of the daemon.

    `pid` alone is never trusted: it goes with the start time of /proc/PID/stat (field 22, clock
    ticks) and the identity the guest's monitor gives.
    """

    package: str
    epoch: int
    boot_id: str
    pid: int
    start_ticks: int
    accel: str
    machine: str
    """The versioned machine type it was booted with, for example pc-q35-7.2."""
    incoming: bool = False


class Exit(Value):
    """Why a guest's process is gone. `powered_off` is a halt by the guest; the rest is failure."""

    powered_off: bool
    because: str


class Progress(Value):
    """Numbers of one moment of a migration, from the source's hypervisor."""

    state: MigrationState
    total_bytes: int = 0
    remaining_bytes: int = 0
    transferred_bytes: int = 0
    dirty_bytes_s: float = 0.0
    bandwidth_bytes_s: float = 0.0
    iterations: int = 0
    downtime_limit_ms: int = 0
    error: str = ""


class Observation(Value):
    state: RunState
    migration: MigrationState = "none"
    exit: Exit | None = None
    progress: Progress | None = None
    """Of the running or ended migration, where the hypervisor was asked for it anyway."""


class GuestEvent(Value):
    """Something the hypervisor told of its own accord, with its own wall clock in ms."""

    kind: Literal[
        "stopped", "resumed", "pre-switchover", "device", "completed", "failed", "cancelled",
        "active", "io-error", "panicked", "watchdog", "suspended", "powered-off", "reset", "gone",
    ]
    at_ms: float
    detail: str = ""


Born = Callable[[Guest], Awaitable[Problem | None]]


class Driver(Protocol):
    """All methods return a Problem instead of raising; deadlines are in seconds."""

    async def start(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, deadline_s: float,
        born: Born | None = None,
    ) -> Guest | Problem:
        """Start from disk and let it run. Doing it again for a guest that is there is harmless.
        `born` is asked when the process is there and before it ever runs; its Problem ends it."""

    async def receive(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, machine: str, deadline_s: float,
    ) -> tuple[Guest, str] | Problem:
        """A target: paused, waiting behind a unix socket whose path is returned as well. `machine`
        and the accelerator in `boot_id`'s record must be the source's."""

    def incoming_socket(self, package: str) -> str:
        """The path `receive` returns, known before."""

    async def adopt(self) -> list[Guest]:
        """Every guest of ours whose process is on this node, checked by pid, start time and the
        monitor's identity. Used after a restart of the daemon; takes up their event streams."""

    async def observe(self, guest: Guest, *, deadline_s: float = 2.0) -> Observation:
        """What the guest is doing now; `unanswered` when its monitor is silent that long."""

    async def relabel(self, guest: Guest, *, epoch: int) -> Guest | Problem:
        """The same process under a later epoch of the same life, recorded for a later `adopt`."""

    def listen(self, guest: Guest, heard: Callable[[GuestEvent], None]) -> Callable[[], None]:
        """Call `heard` for each event from now on, in order; returns what ends it."""

    async def resume(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        """Let the vCPUs run (`cont`). Never for `incoming`, because it would defeat the paused
        target, nor for a target that arrived standing for a failure of its own
        (`guest-arrived-ill`): refused by the driver itself."""

    async def refuses(self, vm: VmSpec, *, deadline_s: float) -> tuple[str, ...]:
        """What the hypervisor would not take of such a machine, in its own words, each fault by
        itself. Nothing of a package is touched; what is not known in time is not refused."""

    async def halt(self, guest: Guest, *, deadline_s: float) -> Problem | None:
        """Ask the guest to power down, then end it when the deadline passes. None: it is gone."""

    async def destroy(self, guest: Guest, *, deadline_s: float = 10.0) -> Problem | None:
        """End the process at once and see it dead (pidfd). None: it is gone."""

    async def end_remains(self, package: str = "") -> Problem | None:
        """End the processes on this node that carry the package's name (or any package's) and that
        this driver does not hold: what an earlier daemon left behind, in whatever folder. None:
        they have been seen dead, or there is none. Before this nothing is called gone."""

    async def resize_disk(
        self, guest: Guest, number: int, *, size_bytes: int, deadline_s: float = 5.0,
    ) -> Problem | None:
        """Tell the guest that this disk of its description (0 is the first) has become so large,
        which its device is by now."""

    async def prepare_send(
        self, guest: Guest, *, downtime_limit_ms: int, bandwidth_bytes_s: int | None,
    ) -> None:
        """What of `send` can be done before it is known where to. To be followed by `send` with
        the same numbers, which does it where nobody did, and tells what goes wrong."""

    async def send(
        self, guest: Guest, *, socket_path: str, downtime_limit_ms: int,
        bandwidth_bytes_s: int | None, deadline_s: float = 10.0,
    ) -> Problem | None:
        """Begin sending the memory to a unix socket; pauses by itself before the switchover."""

    async def tune(
        self, guest: Guest, *, downtime_limit_ms: int | None = None, throttle: bool | None = None,
        bandwidth_bytes_s: int | None = None,
    ) -> Problem | None:
        """Change the running migration's limits."""

    async def progress(self, guest: Guest, *, deadline_s: float = 2.0) -> Progress | Problem:
        """Numbers of the running or ended migration."""

    async def switch(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        """From pre-switchover: send the rest and give up the disks (`migrate-continue`)."""

    async def cancel(self, guest: Guest, *, deadline_s: float = 5.0) -> Observation:
        """Call the migration off: cancel, or by the out-of-band `yank` when the monitor hangs.
        Returns what the source is then: `running`, or `postmigrate` if it was too late (the
        caller destroys the target first and then resumes), or `unanswered`."""

    async def freeze(self, guest: Guest) -> bool:
        """Stop the whole process at once, as the guardian does (SIGSTOP): harmless when it is gone,
        or stands already. Whether it ran until then."""

    async def unfreeze(self, guest: Guest) -> None:
        """Let a process go on that `freeze` stopped (SIGCONT)."""

    def stands(self, guest: Guest) -> bool:
        """Whether its process is stopped, by whomever (SIGSTOP, a debugger)."""

    def former_folders(self) -> frozenset[Path]:
        """The run folders, other than its own, in which guests that it holds were started."""

    async def announce(self, guest: Guest) -> None:
        """Tell the network where the guest's MAC addresses are now."""

    async def close(self) -> None:
        """Let go of the guests; they go on running."""


def arrived_ill(guest: Guest, state: RunState) -> Problem:
    return problem(
        "guest-arrived-ill", f"package:{guest.package}", what="the guest was not continued",
        because=f"it arrived as {state}: it stood for a failure of its own before it was sent",
        fix="it is treated as a failure and restarted; see the guest's console and its disks",
    )
