"""One guest of this node while it is held: its process, its monitor, its listeners and its end.

An instance hears everything its guest's monitor tells, passes it on in order, and turns the end
of the process into one last event, after everything the process said before. A guest that
powered itself off leaves a stopped process behind (-action shutdown=pause), so that this can be
seen even if nobody was looking; ending that process is housekeeping and is done here.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cluster.clock import Clock
from packages.core.values import Value, changed
from packages.vm.driver import Exit, Guest, GuestEvent, Observation, RunState
from packages.vm.processes import Process
from packages.vm.qemu.monitor import Monitor, MonitorEvent, MonitorTrouble, Silent
from packages.vm.qemu.records import ExitRecord, GuestFolder, GuestRecord
from packages.vm.qemu.states import guest_event, is_power_off, progress, run_state
from packages.vm.qemu.taps import remove_taps
from packages.vm.socket_paths import fitting

DRAIN_S = 0.5
"""For events still in a dead guest's socket; they are read within milliseconds."""
WORK_KEPT_FD, EMERGENCY_KEPT_FD = 5, 6
"""In the guest's process: its monitors' sockets as files (O_PATH), by which they are reached when
their names are lost with a folder below /run, or lie in another daemon's folder."""
QUIT_S = 2.0
"""For a powered-off guest's process to close its disks by itself."""


class Ending(Value):
    """What an order or the guest said about the end before it came."""

    powered_off: bool
    because: str


