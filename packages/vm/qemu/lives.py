"""The guests this node has: making one, finding those of an earlier daemon, clearing up after one.

A record names the process before the process may run. A guest whose monitor is silent is still
ours: it may be frozen (the guardian does that), and is known by its process id, its start time and
the name on its command line. Finding guests again never ends one.
"""

import asyncio
import logging
import os
import socket
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cluster.clock import Clock
from packages.accounts import Account
from packages.core.fencing import initiator_name, registrant
from packages.core.means import is_want
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value, changed
from packages.vm.driver import Exit, Guest
from packages.vm.processes import Process
from packages.vm.processes import command_line as running_command_line
from packages.vm.processes import find, not_started, running, spawn
from packages.vm.qemu.accelerators import accelerator
from packages.vm.qemu.becoming import option_to_become
from packages.vm.qemu.command_line import BINARY, Launch, command_line, console_path, identity
from packages.vm.qemu.instance import EMERGENCY_KEPT_FD, WORK_KEPT_FD, Instance
from packages.vm.qemu.monitor import MonitorTrouble
from packages.vm.qemu.records import (
    ExitRecord, GuestFolder, GuestRecord, recorded_packages, told_by
)
from packages.vm.qemu.taps import make_taps, remove_taps, tap_names
from packages.vm.scopes import NoScopes, Scopes
from packages.vm.socket_paths import fitting, forget
from packages.vm.troubles import no_room, not_begun, start_failed, will_not_end

log = logging.getLogger(__name__)

ADOPT_S = 2.0
"""For the monitors of all guests found, at once; one that is frozen answers nothing."""
UNDO_S = 5.0
BACKLOG = 4


class Order(Value):
    """Which life is to be made."""

    epoch: int
    boot_id: str
    machine: str
    incoming: bool
    account: Account | None = None
    """What its process becomes; None: it stays root."""


