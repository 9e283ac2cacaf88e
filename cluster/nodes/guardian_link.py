"""The daemon's line to the guardian: tells it the lease and the guests, hears what it did.

The guardian is another process, started by others, and may be restarted at any time; the daemon
must not notice more than a pause. So this link keeps the last lease and the last list, reconnects
by itself and says both again, the lease first, because a guest registered under a lease that is
over is frozen at once.

Everything it answers says until when it will let guests run: that is what the node may count on
(cluster/nodes/guarding.py), and nothing else is.

What must never happen here: waiting for the guardian on the event loop; a list sent that the
daemon has not given (an empty list would unguard the guests the guardian still knows); a lease
called acknowledged that a guardian has not answered for on the line that stands.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

from cluster.guardian import noted
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, from_json, plain, to_json
from packages.vm.driver import Guest

__all__ = ["GuardedGuest", "Guardian", "GuardianLink", "GuardianNews", "GuardianReport", "Noted"]

log = logging.getLogger(__name__)

RETRY_S = 0.2
"""Between attempts to connect: a restarted guardian must hear from us well within a lease."""

LINE_BYTES = 4 << 20
"""The longest line believed: the report of a node with thousands of guests."""

UNSENT_BYTES = 1 << 20
"""Once so much waits to be sent, the guardian does not read: better to start over."""


class GuardedGuest(Value):
    """The part of a Guest the guardian knows."""

    package: str
    epoch: int
    pid: int
    start_ticks: int
    frozen: bool = False
    """The daemon itself has stopped it: with a good lease the guardian lets it go on."""


class GuardianNews(Value):
    """`frozen`, `thawed`, `killed` by the lease; `gone` by itself; `absent`: never was there."""

    event: Literal["frozen", "thawed", "killed", "gone", "absent"]
    guests: tuple[GuardedGuest, ...]
    at_s: float
    because: str


class GuardianReport(Value):
    """The guardian's view. `killed` holds a guest until the daemon's list leaves it out."""

    ask: int
    frozen: tuple[GuardedGuest, ...]
    killed: tuple[GuardedGuest, ...]
    guarded: tuple[GuardedGuest, ...]
    expiry_s: float
    kill_at_s: float
    ending: bool
    """It was asked to end, and will once no guest is left."""
    watchdog: str = ""
    """What it calls itself; empty: there is none."""
    watchdog_s: float = 0.0
    acknowledges: bool = False
    """It knows the short question, {"heard": N}; one of an earlier version does not."""


class Heard(Value):
    """What a guardian answers to that."""

    heard: int
    expiry_s: float


class Watchdog(Value):
    """Of the guardian's host. `proves_s`: how long after its last petting the host is reset for
    certain; 0: nothing is certain."""

    name: str = ""
    proves_s: float = 0.0


class Noted(Value):
    """What a guardian leaves to its successor. `expiry_s` may be up to RECORD_STEP_S too early;
    0.0: a lease that is over, of which nothing is known. `pids`: whom it would hold to that."""

    expiry_s: float
    pids: frozenset[int]


SOFTWARE = "Software Watchdog"
"""Linux's softdog: a timer of the kernel, which stands still when the kernel does."""


def watchdog_called(name: str, timeout_s: float) -> Watchdog:
    return Watchdog(name=name, proves_s=timeout_s if name != SOFTWARE else 0.0)


class Guardian(Protocol):
    """What a node needs of its guardian; GuardianLink says more about each."""

    def noted(self) -> Noted: ...
    async def connect(self, *, deadline_s: float) -> Problem | None: ...
    def renew(self, expiry_s: float, kill_at_s: float) -> None: ...
    def ping(self) -> None: ...
    def guard(self, guests: list[Guest], *, frozen: frozenset[int] = frozenset()) -> None: ...
    async def taken_up(self, *, deadline_s: float = 2.0) -> Problem | None: ...
    async def watchdog(self) -> Watchdog: ...
    async def close(self) -> None: ...


