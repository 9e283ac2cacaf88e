"""A hypervisor in memory, for scenarios: guests as state machines with QEMU's states and events.

It passes the same contract suite as the real driver. Guests live in the `FakeFabric`, not in the
driver, as real ones live in their own processes: a new FakeDriver of the same node adopts them. A
migration goes through the fabric by the path of the target's socket; FakeCarrier
(packages/vm/fake_carrier.py) gives the source another path to it.

The fabric is also where a scenario does harm: kill, freeze, panic, power off. Copies take time of
the running event loop: bytes by bandwidth, or none where no ceiling is set.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from cluster.clock import Clock
from packages.core.model import PackageSpec, VmSpec
from packages.core.problem import Problem, problem
from packages.core.standing import ARRIVED_ILL
from packages.core.values import changed
from packages.vm.driver import Born, Exit, Guest, Observation, Progress, RunState, arrived_ill
from packages.vm.fake_guest import (
    FakeCopy, FakeGuest, Heard, complete, complete_if_still, gone, named_machine, refused,
    will_not_end
)
from packages.vm.troubles import lacks_means, start_failed

COPY_BYTES = 1 << 20
"""What a small guest has to send, unless the fabric is told otherwise."""
THROTTLED = 0.3
"""What is left of a guest's writing once it is slowed down."""
POWERED_OFF = Exit(powered_off=True, because="the guest powered itself off")


class FakeFabric:
    """All nodes' guests, and the sockets between them."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, FakeGuest]] = defaultdict(dict)
        self.listening: dict[str, FakeGuest] = {}
        self.channels: dict[str, str] = {}
        """A source's path to a target's: who listens there shows when something is sent."""
        self.held: set[int] = set()
        """Pids that their daemon has stopped, and nobody has let go on since."""
        self.missing_disks: set[str] = set()
        self.remains: dict[str, list[FakeGuest]] = defaultdict(list)
        """By node: guests that no driver holds."""
        self.copy_bytes = COPY_BYTES
        self.dirty_bytes_s = 0.0
        self._next_pid = 1000

    def pid(self) -> int:
        self._next_pid += 1
        return self._next_pid

    def guest(self, node: str, package: str) -> FakeGuest | None:
        """The one that is there; None also for one that has ended."""
        found = self.nodes[node].get(package)
        return found if found is not None and found.exit is None else None

    def orphan(self, node: str, package: str) -> None:
        """As after a spawn whose outcome nobody kept: it runs, and nobody remembers it."""
        if found := self.nodes[node].pop(package, None):
            self.remains[node].append(found)

    def kill(self, node: str, package: str) -> None:
        if found := self.guest(node, package):
            found.end(Exit(powered_off=False, because="the process was killed by signal 9"))

    def power_cut(self, node: str) -> None:
        for package in tuple(self.nodes[node]):
            self.kill(node, package)

    def freeze(self, node: str, package: str) -> None:
        if found := self.guest(node, package):
            found.is_frozen = True

    def thaw(self, node: str, package: str) -> None:
        if found := self.guest(node, package):
            found.is_frozen = False
            self.held.discard(found.guest.pid)
            if found.partner and found.partner.migration == "device":
                complete(found.partner)

    def power_off(self, node: str, package: str) -> None:
        if found := self.guest(node, package):
            found.tell("powered-off", "guest-shutdown")
            found.end(POWERED_OFF)

    def break_guest(self, node: str, package: str, state: RunState) -> None:
        """Into a state of failure; or `paused`, by somebody's stop, of which nothing is told."""
        if found := self.guest(node, package):
            if state != "paused":
                found.tell(state)
            found.become(state)


