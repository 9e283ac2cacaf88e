"""The door to QEMU's monitor (QMP). The only file that imports qemu.qmp.

Two connections to each guest: one for work, one for emergencies. While a source sends its last
pages its main loop is held up and the work monitor answers nothing; the out-of-band `yank` is
then heard on a monitor that has nothing queued. So the work connection carries one command at a
time, and whoever comes next waits or is told `Silent`: eight unanswered commands would make QEMU
stop reading, and a yank behind them would never be seen.

What must never happen here: a command sent twice because its answer was late.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from qemu.qmp import (
    ConnectError, EventListener, ExecuteError, Message, QMPClient, QMPError, Runstate
)

from packages.core.values import Value

# Its failures come back as answers here; a guest that ended is not an error of the daemon's. It
# even calls it its own bug to be told to stop in the moment its connection is refused.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)

Heard = Callable[["MonitorEvent"], None]

RECONNECT_S = 0.5
"""Between attempts; only a monitor that closed on us is tried again, and QEMU keeps listening."""


class MonitorEvent(Value):
    name: str
    at_ms: float
    """QEMU's own wall clock."""
    details: dict[str, Any]


class MonitorTrouble(Exception):
    """Why a question has no answer. Caught in this room, never outside of it."""


class Silent(MonitorTrouble):
    """No answer in time, or nobody there to give one."""


class Refused(MonitorTrouble):
    """QEMU's own words."""


class _Listener(EventListener):
    """Hands each event over in the moment it is read, so that none is heard behind an answer that
    came after it, and no time is lost in a queue."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self._heard = heard

    async def put(self, event: Message) -> None:
        stamp: Any = event["timestamp"]
        details: Any = event.get("data", {})
        self._heard(MonitorEvent(
            name=str(event["event"]), details=details,
            at_ms=stamp["seconds"] * 1000 + stamp["microseconds"] / 1000,
        ))


class Connection:
    """One monitor socket, connected when it can be and again when it must be."""

    def __init__(self, path: str, heard: Heard | None) -> None:
        self._path = path
        self._heard = heard
        self._client: QMPClient | None = None
        self._connected = asyncio.Event()
        self._decided = asyncio.Event()
        """Connected, or never to be again."""
        self._lost = asyncio.Event()
        self._turn = asyncio.Lock()
        self._unanswered: asyncio.Task[Any] | None = None
        self._parting: asyncio.Task[None] | None = None
        self._keeper = asyncio.create_task(self._keep())

    @property
    def has_ended(self) -> asyncio.Event:
        """Set whenever the connection is lost, after the last event was heard."""
        return self._lost

    async def wait_connected(self) -> None:
        await self._connected.wait()

    async def ask(
        self, command: str, arguments: Mapping[str, object] | None, *, out_of_band: bool = False,
    ) -> Any:
        """One at a time; the caller brings the deadline. When it passes the command stays sent,
        and nobody else's turn comes before it is answered or the connection is lost."""
        async with self._turn:
            if self._unanswered is not None:
                await asyncio.wait([self._unanswered])
            await self._decided.wait()
            client = self._client
            if client is None:
                raise Silent("the monitor closed the connection")
            running = asyncio.create_task(_execute(client, command, arguments, out_of_band))
            self._unanswered = running
            running.add_done_callback(_outcome_was_seen)
            answer = await asyncio.shield(running)
            self._unanswered = None
            return answer

    async def close(self) -> None:
        """Whoever has a question and waits for the connection is told that there will be none."""
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        self._decided.set()
        if self._parting is not None:
            await asyncio.wait([self._parting])
        if self._unanswered is not None:
            await asyncio.wait([self._unanswered])

    async def _keep(self) -> None:
        while True:
            client = QMPClient(self._path)
            try:
                if self._heard:
                    client.register_listener(_Listener(self._heard))
                await client.connect(self._path)
                self._client = client
                self._lost.clear()
                self._connected.set()
                self._decided.set()
                while client.runstate is Runstate.RUNNING:
                    await client.runstate_changed()
            except ConnectError:
                pass  # tried again below
            finally:
                self._client = None
                self._connected.clear()
                self._decided.clear()
                # Not to be interrupted: the library would leave its tasks behind.
                self._parting = asyncio.create_task(_disconnected(client))
                await asyncio.shield(self._parting)
                self._lost.set()
            await asyncio.sleep(RECONNECT_S)


class Monitor:
    """Both connections of one guest."""

    def __init__(self, *, work_path: str, emergency_path: str, heard: Heard) -> None:
        self._work = Connection(work_path, heard)
        self._emergency = Connection(emergency_path, None)

    async def opened(self, deadline_s: float) -> bool:
        """True when both answer."""
        return await _in_time(
            asyncio.gather(self._work.wait_connected(), self._emergency.wait_connected()),
            deadline_s,
        )

    async def ask(
        self, command: str, arguments: Mapping[str, object] | None = None, *,
        deadline_s: float = 2.0,
    ) -> Any:
        """QEMU's answer. Raises Silent or Refused."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._work.ask(command, arguments)
        except TimeoutError as late:
            raise Silent(f"no answer to {command} in {deadline_s:g} s") from late

    async def yank_migration(self, *, deadline_s: float = 2.0) -> None:
        """Cut the migration's connection, also while the main loop hangs. Raises as `ask` does."""
        instances = {"instances": [{"type": "migration"}]}
        try:
            async with asyncio.timeout(deadline_s):
                await self._emergency.ask("yank", instances, out_of_band=True)
        except TimeoutError as late:
            raise Silent(f"no answer to yank in {deadline_s:g} s") from late

    async def drained(self, deadline_s: float) -> bool:
        """After QEMU's end: true when its last events have been heard."""
        return await _in_time(self._work.has_ended.wait(), deadline_s)

    async def close(self) -> None:
        await asyncio.gather(self._work.close(), self._emergency.close())


async def _execute(
    client: QMPClient, command: str, arguments: Mapping[str, object] | None, out_of_band: bool,
) -> Any:
    try:
        return await client.execute(command, arguments, oob=out_of_band)
    except ExecuteError as refusal:
        raise Refused(str(refusal)) from refusal
    except QMPError as failure:
        raise Silent(f"the monitor closed the connection: {failure}") from failure


async def _disconnected(client: QMPClient) -> None:
    """The end of the other side is how every guest ends, not a failure to be told of."""
    try:
        await client.disconnect()
    except (EOFError, OSError, QMPError):
        pass


async def _in_time(work: Coroutine[Any, Any, Any] | asyncio.Future[Any], deadline_s: float) -> bool:
    try:
        async with asyncio.timeout(deadline_s):
            await work
    except TimeoutError:
        return False
    return True


def _outcome_was_seen(task: asyncio.Task[Any]) -> None:
    """Keeps asyncio from calling an answer nobody waited for an error nobody noticed."""
    if not task.cancelled():
        task.exception()
