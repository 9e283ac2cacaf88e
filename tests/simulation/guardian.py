"""The guardian of a simulated host: the product's one rule (cluster.guardian.wanted), enforced on
the guests of the fabric within milliseconds of its time.

It is no part of the daemon: it goes on while the daemon is paused or gone. It may be stopped, or
killed and started again, as the real one may; what its successor knows is in the Record, which is
the host's (/run) and may be lost.
"""

from collections.abc import Callable

from cluster.guardian import NEVER_S, RECORD_STEP_S, Lease, is_well, wanted
from cluster.nodes.guardian_link import GuardedGuest, GuardianNews
from packages.vm.driver import Exit, Guest
from packages.vm.fake import FakeFabric
from packages.vm.fake_guest import FakeGuest
from tests.simulation.process import Process
from tests.simulation.timeline import LEAST_WAIT_S
from tests.simulation.watchdog import WatchdogDevice

PRECISION_S = 0.02
"""From the end of a lease until the last guest stands: a timer of the kernel and a signal each
take microseconds; a starved host needs longer."""
LINE_S = 0.0005
"""A message over the unix socket between daemon and guardian takes less."""


class Record:
    """What a guardian's successor on this boot of the host knows."""

    def __init__(self) -> None:
        self.lease = Lease()
        self.guests: dict[int, tuple[Guest, str]] = {}


class SimulatedGuardian:
    """`machine` is its own process; `record` is what a predecessor left."""

    def __init__(
        self, host: str, machine: Process, fabric: FakeFabric, watchdog: WatchdogDevice | None,
        record: Record,
    ) -> None:
        self._host, self.machine, self._fabric = host, machine, fabric
        self.watchdog_device = watchdog
        self.record = record
        self._lease, self._guests = record.lease, dict(record.guests)
        self._tell: Callable[[GuardianNews], None] = lambda news: None
        machine.time.turned = self._follow_clock
        for end_s in self._lease:
            if end_s < NEVER_S:
                self._set_alarm(end_s)
        self.enforce()
        if watchdog is not None:
            self._wake(watchdog)

    def _wake(self, watchdog: WatchdogDevice) -> None:
        self.enforce()
        self.pet(watchdog)
        self.machine.after(watchdog.pet_every_s, self._wake, watchdog)

    def pet(self, watchdog: WatchdogDevice) -> None:
        living = [state for pid, (guest, state) in self._guests.items() if self._living(pid, guest)]
        if is_well(wanted(self._lease, self.machine.time.now_s()), living):
            watchdog.pet()

    def take_lease(self, expiry_s: float, kill_at_s: float) -> None:
        if expiry_s > self._lease.expiry_s:
            self._lease = Lease(expiry_s, kill_at_s)
            if expiry_s - self.record.lease.expiry_s >= RECORD_STEP_S:
                self.record.lease = self._lease
            self.enforce()
            for end_s in (expiry_s, kill_at_s):
                self._set_alarm(end_s)

    def _set_alarm(self, at_s: float) -> None:
        late_s = self.machine.timeline.dice.uniform(0.0, PRECISION_S)
        self.machine.at(self.machine.time.when_s(at_s) + late_s, self._ring, at_s)

    def _ring(self, at_s: float) -> None:
        if self.machine.time.now_s() < at_s:  # the clock has slowed down since
            self._follow(at_s)
        else:
            self.enforce()

    def _follow_clock(self) -> None:
        for end_s in (self._lease.expiry_s, self._lease.kill_at_s):
            if self.machine.time.now_s() < end_s < NEVER_S:
                self._follow(end_s)

    def _follow(self, at_s: float) -> None:
        self.machine.at(self.machine.time.when_s(at_s) + LEAST_WAIT_S, self._ring, at_s)

    @property
    def expiry_s(self) -> float:
        return self._lease.expiry_s

    def take_guests(self, listed: list[Guest], frozen: frozenset[int] = frozenset()) -> None:
        """`frozen`: stopped by their daemon."""
        before, kept = self._guests, {guest.pid for guest in listed}
        for pid, (guest, state) in before.items():
            found = self._living(pid, guest)
            if pid not in kept and state == "frozen" and found is not None:
                self._bring(found, "thawed")
        self._guests = {
            guest.pid: (guest, self._state_of(guest, before, guest.pid in frozen))
            for guest in listed
        }
        self.record.guests = dict(self._guests)
        self.enforce()

    def _state_of(
        self, guest: Guest, before: dict[int, tuple[Guest, str]], is_frozen: bool,
    ) -> str:
        state = before[guest.pid][1] if guest.pid in before else self._found(guest)
        return "frozen" if is_frozen and state == "thawed" else state

    @property
    def is_there(self) -> bool:
        return self.machine.is_alive

    def _found(self, guest: Guest) -> str:
        found = self._living(guest.pid, guest)
        return "frozen" if found is not None and found.is_frozen else "thawed"

    def found_by_name(self) -> frozenset[int]:
        return frozenset(
            each.guest.pid for each in self._fabric.nodes[self._host].values() if each.exit is None)

    def heard_by(self, tell: Callable[[GuardianNews], None]) -> None:
        self._tell = tell

    def holds(self, guest: FakeGuest) -> bool:
        """It stands, or is to end, by the guardian's will."""
        _, state = self._guests.get(guest.guest.pid, (guest.guest, "thawed"))
        return state != "thawed"

    def enforce(self) -> None:
        wish = wanted(self._lease, self.machine.time.now_s())
        changed = []
        for pid, (guest, state) in list(self._guests.items()):
            found = self._living(pid, guest)
            if state == "killed" or state == wish == "thawed" or found is None:
                continue
            self._bring(found, wish)
            if state != wish:
                self._guests[pid] = (guest, wish)
                changed.append(guest)
        if changed:
            self.record.guests = dict(self._guests)
            self._tell(GuardianNews(
                event=wish, at_s=self.machine.time.now_s(), because="the lease",
                guests=tuple(map(guarded, changed)),
            ))

    def _living(self, pid: int, guest: Guest) -> FakeGuest | None:
        found = self._fabric.guest(self._host, guest.package)
        return found if found is not None and found.guest.pid == pid else None

    def _bring(self, found: FakeGuest, wish: str) -> None:
        package = found.guest.package
        if wish == "killed":
            found.end(Exit(powered_off=False, because="killed by the guardian"))
        elif wish == "frozen":
            self._fabric.freeze(self._host, package)
        else:
            self._fabric.thaw(self._host, package)


def guarded(guest: Guest) -> GuardedGuest:
    return GuardedGuest(
        package=guest.package, epoch=guest.epoch, pid=guest.pid, start_ticks=guest.start_ticks)
