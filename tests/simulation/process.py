"""A process of a simulated host, with an asyncio event loop of its own on simulated time.

It can be paused, and killed between any two steps. What a killed process would have cleaned up is
not cleaned up: its tasks are kept as they stood until the run is over.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from typing import Any

from tests.raft.memory_disk import Stopped
from tests.simulation.timeline import LEAST_WAIT_S, HostTime, Timeline


class Process:
    """`broke` hears of exceptions nobody caught; `stepped` is called after each step."""

    def __init__(
        self, timeline: Timeline, time: HostTime, *, broke: Callable[[str], None],
        stepped: Callable[[], None],
    ) -> None:
        self.timeline, self.time = timeline, time
        self.is_alive = True
        self.was_stopped = False
        """It died inside a file operation."""
        self.began_s, self.last_paused_s = timeline.now_s, -100.0
        self._hangs_until_s = 0.0
        self._is_paused = False
        self._held: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._broke, self.stepped = broke, stepped
        self.loop = Loop(self)
        self._remains: set[asyncio.Task[Any]] = set()

    def at(self, when_s: float, action: Callable[..., Any], *args: Any) -> None:
        """Have it do this then, if it lives and is not paused."""
        self.timeline.at(when_s, self._step, action, args)

    def after(self, delay_s: float, action: Callable[..., Any], *args: Any) -> None:
        self.at(self.timeline.now_s + delay_s, action, *args)

    def _step(self, action: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if not self.is_alive:
            return
        if self._is_paused:
            self._held.append((action, args))
            return
        with self.running():
            with suppress(Stopped):
                action(*args)
        self.stepped()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Its code runs: its loop is the running one and its host's clock the one that shows."""
        before, clock = asyncio._get_running_loop(), self.timeline.here
        asyncio._set_running_loop(self.loop)
        self.timeline.here = self.time
        try:
            yield
        finally:
            asyncio._set_running_loop(before)
            self.timeline.here = clock

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Its main program."""
        with self.running():
            self.loop.create_task(work)

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def is_awake_for(self, for_s: float) -> bool:
        """It lives, and was not paused for so long."""
        return self.is_alive and not self._is_paused and (
            self.timeline.now_s > self.last_paused_s + for_s)

    def pause(self, for_s: float) -> None:
        """As by SIGSTOP: its clock goes on, it does nothing."""
        if not self._is_paused:
            self._is_paused = True
            self.timeline.after(for_s, self._go_on)

    def hang(self, for_s: float) -> None:
        """With its whole host: whatever else pauses it, it does not go on before that."""
        self._is_paused = True
        self._hangs_until_s = self.timeline.now_s + for_s
        self.timeline.after(for_s, self._go_on)

    def _go_on(self) -> None:
        if self.timeline.now_s < self._hangs_until_s:
            return
        self._is_paused, self.last_paused_s = False, self.timeline.now_s
        held, self._held = self._held, []
        for action, args in held:
            self.after(0.0, action, *args)

    def kill(self) -> None:
        self.is_alive = False
        self._remains = asyncio.all_tasks(self.loop)

    def broke(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.is_alive and not isinstance(error, Stopped) and not self.timeline.is_over:
            self._broke(f"{context.get('message')}: {error!r}")

    def bury(self) -> None:
        """The run is over: close what it left, which may have something to say to nobody."""
        self._remains |= asyncio.all_tasks(self.loop)
        self.is_alive = False
        with self.running():
            for task in self._remains:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                closed(task.get_coro())
        self._remains = set()


def closed(work: Any) -> None:
    """Closed as far as that goes: a `finally` that waits cannot be."""
    try:
        work.close()
    except BaseException:  # its doors are shut, or it waits: nobody is there to care
        return


class Loop(asyncio.AbstractEventLoop):
    """As much of an event loop as our code uses; each callback is one step of the world."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def time(self) -> float:
        return self._process.time.now_s()

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._process.after(0.0, self._call, handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._set(handle)
        return handle

    def _set(self, handle: asyncio.TimerHandle) -> None:
        process = self._process
        least_s = process.timeline.now_s + LEAST_WAIT_S
        process.at(max(least_s, process.time.when_s(handle.when())), self._due, handle)

    def _due(self, handle: asyncio.TimerHandle) -> None:
        if handle.when() > self.time() + LEAST_WAIT_S:
            self._set(handle)  # the clock has slowed down since
        else:
            self._call(handle)

    def _call(self, handle: asyncio.Handle) -> None:
        if not handle.cancelled():
            handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is dropped when it is due."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._process.is_alive

    def is_closed(self) -> bool:
        return not self._process.is_alive

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._process.broke(context)
