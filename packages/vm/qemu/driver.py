"""QEMU behind the driver's door: starts, finds again, observes and ends guests of this node.

What must never happen here: `cont` for a target that has not loaded completely (it would start by
itself the moment it has); an exception to the caller; a guest ended because it did not answer.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from cluster.clock import Clock
from packages.accounts import account_of_process, let_connect, open_way
from packages.core.model import PackageSpec, VmSpec
from packages.core.problem import Problem, problem
from packages.core.standing import ARRIVED_ILL
from packages.core.values import changed
from packages.vetting import Vetting
from packages.vm.driver import Born, Guest, GuestEvent, Observation, Progress, arrived_ill
from packages.vm.qemu import migration
from packages.vm.qemu.accelerators import accelerator, kvm_trial
from packages.vm.qemu.command_line import disk_node
from packages.vm.qemu.instance import Instance
from packages.vm.qemu.lives import Lives, Order, is_same_life
from packages.vm.qemu.monitor import MonitorTrouble, Refused
from packages.vm.qemu.trial import Trials
from packages.vm.scopes import Scopes
from packages.vm.socket_paths import fitting
from packages.vm.troubles import no_room, start_failed, will_not_end

END_S = 10.0
PREPARE_S = 2.0
BUTTON_S = 1.0
"""For a monitor to answer; how long the guest then takes is the caller's deadline."""
BUTTON_AGAIN_S = 3.0
"""A guest that is still booting does not hear the button, and would use its whole time up; one that
shuts down pays no heed to it. OpenStack's nova asks again for the same reason."""
ANNOUNCE = {"initial": 20, "max": 300, "rounds": 6, "step": 60}
"""Milliseconds: at once, then ever more rarely for a second, as one frame may be lost."""


