"""A guest in memory: the states a real one has, and what each thing done to it makes of them.

What QEMU does by itself is done here by itself: a source whose migration fails runs on, a target
whose source is lost ends, and a source that waits at the switch notices nothing.
"""

import asyncio
from collections.abc import Callable

from cluster.clock import Clock
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.vm.driver import Exit, Guest, GuestEvent, MigrationState, RunState

Heard = Callable[[GuestEvent], None]


def named_machine(spec: PackageSpec) -> str:
    """What an alias means to the only hypervisor of this world."""
    machine = spec.vm.machine
    return machine if machine.startswith("pc-") else f"pc-{machine}-7.2"


class FakeGuest:
    """One process that would be QEMU."""

    def __init__(self, guest: Guest, state: RunState, clock: Clock) -> None:
        self.guest = guest
        self.state: RunState = state
        self.migration: MigrationState = "none"
        self.exit: Exit | None = None
        self.is_frozen = False
        """As by SIGSTOP: nothing happens and nobody answers."""
        self.hears_power_button = True
        self.cannot_end = False
        """The kernel keeps its process, as one that waits for a dead disk."""
        self.stood_as: RunState | None = None
        """In a switch: what it was before, if it did not run; the target takes that over."""
        self.partner: FakeGuest | None = None
        self.has_ended_well = False
        """A target's: the source has closed the channel by itself."""
        self.luns: tuple[str, ...] = ()
        """What it has open: what its disks' paths meant when it was made."""
        self.disk_bytes: dict[int, int] = {}
        """What it was told of the size of a disk, by the disk's number."""
        self.listeners: list[Heard] = []
        self.ended = asyncio.Event()
        self.copy: FakeCopy | None = None
        self._clock = clock

    def tell(self, kind: str, detail: str = "") -> None:
        at_ms = float(self._clock.wall_ms())
        event = GuestEvent(kind=kind, at_ms=at_ms, detail=detail)  # type: ignore[arg-type]
        for heard in tuple(self.listeners):
            heard(event)

    def migrate_to(self, migration: MigrationState) -> None:
        self.migration = migration
        if migration not in ("none", "setup", "cancelling"):
            self.tell(migration)

    def become(self, state: RunState) -> None:
        was_running, self.state = self.state == "running", state
        if state == "running" and not was_running:
            self.tell("resumed")
        elif was_running:
            self.tell("stopped")

    def end(self, ended: Exit) -> None:
        """The process is gone; a partner in a migration finds out as QEMU does: a target at once,
        a source when it next sends something."""
        if self.exit is not None:
            return
        self.state, self.exit = "gone", ended
        if self.copy:
            self.copy.stop()
        partner, self.partner = self.partner, None
        self.tell("gone", ended.because)
        self.ended.set()
        if partner is not None:
            partner.partner = None
            partner.lost_partner()

    def lost_partner(self) -> None:
        if self.state == "incoming":
            self.end(Exit(powered_off=False, because="load of migration failed"))
        elif self.migration in ("active", "device"):
            self.fail("failed")

    def fail(self, migration: MigrationState) -> None:
        """As QEMU does by itself: a source whose migration ends without success runs on."""
        if self.copy:
            self.copy.stop()
        self.migrate_to(migration)
        if self.state == "switchover":
            self.become("running" if self.stood_as is None else "postmigrate")
        partner, self.partner = self.partner, None
        if partner is not None:
            partner.partner = None
            partner.lost_partner()


class FakeCopy:
    """A source's copy under way: the fabric's numbers, and when it will be near enough."""

    def __init__(
        self, source: FakeGuest, size_bytes: int, dirty_bytes_s: float, *, limit_ms: int,
        bandwidth_bytes_s: int | None,
    ) -> None:
        self.source = source
        self.size_bytes = size_bytes
        self.dirty_bytes_s = dirty_bytes_s
        self.limit_ms = limit_ms
        self.bandwidth_bytes_s = bandwidth_bytes_s
        self._timer: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    def aim(self) -> None:
        """Set, or set anew, when the rest fits into the limit; never if it grows faster than it
        is sent."""
        self.stop()
        remaining = self.remaining_bytes
        if self.bandwidth_bytes_s is None:
            self._timer = self._loop.call_soon(self._pause)
            return
        excess = remaining - self.bandwidth_bytes_s * self.limit_ms / 1000
        gain_bytes_s = self.bandwidth_bytes_s - self.dirty_bytes_s
        if excess <= 0:
            self._timer = self._loop.call_soon(self._pause)
        elif gain_bytes_s > 0:
            self._timer = self._loop.call_later(excess / gain_bytes_s, self._pause)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def remaining_bytes(self) -> int:
        if self.source.migration != "active":
            return 0
        gain = ((self.bandwidth_bytes_s or self.size_bytes) - self.dirty_bytes_s)
        left = self.size_bytes - gain * (self._loop.time() - self._began_s)
        return int(max(0.0, min(left, self.size_bytes)))

    @property
    def passes(self) -> int:
        """Over what the guest has written meanwhile; one that writes nothing needs a single one."""
        if self.dirty_bytes_s <= 0 or self.bandwidth_bytes_s is None:
            return 1
        sent = self.bandwidth_bytes_s * (self._loop.time() - self._began_s)
        return 1 + int(sent / self.size_bytes)

    def _pause(self) -> None:
        if self.source.is_frozen:
            self._timer = self._loop.call_later(0.01, self._pause)
        elif self.source.migration == "active":
            state = self.source.state
            self.source.stood_as = None if state == "running" else state
            self.source.become("switchover")
            self.source.migrate_to("pre-switchover")


def complete(source: FakeGuest) -> None:
    """The rest has been sent and the target has acknowledged it."""
    target = source.partner
    if target is None:
        source.fail("failed")
        return
    if target.is_frozen:
        return
    source.partner = target.partner = None
    target.state = source.stood_as or "paused"
    target.migrate_to("completed")
    target.has_ended_well = True
    source.state = "postmigrate"
    source.migrate_to("completed")


def gone(guest: Guest) -> Problem:
    return problem(
        "guest-gone", f"package:{guest.package}", what="there is no such guest on this node",
        because=f"process {guest.pid} is not there", fix="look at the package's status",
    )


def will_not_end(guest: Guest) -> Problem:
    return problem(
        "guest-will-not-end", f"package:{guest.package}",
        what=f"process {guest.pid} is still there", because="the kernel keeps it",
        fix="cut the node off from the package's disks, or reset the node",
    )


def complete_if_still(source: FakeGuest) -> None:
    if source.migration == "device":
        complete(source)


def refused(guest: Guest, because: str) -> Problem:
    return problem(
        "guest-refused", f"package:{guest.package}", what="QEMU refused what it was asked",
        because=because, fix="see what the guest is doing now, then try again",
    )