class Instance:
    """Make it inside a running event loop; `close` lets go of a guest, `gone` tells its end."""

    def __init__(
        self, record: GuestRecord, folder: GuestFolder, process: Process, clock: Clock,
    ) -> None:
        self.record = record
        self.folder = folder
        self.process = process
        self.exit: Exit | None = None
        self.gone = asyncio.Event()
        """Set when the process is dead, its traces are removed and its exit is known."""
        self.downtime_limit_ms = 0
        self.prepared_to_send: tuple[int, int | None] | None = None
        """Downtime limit and bandwidth, from when they were set until memory is sent."""
        self.has_loaded = False
        """A target that has said that its whole memory is here; QEMU says it when all is ready."""
        self.arrived_as: RunState | None = None
        """What a target that has loaded was seen to be: nothing changes that before it runs."""
        self._clock = clock
        self._ending: Ending | None = None
        self._finishing = False
        self._listeners: list[Callable[[GuestEvent], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.monitor = Monitor(
            work_path=_way_to(folder.work_socket, process.pid, WORK_KEPT_FD),
            emergency_path=_way_to(folder.emergency_socket, process.pid, EMERGENCY_KEPT_FD),
            heard=self._on_event,
        )
        self._watcher = asyncio.create_task(self._watch())

    @property
    def guest(self) -> Guest:
        return self.record.guest

    def listen(self, heard: Callable[[GuestEvent], None]) -> Callable[[], None]:
        self._listeners.append(heard)

        def stop() -> None:
            if heard in self._listeners:
                self._listeners.remove(heard)

        return stop

    def write_record(self, guest: Guest) -> None:
        """Raises OSError, and is then the guest it was."""
        record = changed(self.record, guest=guest)
        self.folder.write_guest(record)
        self.record = record

    async def observe(self, deadline_s: float = 2.0) -> Observation:
        """What it is doing, from its own mouth; both questions within the one deadline."""
        if self.exit is not None:
            return Observation(state="gone", exit=self.exit)
        began_s = self._clock.boottime_s()
        try:
            state = run_state(await self.monitor.ask("query-status", deadline_s=deadline_s))
            left_s = deadline_s - (self._clock.boottime_s() - began_s)
            migrated = await self.monitor.ask("query-migrate", deadline_s=left_s)
        except MonitorTrouble:
            return await self._observe_process()
        if state == "shutdown":
            # Only after a restart of the daemon: otherwise the event has been heard.
            self.powered_off("the guest powered itself off")
            await self.gone.wait()
            return Observation(state="gone", exit=self.exit)
        numbers = progress(migrated, self.downtime_limit_ms)
        if self.has_loaded and self.arrived_as is None:
            self.arrived_as = state
        return Observation(state=state, migration=numbers.state, progress=numbers)

    def expect_end(self, because: str) -> None:
        """An order is about to end the process; what the guest said first stays."""
        if self._ending is None:
            self._ending = Ending(powered_off=False, because=because)

    def powered_off(self, because: str) -> None:
        """Note it where a restarted daemon would find it, then let the empty process go."""
        if self._ending is not None and self._ending.powered_off:
            return
        self._ending = Ending(powered_off=True, because=because)
        self.folder.write_exit(ExitRecord(guest=self.guest, exit=_as_exit(self._ending)))
        self._background(self._quit())

    async def wait_gone(self, deadline_s: float) -> bool:
        try:
            async with asyncio.timeout(deadline_s):
                await self.gone.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Let go of the guest; it goes on running. An end that has begun is finished first."""
        if self.exit is not None and not self._tasks:
            self._listeners.clear()
            return  # the rest ended with the process; nothing is waited for before the next life
        if self._finishing:
            await self.gone.wait()
        for task in (self._watcher, *self._tasks):
            task.cancel()
        await asyncio.wait([self._watcher, *self._tasks])
        await self.monitor.close()
        self.process.close()
        self._listeners.clear()

    def _on_event(self, event: MonitorEvent) -> None:
        if event.name == "SHUTDOWN" and is_power_off(str(event.details.get("reason"))):
            self.powered_off("the guest powered itself off")
        elif event.name == "SHUTDOWN" and event.details.get("reason") == "host-signal":
            self.expect_end("the process was told to end by a signal on the host")
        told = guest_event(event)
        if told is not None and told.kind == "completed":
            self.has_loaded = self.guest.incoming
        if told is not None:
            self._tell(told)

    def _tell(self, event: GuestEvent) -> None:
        for heard in tuple(self._listeners):
            heard(event)

    async def _observe_process(self) -> Observation:
        """The monitor is silent: is it because there is nobody any more?"""
        if self.process.is_running:
            return Observation(state="unanswered")
        await self.gone.wait()
        return Observation(state="gone", exit=self.exit)

    async def _watch(self) -> None:
        await self.process.wait()
        await self.monitor.drained(DRAIN_S)
        self._finishing = True
        await self.monitor.close()
        ended = _as_exit(self._ending) if self._ending else self._failure()
        self.folder.write_exit(ExitRecord(guest=self.guest, exit=ended))
        self.folder.clear()
        await remove_taps(self.record.taps)
        self.exit = ended
        self.gone.set()
        at_ms = float(self._clock.wall_ms())
        self._tell(GuestEvent(kind="gone", at_ms=at_ms, detail=ended.because))

    def _failure(self) -> Exit:
        code, words = self.process.exit_code, self.folder.last_words()
        if code is None:
            because = "the process ended"
        elif code < 0:
            because = f"the process was killed by signal {-code}"
        else:
            because = f"the process ended with {code}"
        return Exit(powered_off=False, because=f"{because}: {words}" if words else because)

    async def _quit(self) -> None:
        try:
            await self.monitor.ask("quit", deadline_s=QUIT_S)
        except Silent:
            pass
        if not await self.process.ended_within(QUIT_S):
            await self.process.kill(QUIT_S)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _way_to(socket_path: Path, pid: int, kept_fd: int) -> str:
    """/proc leads to the socket itself, whatever became of its name. Only who may trace the process
    can go that way: root."""
    if socket_path.exists():
        return fitting(socket_path)
    return f"/proc/{pid}/fd/{kept_fd}"


def _as_exit(ending: Ending) -> Exit:
    return Exit(powered_off=ending.powered_off, because=ending.because)