class FakeDriver:
    """One node's driver over the fabric."""

    def __init__(self, node: str, fabric: FakeFabric, clock: Clock) -> None:
        self._node = node
        self._fabric = fabric
        self._clock = clock
        self._deafen: list[Callable[[], None]] = []
        self.missing_disks: set[str] = set()
        """On this node alone; the fabric's are missing everywhere."""
        self.lacks = ""
        """What this node is short of: nothing can be started."""
        self.means: dict[str, str] = {}
        """Path -> the LUN that it means on this node, where that is not the path itself."""

    async def start(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, deadline_s: float,
        born: Born | None = None,
    ) -> Guest | Problem:
        made = await self._without_remains(spec.name) or self._made(
            spec, epoch, boot_id, named_machine(spec), "prelaunch")
        if isinstance(made, Problem):
            return made
        unborn = await born(made.guest) if born is not None else None
        if unborn is not None:
            await self.destroy(made.guest)
            return unborn
        if made.state == "prelaunch":
            made.become("running")
        return made.guest

    async def receive(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, machine: str, deadline_s: float,
    ) -> tuple[Guest, str] | Problem:
        made = await self._without_remains(spec.name) or self._made(
            spec, epoch, boot_id, machine, "incoming")
        if isinstance(made, Problem):
            return made
        path = self.incoming_socket(spec.name)
        self._fabric.listening[path] = made
        return made.guest, path

    def incoming_socket(self, package: str) -> str:
        return f"/fake/{self._node}/{package}/in"

    async def adopt(self) -> list[Guest]:
        there = self._fabric.nodes[self._node]
        left = self._fabric.remains[self._node]
        for found in sorted(left, key=lambda each: -each.guest.epoch):
            if found.exit is None and there.get(found.guest.package) is None:
                there[found.guest.package] = found
                left.remove(found)
        return [there[name].guest for name in sorted(there) if there[name].exit is None]

    async def observe(self, guest: Guest, *, deadline_s: float = 2.0) -> Observation:
        found = self._find(guest)
        if found is None and self._is_astray(guest):
            return Observation(state="unanswered")
        if found is None:
            known = self._fabric.nodes[self._node].get(guest.package)
            same = known is not None and known.guest.pid == guest.pid
            return Observation(state="gone", exit=known.exit if known and same else None)
        if found.is_frozen:
            return Observation(state="unanswered")
        return Observation(state=found.state, migration=found.migration)

    async def relabel(self, guest: Guest, *, epoch: int) -> Guest | Problem:
        found = self._find(guest)
        if found is None:
            return gone(guest)
        found.guest = changed(found.guest, epoch=epoch)
        return found.guest

    def listen(self, guest: Guest, heard: Heard) -> Callable[[], None]:
        found = self._find(guest)
        if found is None:
            return lambda: None
        listeners = found.listeners
        listeners.append(heard)

        def stop() -> None:
            if heard in listeners:
                listeners.remove(heard)

        self._deafen.append(stop)
        return stop

    async def resume(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        found = self._answering(guest)
        if isinstance(found, Problem):
            return found
        if found.state == "incoming":
            return problem(
                "guest-not-loaded", f"package:{guest.package}",
                what="the guest was not continued", because="its memory has not arrived completely",
                fix="wait until the migration has completed, or destroy this copy",
            )
        if found.state == "switchover":
            return refused(guest, "it is being sent")
        if found.guest.incoming and found.state in ARRIVED_ILL:
            return arrived_ill(guest, found.state)
        found.become("running")
        return None

    async def refuses(self, vm: VmSpec, *, deadline_s: float) -> tuple[str, ...]:
        return ()

    async def halt(self, guest: Guest, *, deadline_s: float) -> Problem | None:
        found = self._find(guest)
        if found is None:
            return await self.destroy(guest)
        if found.state == "running" and found.hears_power_button and not found.is_frozen:
            self._fabric.power_off(self._node, guest.package)
            return None
        return await self.destroy(guest)

    async def destroy(self, guest: Guest, *, deadline_s: float = 10.0) -> Problem | None:
        found = self._find(guest)
        if found is None:
            return await self.end_remains(guest.package) if self._is_astray(guest) else None
        if found.cannot_end:
            return will_not_end(guest)
        found.end(Exit(powered_off=False, because="the guest was ended by order"))
        return None

    def _is_astray(self, guest: Guest) -> bool:
        return any(each.guest.pid == guest.pid for each in self._fabric.remains[self._node])

    async def resize_disk(
        self, guest: Guest, number: int, *, size_bytes: int, deadline_s: float = 5.0,
    ) -> Problem | None:
        there = self._find(guest)
        if there is None:
            return gone(guest)
        there.disk_bytes[number] = size_bytes
        return None

    async def end_remains(self, package: str = "") -> Problem | None:
        for found in tuple(self._fabric.remains[self._node]):
            if package in ("", found.guest.package):
                if found.cannot_end:
                    return will_not_end(found.guest)
                found.end(Exit(powered_off=False, because="nobody held it"))
                self._fabric.remains[self._node].remove(found)
        return None

    async def prepare_send(
        self, guest: Guest, *, downtime_limit_ms: int, bandwidth_bytes_s: int | None,
    ) -> None:
        """Nothing here takes time."""

    async def send(
        self, guest: Guest, *, socket_path: str, downtime_limit_ms: int,
        bandwidth_bytes_s: int | None, deadline_s: float = 10.0,
    ) -> Problem | None:
        found = self._answering(guest)
        if isinstance(found, Problem):
            return found
        if found.migration in ("active", "pre-switchover", "device"):
            return refused(guest, "there's a migration process in progress")
        path = self._fabric.channels.get(socket_path, socket_path)
        target = self._fabric.listening.get(path)
        if target is None or target.exit is not None or target.partner is not None:
            asyncio.get_running_loop().call_soon(found.fail, "failed")
            return None
        found.partner, target.partner = target, found
        target.migrate_to("active")
        found.migrate_to("active")
        found.copy = FakeCopy(
            found, self._fabric.copy_bytes, self._fabric.dirty_bytes_s,
            limit_ms=downtime_limit_ms, bandwidth_bytes_s=bandwidth_bytes_s,
        )
        found.copy.aim()
        return None

    async def tune(
        self, guest: Guest, *, downtime_limit_ms: int | None = None, throttle: bool | None = None,
        bandwidth_bytes_s: int | None = None,
    ) -> Problem | None:
        found = self._answering(guest)
        if isinstance(found, Problem):
            return found
        copy = found.copy
        if copy is not None and found.migration == "active":
            copy.limit_ms = downtime_limit_ms or copy.limit_ms
            copy.bandwidth_bytes_s = bandwidth_bytes_s or copy.bandwidth_bytes_s
            if throttle is not None:
                slowed = THROTTLED if throttle else 1.0
                copy.dirty_bytes_s = self._fabric.dirty_bytes_s * slowed
            copy.aim()
        return None

    async def progress(self, guest: Guest, *, deadline_s: float = 2.0) -> Progress | Problem:
        found = self._answering(guest)
        if isinstance(found, Problem):
            return found
        copy = found.copy
        if copy is None:
            return Progress(state=found.migration)
        return Progress(
            state=found.migration, total_bytes=copy.size_bytes,
            remaining_bytes=copy.remaining_bytes,
            transferred_bytes=copy.size_bytes - copy.remaining_bytes,
            dirty_bytes_s=copy.dirty_bytes_s, iterations=copy.passes,
            bandwidth_bytes_s=float(copy.bandwidth_bytes_s or 0),
            downtime_limit_ms=copy.limit_ms,
            error="the connection was lost" if found.migration == "failed" else "",
        )

    async def switch(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        found = self._answering(guest)
        if isinstance(found, Problem):
            return found
        if found.migration != "pre-switchover":
            return refused(guest, "Migration not in expected state: pre-switchover")
        found.migrate_to("device")
        asyncio.get_running_loop().call_soon(complete_if_still, found)
        return None

    async def cancel(self, guest: Guest, *, deadline_s: float = 5.0) -> Observation:
        found = self._find(guest)
        if found is not None and not found.is_frozen:
            if found.migration in ("active", "pre-switchover", "device"):
                found.fail("cancelled")
        return await self.observe(guest)

    async def freeze(self, guest: Guest) -> bool:
        if found := self._find(guest):
            self._fabric.held.add(guest.pid)
            ran, found.is_frozen = not found.is_frozen, True
        return found is not None and ran

    async def unfreeze(self, guest: Guest) -> None:
        if self._find(guest) is not None:
            self._fabric.thaw(self._node, guest.package)

    def stands(self, guest: Guest) -> bool:
        found = self._find(guest)
        return found is not None and found.is_frozen

    def former_folders(self) -> frozenset[Path]:
        return frozenset()

    async def announce(self, guest: Guest) -> None: ...

    async def close(self) -> None:
        for stop in self._deafen:
            stop()

    async def _without_remains(self, package: str) -> Problem | None:
        """A new life is not made beside one that nobody holds."""
        there = self._fabric.guest(self._node, package)
        return await self.end_remains(package) if there is None else None

    def _made(
        self, spec: PackageSpec, epoch: int, boot_id: str, machine: str, state: RunState,
    ) -> FakeGuest | Problem:
        there = self._fabric.guest(self._node, spec.name)
        wanted = (epoch, boot_id, state == "incoming")
        if there is not None:
            if (there.guest.epoch, there.guest.boot_id, there.guest.incoming) == wanted:
                return there
            return problem(
                "guest-already-here", f"package:{spec.name}",
                what="a guest of this package is on this node already",
                because=f"it belongs to epoch {there.guest.epoch}",
                fix="halt or destroy that guest first",
            )
        if self.lacks:
            return lacks_means(spec.name, self.lacks)
        lost = self._fabric.missing_disks | self.missing_disks
        missing = [disk.path for disk in spec.vm.disks if disk.path in lost]
        if missing:
            return start_failed(spec.name, f"could not open {missing[0]}")
        guest = Guest(
            package=spec.name, epoch=epoch, boot_id=boot_id, pid=self._fabric.pid(),
            start_ticks=1, accel="tcg", machine=machine, incoming=state == "incoming",
        )
        made = self._fabric.nodes[self._node][spec.name] = FakeGuest(guest, state, self._clock)
        made.luns = tuple(self.means.get(disk.path, disk.path) for disk in spec.vm.disks)
        return made

    def _find(self, guest: Guest) -> FakeGuest | None:
        found = self._fabric.guest(self._node, guest.package)
        return found if found is not None and found.guest.pid == guest.pid else None

    def _answering(self, guest: Guest) -> FakeGuest | Problem:
        found = self._find(guest)
        if found is None:
            return gone(guest)
        if found.is_frozen:
            return problem(
                "guest-unanswered", f"package:{guest.package}", what="QEMU did not answer",
                because="it is stopped", fix="look whether the host is overloaded",
            )
        return found