class Lives:
    """All instances of one run folder, by package. One turn at a time for each package. `node` is
    whose guests they are, to storage that knows its users by name."""

    def __init__(
        self, run_folder: Path, clock: Clock, *, node: str,
        counts_process: Callable[[int], bool] | None = None, scopes: Scopes | None = None,
    ) -> None:
        self._node, self._scopes = node, scopes or NoScopes()
        self._taking: asyncio.Future[list[None]] | None = None
        """Guests of an earlier daemon into their scopes, for which nothing waits."""
        self._counts_process = counts_process
        self._run_folder = run_folder.absolute()
        self._clock = clock
        self._instances: dict[str, Instance] = {}
        self._began_in: dict[int, Path] = {}
        """Run folders of guests that were taken up, by process id."""
        self.turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def folder(self, package: str) -> GuestFolder:
        return GuestFolder(self._run_folder, package)

    def of(self, guest: Guest) -> Instance | None:
        """The instance of exactly this life, also for a while after its end."""
        instance = self._instances.get(guest.package)
        return instance if instance and is_same_life(instance.guest, guest) else None

    def former_folders(self) -> frozenset[Path]:
        """As Driver.former_folders."""
        held = self.pids()
        self._began_in = {pid: each for pid, each in self._began_in.items() if pid in held}
        return frozenset(self._began_in.values()) - {self._run_folder}

    def pids(self) -> frozenset[int]:
        return frozenset(each.process.pid for each in self._instances.values())

    async def there(self, package: str, order: Order) -> Instance | Problem | None:
        """What an order to make a life meets: that very life, another one, or nothing."""
        instance = self._instances.get(package)
        if instance is None:
            return None
        if not instance.process.is_running:
            await instance.gone.wait()
        if instance.exit is not None:
            del self._instances[package]
            await instance.close()
            return None
        guest = instance.guest
        wanted = (order.epoch, order.boot_id, order.incoming)
        if (guest.epoch, guest.boot_id, guest.incoming) == wanted:
            return instance
        return problem(
            "guest-already-here", f"package:{package}",
            what="a guest of this package is on this node already",
            because=f"process {guest.pid} belongs to epoch {guest.epoch}, asked for was epoch "
                    f"{order.epoch}",
            fix="halt or destroy that guest first",
        )

    async def make(
        self, spec: PackageSpec, order: Order, *, deadline_s: float,
    ) -> Instance | Problem:
        """A process that answers and whose guest is stopped; or nothing is left of it."""
        taps = tap_names(self._run_folder, spec.name, len(spec.vm.networks))
        try:
            # One of an earlier order that nobody holds would have the disks as well.
            made = await self._end_remains(spec.name) or await self._spawn(spec, order, taps)
        except OSError as failure:
            made = not_begun(spec.name, failure)
        if not isinstance(made, Problem):
            return await self._answering(made, deadline_s)
        self.folder(spec.name).clear()
        await remove_taps(taps)
        return made

    async def _spawn(
        self, spec: PackageSpec, order: Order, taps: tuple[str, ...],
    ) -> Instance | Problem:
        """Raises OSError, and then nothing runs. What is started is held before anything else."""
        folder = self.folder(spec.name)
        folder.make(order.account, top=self._run_folder)
        becomes = await option_to_become(order.account) if order.account is not None else ()
        accel = await accelerator(spec.vm.accel, self._run_folder)
        refusal = await make_taps(spec.name, taps, spec.vm.networks)
        if refusal is not None:
            return refusal
        launch = Launch(
            epoch=order.epoch, boot_id=order.boot_id, machine=order.machine, accel=accel,
            folder=str(folder.path), taps=taps, incoming=order.incoming, becomes=becomes,
            initiator=initiator_name(spec.fence, registrant(self._node, order.epoch)),
        )
        process = _spawned(spec, launch, folder)
        if isinstance(process, OSError):
            return not_begun(spec.name, process) if is_want(process) else not_started(
                f"package:{spec.name}", BINARY, process)
        guest = Guest(
            package=spec.name, epoch=order.epoch, boot_id=order.boot_id, pid=process.pid,
            start_ticks=process.start_ticks, accel=accel, machine=order.machine,
            incoming=order.incoming,
        )
        name = identity(spec.name, order.epoch, order.boot_id)
        bridges = tuple(each.vswitch for each in spec.vm.networks)
        record = GuestRecord(guest=guest, name=name, taps=taps, bridges=bridges)
        try:
            instance = self._instances[spec.name] = Instance(record, folder, process, self._clock)
        except OSError:
            await process.kill(UNDO_S)
            raise
        try:
            folder.write_guest(record)
        except OSError as failure:
            await self.undo(instance, no_room(failure))
            raise
        await self._scopes.take(process.pid, spec.name)
        return instance

    async def undo(self, instance: Instance, why: str) -> None:
        """End a guest that has not run."""
        instance.expect_end(why)
        await instance.process.kill(UNDO_S)
        await instance.wait_gone(UNDO_S)

    async def adopt(self) -> list[Guest]:
        for package in recorded_packages(self._run_folder):
            async with self.turns[package]:
                if package not in self._instances:
                    await self._find_again(package)
        self._take_nameless()
        await asyncio.gather(*(
            self._check_identity(instance) for instance in tuple(self._instances.values())
        ))
        self._taking = asyncio.gather(*(
            self._scopes.take(each.process.pid, name) for name, each in self._instances.items()))
        return [each.guest for _, each in sorted(self._instances.items()) if not each.exit]

    async def close(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
        instances = tuple(self._instances.values())
        self._instances.clear()
        await asyncio.gather(*(instance.close() for instance in instances))
        for instance in instances:
            forget(instance.folder.path)

    async def _answering(self, instance: Instance, deadline_s: float) -> Instance | Problem:
        """Wait for the monitor, or for the process to say why there will be none."""
        opened = asyncio.create_task(instance.monitor.opened(deadline_s))
        gone = asyncio.create_task(instance.gone.wait())
        await asyncio.wait([opened, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        await asyncio.wait([gone])
        if instance.exit is not None:
            opened.cancel()
            await asyncio.wait([opened])
            return start_failed(instance.guest.package, instance.exit.because)
        answered = await opened
        because = f"its monitor did not answer in {deadline_s:g} s"
        if answered:
            because = await self._name_machine(instance)
        if not because:
            return instance
        await self.undo(instance, because)
        return start_failed(instance.guest.package, because)

    async def _name_machine(self, instance: Instance) -> str:
        """Record the versioned type an alias such as q35 stood for; a target must be given it."""
        if instance.guest.incoming:
            return ""
        try:
            kind = await instance.monitor.ask("qom-get", {"path": "/machine", "property": "type"})
        except MonitorTrouble as trouble:
            return str(trouble)
        machine = str(kind).removesuffix("-machine")
        try:
            instance.write_record(changed(instance.guest, machine=machine))
        except OSError as failure:
            return no_room(failure)
        return ""

    async def _find_again(self, package: str) -> None:
        folder = self.folder(package)
        record = folder.read_guest()
        if record is None:
            return
        if not self._take_up(record):
            await _clear_up_after(record, folder)

    def _take_up(self, record: GuestRecord) -> bool:
        """Whether its process is there."""
        guest = record.guest
        process = find(guest.pid, guest.start_ticks)
        if process and record.name in running_command_line(guest.pid):
            if (told := told_by(guest.pid)) is not None:
                self._began_in[guest.pid] = told[1]
            self._instances[guest.package] = Instance(
                record, self.folder(guest.package), process, self._clock)
            return True
        if process:
            process.close()
        return False

    async def _check_identity(self, instance: Instance) -> None:
        """The monitor's word against the record's; silence proves nothing."""
        if not instance.process.is_running or not await instance.monitor.opened(ADOPT_S):
            return
        try:
            name = (await instance.monitor.ask("query-name")).get("name")
        except MonitorTrouble:
            return
        if name != instance.record.name:
            del self._instances[instance.guest.package]
            await instance.close()
        elif not instance.guest.machine.startswith("pc-"):  # an alias, from a command line
            await self._name_machine(instance)

    def _take_nameless(self) -> None:
        """A daemon that died between starting a process and recording it, a record that was lost,
        or another run folder leave a guest nobody knows: its command line says what the record
        would. Whether it may stay is for others to decide; of several the latest is taken up."""
        found = sorted(self._unheld(), key=lambda record: (
            record.guest.epoch, record.guest.start_ticks), reverse=True)
        for record in found:
            package = record.guest.package
            held = self._instances.get(package)
            if held is not None and not held.exit or not self._take_up(record):
                continue
            try:
                self.folder(package).write_guest(record)
            except OSError as failure:
                log.error("%s: its record is lost again: %s", package, failure)

    def _unheld(self, package: str = "") -> list[GuestRecord]:
        """This node's processes of ours that no instance holds. Raises OSError."""
        held, found = self.pids(), []
        for pid in running(BINARY):
            told = None if pid in held else told_by(pid)
            if told is None or package not in ("", told[0].guest.package):
                continue
            is_counted = self._counts_process is not None and self._counts_process(pid)
            if is_counted or told[1] == self._run_folder:
                found.append(told[0])
        return found

    def is_astray(self, guest: Guest) -> bool:
        """Whether its process is there although nobody here holds it."""
        try:
            return any(is_same_life(each.guest, guest) for each in self._unheld(guest.package))
        except OSError as failure:
            log.error("%s: the host's processes cannot be seen: %s", guest.package, failure)
            return True

    async def end_remains(self, package: str = "") -> Problem | None:
        """As Driver.end_remains."""
        try:
            for name in sorted({each.guest.package for each in self._unheld(package)}):
                async with self.turns[name]:
                    refused = await self._end_remains(name)
                if refused is not None:
                    return refused
        except OSError as failure:
            return problem(
                "guest-not-released", f"package:{package or 'all'}",
                what="it is not known whether a guest is left", because=no_room(failure),
                fix="free what the host is short of; it is looked at again by itself",
            )
        return None

    async def _end_remains(self, package: str) -> Problem | None:
        """In the package's turn. Raises OSError."""
        held = self._instances.get(package)
        kept = held.record.taps if held is not None and held.exit is None else ()
        for record in self._unheld(package):
            process = find(record.guest.pid, record.guest.start_ticks)
            if process is None:
                continue
            log.warning("ending process %d, %s: nobody holds it", process.pid, record.name)
            if not await process.kill(UNDO_S):
                process.close()
                return will_not_end(record.guest, UNDO_S)
            await remove_taps([tap for tap in record.taps if tap not in kept])
        return None


def is_same_life(one: Guest, other: Guest) -> bool:
    return (one.package, one.pid, one.start_ticks) == (other.package, other.pid, other.start_ticks)


def _spawned(spec: PackageSpec, launch: Launch, folder: GuestFolder) -> Process | OSError:
    """Raises OSError, and then nothing was started."""
    folder.clear()
    Path(console_path(launch.folder)).touch(mode=0o600)
    with ExitStack() as stack:
        def kept(path: str | Path, flags: int) -> int:
            descriptor = os.open(path, flags, 0o600)
            stack.callback(os.close, descriptor)
            return descriptor

        work = stack.enter_context(_listener(folder.work_socket))
        emergency = stack.enter_context(_listener(folder.emergency_socket))
        return spawn(command_line(spec, launch), files={
            2: kept(folder.errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
            launch.work_fd: work.fileno(), launch.emergency_fd: emergency.fileno(),
            WORK_KEPT_FD: kept(folder.work_socket, os.O_PATH),
            EMERGENCY_KEPT_FD: kept(folder.emergency_socket, os.O_PATH),
        })


def _listener(path: Path) -> socket.socket:
    """Made here, so that whoever connects waits for QEMU instead of trying again and again, and
    learns at once if it dies."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(fitting(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def _clear_up_after(record: GuestRecord, folder: GuestFolder) -> None:
    """Its process ended while no daemon looked; if it powered off, that was noted before."""
    noted = folder.read_exit()
    if noted is None or not is_same_life(noted.guest, record.guest):
        words = folder.last_words()
        because = "the process ended while no daemon watched it"
        ended = Exit(powered_off=False, because=f"{because}: {words}" if words else because)
        folder.write_exit(ExitRecord(guest=record.guest, exit=ended))
    folder.clear()
    await remove_taps(record.taps)