class QemuDriver:
    """One node's guests. Make it inside a running event loop."""

    def __init__(
        self, run_folder: Path, clock: Clock, *, node: str = "",
        counts_process: Callable[[int], bool] | None = None, vetting: Vetting | None = None,
        scopes: Scopes | None = None,
    ) -> None:
        """`counts_process`: which processes on this host are this node's, whatever folder they were
        started from; without it those of `run_folder` alone. `scopes`: groups of their own for
        guests; without it they stay in the daemon's."""
        self._lives = Lives(
            run_folder, clock, node=node, counts_process=counts_process, scopes=scopes)
        self._clock, self._run_folder, self._trials = clock, run_folder, Trials()
        self._vetting = vetting or Vetting()

    async def start(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, deadline_s: float,
        born: Born | None = None,
    ) -> Guest | Problem:
        order = Order(epoch=epoch, boot_id=boot_id, machine=spec.vm.machine, incoming=False)
        async with self._lives.turns[spec.name]:
            made = await self._lives.there(spec.name, order)
            if made is None:
                made = await self._make(spec, order, deadline_s)
            if isinstance(made, Problem):
                return made
            unborn = await born(made.guest) if born is not None else None
            if unborn is not None:
                await self._lives.undo(made, unborn.because)
                return unborn
            return await self._let_begin(made, deadline_s)

    async def receive(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, machine: str, deadline_s: float,
    ) -> tuple[Guest, str] | Problem:
        order = Order(epoch=epoch, boot_id=boot_id, machine=machine, incoming=True)
        path = self.incoming_socket(spec.name)
        async with self._lives.turns[spec.name]:
            there = await self._lives.there(spec.name, order)
            if isinstance(there, Problem):
                return there
            if there is not None:
                return there.guest, path
            made = await self._make(spec, order, deadline_s)
            if isinstance(made, Problem):
                return made
            refusal = await _done(
                made, migration.expect_incoming(made, path, deadline_s=deadline_s),
            )
            if refusal is None:
                return made.guest, path
            await self._lives.undo(made, "it could not be made to wait for a migration")
            return start_failed(spec.name, refusal.because)

    async def _make(
        self, spec: PackageSpec, order: Order, deadline_s: float,
    ) -> Instance | Problem:
        refused = await asyncio.to_thread(self._vetting.against_guest, spec) if (
            spec.vm.kernel or spec.vm.devices) else None
        account = await asyncio.to_thread(self._vetting.guests_account, spec.vm)
        if isinstance(account, Problem):
            return refused or account
        return refused or await self._lives.make(
            spec, changed(order, account=account), deadline_s=deadline_s)

    def incoming_socket(self, package: str) -> str:
        return fitting(self._lives.folder(package).incoming_socket)

    def pids(self) -> frozenset[int]:
        """The processes of every guest it holds, also of one that is being made."""
        return self._lives.pids()

    async def adopt(self) -> list[Guest]:
        return await self._lives.adopt()

    async def observe(self, guest: Guest, *, deadline_s: float = 2.0) -> Observation:
        instance = self._lives.of(guest)
        if instance is not None:
            return await instance.observe(deadline_s)
        if self._lives.is_astray(guest):
            return Observation(state="unanswered")
        ended = self._lives.folder(guest.package).read_exit()
        known = ended is not None and is_same_life(ended.guest, guest)
        return Observation(state="gone", exit=ended.exit if ended and known else None)

    async def relabel(self, guest: Guest, *, epoch: int) -> Guest | Problem:
        instance = self._lives.of(guest)
        if instance is None:
            return _gone(guest)
        try:
            instance.write_record(changed(instance.guest, epoch=epoch))
        except OSError as failure:
            return start_failed(guest.package, no_room(failure))
        return instance.guest

    def listen(self, guest: Guest, heard: Callable[[GuestEvent], None]) -> Callable[[], None]:
        instance = self._lives.of(guest)
        return instance.listen(heard) if instance else lambda: None

    async def resume(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        instance = self._lives.of(guest)
        # A guest that was dead before it was told anything is known not to have run.
        if instance is None or not instance.process.is_running:
            return _gone(guest)
        # A target that was seen to be fit is not asked again: the guest stands still meanwhile.
        is_fit = instance.has_loaded and instance.arrived_as == "paused"
        refusal = None if is_fit else await self._not_to_be_continued(instance)
        if refusal is not None:
            return refusal
        return await _done(instance, instance.monitor.ask("cont", deadline_s=deadline_s))

    async def refuses(self, vm: VmSpec, *, deadline_s: float) -> tuple[str, ...]:
        accel = await accelerator(vm.accel, self._run_folder)
        if accel == "kvm" and not (await kvm_trial(self._run_folder)).works:
            return ()  # a rule of its own says so
        account = await asyncio.to_thread(self._vetting.guests_account, vm)
        if isinstance(account, Problem):
            return (f"{account.what} {account.because}",)
        return await self._trials.refused(vm, accel, deadline_s=deadline_s, account=account)

    async def halt(self, guest: Guest, *, deadline_s: float) -> Problem | None:
        instance = self._lives.of(guest)
        if instance is None:
            return await self.destroy(guest)
        end_s = self._clock.boottime_s() + deadline_s
        # Whoever stands still cannot hear the button.
        heard = (await instance.observe(min(deadline_s, BUTTON_S))).state == "running" and (
            await _pressed(instance))
        while heard and (left_s := end_s - self._clock.boottime_s()) > 0:
            if await instance.wait_gone(min(left_s, BUTTON_AGAIN_S)):
                return None
            await _pressed(instance)
        return await self.destroy(guest)

    async def destroy(self, guest: Guest, *, deadline_s: float = END_S) -> Problem | None:
        instance = self._lives.of(guest)
        if instance is None:
            # Not to remember it is not to have seen it end.
            return await self._lives.end_remains(guest.package) if self._lives.is_astray(
                guest) else None
        instance.expect_end("the guest was ended by order")
        await instance.process.kill(deadline_s)
        if await instance.wait_gone(deadline_s):
            return None
        return will_not_end(guest, deadline_s)

    async def resize_disk(
        self, guest: Guest, number: int, *, size_bytes: int, deadline_s: float = 5.0,
    ) -> Problem | None:
        instance = self._lives.of(guest)
        if instance is None:
            return _gone(guest)
        return await _done(instance, instance.monitor.ask(
            "block_resize", {"node-name": disk_node(number), "size": size_bytes},
            deadline_s=deadline_s))

    async def end_remains(self, package: str = "") -> Problem | None:
        return await self._lives.end_remains(package)

    async def prepare_send(
        self, guest: Guest, *, downtime_limit_ms: int, bandwidth_bytes_s: int | None,
    ) -> None:
        instance = self._lives.of(guest)
        if instance is not None:
            await _done(instance, migration.prepare_send(
                instance, downtime_limit_ms=downtime_limit_ms,
                bandwidth_bytes_s=bandwidth_bytes_s, deadline_s=PREPARE_S,
            ))

    async def send(
        self, guest: Guest, *, socket_path: str, downtime_limit_ms: int,
        bandwidth_bytes_s: int | None, deadline_s: float = 10.0,
    ) -> Problem | None:
        instance = self._lives.of(guest)
        if instance is None:
            return _gone(guest)
        try:
            self._open_to(instance, Path(socket_path))
        except OSError as failure:
            return start_failed(guest.package, no_room(failure))
        return await _done(instance, migration.send(
            instance, socket_path=fitting(Path(socket_path)),
            downtime_limit_ms=downtime_limit_ms, bandwidth_bytes_s=bandwidth_bytes_s,
            deadline_s=deadline_s,
        ))

    def _open_to(self, instance: Instance, socket: Path) -> None:
        """Have its process, whatever it became when it was started, reach that socket below the run
        folder. Raises OSError."""
        account = account_of_process(instance.process.pid)
        if account.uid == os.geteuid() or not socket.exists():
            return
        there = socket.resolve()
        open_way(there.parent, account, top=self._run_folder.resolve())
        let_connect(there, account)

    async def tune(
        self, guest: Guest, *, downtime_limit_ms: int | None = None, throttle: bool | None = None,
        bandwidth_bytes_s: int | None = None,
    ) -> Problem | None:
        instance = self._lives.of(guest)
        if instance is None:
            return _gone(guest)
        return await _done(instance, migration.tune(
            instance, downtime_limit_ms=downtime_limit_ms, throttle=throttle,
            bandwidth_bytes_s=bandwidth_bytes_s,
        ))

    async def progress(self, guest: Guest, *, deadline_s: float = 2.0) -> Progress | Problem:
        instance = self._lives.of(guest)
        if instance is None:
            return _gone(guest)
        try:
            return await migration.numbers(instance, deadline_s=deadline_s)
        except MonitorTrouble as trouble:
            return _trouble(guest.package, trouble)

    async def switch(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        instance = self._lives.of(guest)
        if instance is None:
            return _gone(guest)
        return await _done(instance, migration.switch(instance, deadline_s=deadline_s))

    async def cancel(self, guest: Guest, *, deadline_s: float = 5.0) -> Observation:
        instance = self._lives.of(guest)
        if instance is None:
            return await self.observe(guest)
        return await migration.called_off(instance, deadline_s=deadline_s, clock=self._clock)

    async def freeze(self, guest: Guest) -> bool:
        instance = self._lives.of(guest)
        if instance is None:
            return False
        stood = instance.process.is_stopped
        instance.process.send_signal(signal.SIGSTOP)
        return not stood

    async def unfreeze(self, guest: Guest) -> None:
        instance = self._lives.of(guest)
        if instance is not None:
            instance.process.send_signal(signal.SIGCONT)

    def stands(self, guest: Guest) -> bool:
        instance = self._lives.of(guest)
        try:
            return instance is not None and instance.exit is None and instance.process.is_stopped
        except OSError:
            return False  # not to be known now

    def former_folders(self) -> frozenset[Path]:
        return self._lives.former_folders()

    async def announce(self, guest: Guest) -> None:
        instance = self._lives.of(guest)
        if instance is not None:
            await _done(instance, instance.monitor.ask("announce-self", ANNOUNCE))

    async def close(self) -> None:
        await self._lives.close()

    async def _not_to_be_continued(self, instance: Instance) -> Problem | None:
        seen = await instance.observe()
        if seen.state == "incoming" or instance.guest.incoming and seen.migration != "completed":
            return problem(
                "guest-not-loaded", f"package:{instance.guest.package}",
                what="the guest was not continued",
                because="its memory has not arrived completely",
                fix="wait until the migration has completed, or destroy this copy",
            )
        if instance.guest.incoming and seen.state in ARRIVED_ILL:
            return arrived_ill(instance.guest, seen.state)
        return None

    async def _let_begin(self, instance: Instance, deadline_s: float) -> Guest | Problem:
        """`cont`, for a guest that has never run; any other is as it should be, or somebody stopped
        it for a reason."""
        seen = await instance.observe(deadline_s)
        if seen.state != "prelaunch":
            return instance.guest
        refusal = await _done(instance, instance.monitor.ask("cont", deadline_s=deadline_s))
        if refusal is None:
            return instance.guest
        await self._lives.undo(instance, "it could not be let run")
        return start_failed(instance.guest.package, refusal.because)


async def _pressed(instance: Instance) -> bool:
    button = instance.monitor.ask("system_powerdown", deadline_s=BUTTON_S)
    return await _done(instance, button) is None


async def _done(instance: Instance, work: Awaitable[object]) -> Problem | None:
    try:
        await work
    except MonitorTrouble as trouble:
        return _trouble(instance.guest.package, trouble)
    return None


def _trouble(package: str, trouble: MonitorTrouble) -> Problem:
    if isinstance(trouble, Refused):
        return problem(
            "guest-refused", f"package:{package}", what="QEMU refused what it was asked",
            because=str(trouble), fix="see what the guest is doing now, then try again",
        )
    return problem(
        "guest-unanswered", f"package:{package}", what="QEMU did not answer",
        because=str(trouble), fix="look whether the host is overloaded or a disk hangs",
    )


def _gone(guest: Guest) -> Problem:
    return problem(
        "guest-gone", f"package:{guest.package}", what="there is no such guest on this node",
        because=f"process {guest.pid} is not there, or not held by this daemon",
        fix="look at the package's status; it may have moved or ended",
    )