class GuardianLink:
    """`heard` is called on the event loop, and may be told the same thing twice: what was frozen
    or killed while the line was down is told again when it stands. `acknowledged` is called with
    the expiry that the guardian holds, for each of its answers."""

    def __init__(
        self, socket_path: str, *, heard: Callable[[GuardianNews], None],
        acknowledged: Callable[[float], None] = lambda expiry_s: None,
    ) -> None:
        self._path = socket_path
        self._heard = heard
        self._acknowledged = acknowledged
        self._knows_short = False
        self._lease: dict[str, object] | None = None
        self._revoked = False
        self._guests: list[dict[str, object]] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answered = asyncio.Event()
        self._asked: dict[int, asyncio.Future[GuardianReport]] = {}
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """The guardian has answered on the line that stands now."""
        return self._answered.is_set()

    def noted(self) -> Noted:
        """By its record of this boot, as of now."""
        lease, guests = noted(os.path.dirname(self._path))
        return Noted(expiry_s=lease.expiry_s, pids=frozenset(each.pid for each in guests))

    async def connect(self, *, deadline_s: float) -> Problem | None:
        """Begin, and wait for the guardian's first answer. After a Problem the link goes on
        trying all the same: the caller decides whether it wants to run without a guardian."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(deadline_s):
                await self._answered.wait()
        except TimeoutError:
            return self._unreachable(f"no answer within {deadline_s:g} s")
        return None

    def renew(self, expiry_s: float, kill_at_s: float) -> None:
        """The lease as of now, on CLOCK_BOOTTIME. The guardian ignores one that is no later, and
        acknowledges what it holds then."""
        self._lease = {"expiry_s": expiry_s, "kill_at_s": kill_at_s}
        self._send({"lease": self._lease})
        self.ping()

    def ping(self) -> None:
        """Have it acknowledge what it holds, after everything said to it before. On a new line the
        first question stands for this one."""
        if self.connected:
            self._number += 1
            self._send({"heard" if self._knows_short else "ask": self._number})

    def revoke(self, expiry_s: float, kill_at_s: float) -> None:
        """Give the lease back: it ends then, although a later end was told before."""
        self._revoked = True
        self._lease = {"expiry_s": expiry_s, "kill_at_s": kill_at_s}
        self._send({"lease": {**self._lease, "revoke": True}})

    def guard(self, guests: list[Guest], *, frozen: frozenset[int] = frozenset()) -> None:
        """The full list; one that was said already is not said again. Those that run and are not on
        it are guarded no longer, and go on if they stood frozen. `frozen`: pids of those that the
        daemon has stopped itself."""
        listed = [plain(GuardedGuest(
            package=guest.package, epoch=guest.epoch, pid=guest.pid,
            start_ticks=guest.start_ticks, frozen=guest.pid in frozen,
        )) for guest in guests]
        if listed != self._guests:
            self._guests = listed
            self._send({"guests": listed})

    async def ask(self, *, deadline_s: float = 2.0) -> GuardianReport | Problem:
        """What the guardian holds, after everything said to it before this question."""
        if not self.connected:
            return self._unreachable("the line is down")
        self._number += 1
        number = self._number
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._send({"ask": number})
        try:
            async with asyncio.timeout(deadline_s):
                return await self._asked[number]
        except TimeoutError:
            return self._unreachable(f"no answer within {deadline_s:g} s")
        finally:
            self._asked.pop(number, None)

    async def taken_up(self, *, deadline_s: float = 2.0) -> Problem | None:
        """None once the guardian has taken up everything said to it before."""
        report = await self.ask(deadline_s=deadline_s)
        return report if isinstance(report, Problem) else None

    async def watchdog(self) -> Watchdog:
        """What is there now; a guardian that does not answer has none."""
        report = await self.ask()
        if isinstance(report, Problem) or not report.watchdog:
            return Watchdog()
        return watchdog_called(report.watchdog, report.watchdog_s)

    async def close(self) -> None:
        """Hang up. The guardian goes on guarding what it was told."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _unreachable(self, because: str) -> Problem:
        return problem(
            "guardian-unreachable", "guardian",
            what="the guardian of this node does not answer", because=because,
            fix="Its unit starts it again; if it does not: systemctl status vmsg-guard. It is "
                f"vmsg-guard with --run on the folder of {self._path}",
        )

    async def _keep(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES)
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            self._writer = writer
            try:
                self._repeat()
                await self._listen(reader)
            except (OSError, ValueError, *Undecodable) as error:
                log.warning("the line to the guardian broke: %r", error)
            finally:
                self._answered.clear()
                self._knows_short = False
                self._writer = None
                writer.close()
            await asyncio.sleep(RETRY_S)

    def _repeat(self) -> None:
        """On a new line: the lease, then the list, then a question that tells when both are in.

        Once a lease was given back, each repetition must be able to shorten what a restarted
        guardian read from its record, which may be older than our giving back."""
        if self._lease is not None:
            self._send({"lease": {**self._lease, "revoke": self._revoked}})
        if self._guests is not None:
            self._send({"guests": self._guests})
        self._send({"ask": 0})

    def _send(self, message: dict[str, object]) -> None:
        if self._writer is None or self._writer.is_closing():
            return  # said again when the line stands
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES:
            log.warning("the guardian does not read: starting over")
            self._writer.transport.abort()
            return
        self._writer.write(to_json(message) + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b'{"event"'):
                self._tell(from_json(line, GuardianNews))
            elif line.startswith(b'{"heard"'):
                self._acknowledged(from_json(line, Heard).expiry_s)
            else:
                self._told(from_json(line, GuardianReport))

    def _told(self, report: GuardianReport) -> None:
        waiting = self._asked.get(report.ask)
        if waiting is not None and not waiting.done():
            waiting.set_result(report)
        self._acknowledged(report.expiry_s)
        if report.ask == 0:
            self._knows_short = report.acknowledges
            self._answered.set()
            because, at_s = "found when the line to the guardian stood again", report.expiry_s
            if report.frozen:
                self._tell(GuardianNews(
                    event="frozen", guests=report.frozen, at_s=at_s, because=because,
                ))
            if report.killed:
                self._tell(GuardianNews(
                    event="killed", guests=report.killed, at_s=at_s, because=because,
                ))

    def _tell(self, news: GuardianNews) -> None:
        try:
            self._heard(news)
        except Exception:  # a listener's bug must not take the line, and so the lease, with it
            log.exception("nobody took the guardian's news %s", news)
