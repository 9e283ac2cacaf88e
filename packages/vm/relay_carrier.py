"""The migration channel made of two relays (packages/vm/relay.py), one process on each node.

A relay is started for one move and one side of it, told its orders over a pipe (the token never
stands on a command line), and ended by its process id. Its record lies in the run folder, so that
a daemon that was restarted in the middle of a move can still end what it began; a relay nobody
ends is over by itself soon after its migration.
"""

import asyncio
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

from cluster.clock import Clock
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, from_json, to_json
from packages.vm.carrier import Landing
from packages.vm.processes import Process, find, not_started, spawn
from packages.vm.relay import CONNECT_S
from packages.vm.socket_paths import fitting, forget

Transport = Literal["tls", "plain"]
"""`plain` is for a network that carries guest memory and nothing else."""

log = logging.getLogger(__name__)

RELAY = Path(__file__).with_name("relay.py")
START_S = 10.0
"""For a relay to report: tens of milliseconds, and its own 5 s for a target that is silent."""
END_S = 5.0
LOGS_KEPT = 20
"""Of relays that had something to say: a node moves thousands of times between two boots."""


class RelayRecord(Value):
    pid: int
    start_ticks: int


class WaitingRelay:
    """A relay without orders: its program is loaded while the move has other things to wait for."""

    def __init__(self, process: Process, telling: int, reading: int) -> None:
        self.process = process
        self._telling = telling
        self._reading = reading

    async def told(self, orders: dict[str, str]) -> str:
        """What it says to its orders; empty if it ended or was silent too long."""
        lines = "".join(f"{key}={value}\n" for key, value in orders.items())
        reading, self._reading = self._reading, -1
        try:
            # A pipe holds more than these lines: writing does not wait for the reader.
            os.write(self._telling, lines.encode())
        except BrokenPipeError:  # it has ended: its silence says so
            pass
        finally:
            self.close()
        return await _line(reading)

    def close(self) -> None:
        """A relay that was told nothing ends."""
        for descriptor in (self._telling, self._reading):
            if descriptor >= 0:
                os.close(descriptor)
        self._telling = self._reading = -1


class RelayCarrier:
    """One node's end of every move's channel. `etc_folder` has ca.crt, node.crt and node.key;
    `address` is where the other nodes' relays reach this one, `address_of` the same of another, ""
    where nobody knows it. Make it inside a running loop."""

    def __init__(
        self, etc_folder: Path, run_folder: Path, address: str, clock: Clock, *,
        transport: Transport = "tls", address_of: Callable[[str], str] = lambda node: "",
    ) -> None:
        self._etc = etc_folder.absolute()
        self._folder = run_folder.absolute() / "relays"
        self._address = address
        self._clock = clock
        self._transport, self._address_of = transport, address_of
        self._relays: dict[str, Process] = {}
        self._waiting: dict[str, WaitingRelay] = {}

    async def prepare(self, move: str) -> None:
        await self._start(move)

    async def land(self, move: str, *, socket_path: str, source: str) -> Landing | Problem:
        token = self._clock.token() + self._clock.token()
        reported = await self._begin(move, {
            "role": "land", "address": self._address, "peer": source, "token": token,
            "socket_path": Path(socket_path),
            "ended_path": str(self._path(move, "ended")), "source": self._address_of(source),
        })
        if isinstance(reported, Problem):
            return reported
        return Landing(address=self._address, port=int(reported), token=token)

    async def launch(self, move: str, *, landing: Landing, target: str) -> str | Problem:
        path = self._path(move, "socket")
        reported = await self._begin(move, {
            "role": "launch", "address": landing.address, "port": str(landing.port),
            "peer": target, "token": landing.token, "socket_path": path, "own": self._address,
        })
        return reported if isinstance(reported, Problem) else fitting(path)

    async def has_ended_well(self, move: str) -> bool:
        return self._path(move, "ended").exists()

    async def end(self, move: str) -> None:
        if move in self._waiting:
            self._waiting.pop(move).close()
        process = self._relays.pop(move, None) or self._recorded(move)
        if process:
            await process.kill(END_S)
            process.close()
        for kind in ("json", "socket", "ended"):
            with suppress(OSError):  # a relay is over by itself; its files are written anew
                self._path(move, kind).unlink(missing_ok=True)
        log_file = self._path(move, "log")
        with suppress(OSError, IndexError):
            last = log_file.read_text(errors="replace").splitlines()[-1]
            log.warning("the relay of move %s: %s", move, last[:200])
        self._tidy(log_file)

    def _tidy(self, log: Path) -> None:
        """A log that says nothing goes with its relay; of those that do the newest are kept, since
        they lie in /run, which is memory."""
        with suppress(OSError):
            if log.stat().st_size == 0:
                log.unlink()
        with suppress(OSError):
            logs = sorted(self._folder.glob("*.log"), key=lambda each: each.stat().st_mtime)
            for each in logs[:-LOGS_KEPT]:
                each.unlink()

    async def close(self) -> None:
        await asyncio.gather(*(self.end(move) for move in tuple(self._relays)))
        forget(self._folder)

    async def _begin(self, move: str, wanted: dict[str, str | Path]) -> str | Problem:
        """Give its orders to the relay that waits for them, or to a new one in place of any the
        move has here; what it says to `ready`."""
        failure = None if move in self._waiting else await self._start(move)
        if failure is not None:
            return not_started(f"move:{move}", sys.executable, failure)
        relay = self._waiting.pop(move)
        orders = {key: str(each) for key, each in wanted.items()}
        orders |= {"transport": self._transport, "etc": str(self._etc)}
        try:
            orders |= {key: fitting(each) for key, each in wanted.items() if isinstance(each, Path)}
            word, _, rest = (await relay.told(orders)).partition(" ")
        except OSError as lacking:
            relay.close()
            word, rest = "refused", f"unusable {lacking}"
        if word == "ready":
            return rest
        await self.end(move)
        return _refusal(move, orders, rest or "unusable it ended without a word")

    async def _start(self, move: str) -> OSError | None:
        """What is started is held before anything else can fail, and ended if it does."""
        try:
            await self.end(move)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            started = _started(self._path(move, "log"))
            if isinstance(started, OSError):
                return started
            process = started.process
            self._relays[move], self._waiting[move] = process, started
            record = RelayRecord(pid=process.pid, start_ticks=process.start_ticks)
            self._path(move, "json").write_bytes(to_json(record))
        except OSError as failure:
            await self.end(move)
            return failure
        return None

    def _recorded(self, move: str) -> Process | None:
        try:
            record: RelayRecord = from_json(self._path(move, "json").read_bytes(), RelayRecord)
            return find(record.pid, record.start_ticks)
        except (OSError, *Undecodable):
            return None

    def _path(self, move: str, kind: str) -> Path:
        return self._folder / f"{re.sub('[^A-Za-z0-9-]', '_', move)}.{kind}"


def _started(log: Path) -> WaitingRelay | OSError:
    """-I, -S: nothing of anybody's environment is imported, and the start takes half the time.
    Raises OSError, and then nothing was started."""
    with ExitStack() as ours, ExitStack() as theirs:
        hearing, telling = _pipe(reads=theirs, writes=ours)
        reading, output = _pipe(reads=ours, writes=theirs)
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        theirs.callback(os.close, errors)
        process = spawn(
            [sys.executable, "-I", "-S", str(RELAY)], files={0: hearing, 1: output, 2: errors},
        )
        if isinstance(process, OSError):
            return process
        ours.pop_all()
        return WaitingRelay(process, telling, reading)


def _pipe(*, reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """Each end is closed with whose it is. Raises OSError."""
    reading, writing = os.pipe()
    reads.callback(os.close, reading)
    writes.callback(os.close, writing)
    return reading, writing


async def _line(reading: int) -> str:
    """The relay's report; empty if it ended or was silent too long."""
    stream = asyncio.StreamReader()
    try:
        pipe = os.fdopen(reading, "rb")
    except OSError:
        os.close(reading)
        raise
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe)
    except OSError:
        pipe.close()
        raise
    try:
        async with asyncio.timeout(START_S):
            return (await stream.readline()).decode(errors="replace").strip()
    except TimeoutError:
        return ""
    finally:
        transport.close()


def _refusal(move: str, orders: dict[str, str], said: str) -> Problem:
    reason, _, words = said.partition(" ")
    there = f"{orders['peer']} at {orders['address']}"
    if reason == "unreachable":
        return problem(
            "carrier-unreachable", f"move:{move}", what=f"no connection to {there}", because=words,
            fix="look at the migration network between the two nodes and at their firewalls",
        )
    if reason == "crowded":
        return problem(
            "carrier-crowded", f"move:{move}",
            what=f"the landing of {there} was full of strangers", because=(
                f"it closed this node's connections for {CONNECT_S:.0f} s: to make room for others "
                f"that say nothing, or because it does not know {orders['own']} as this node's"),
            fix="see that the cluster file has that address for this node; keep others off the "
                "migration network (docs/security.md has the firewall's rules); then move again",
        )
    if reason in ("untrusted", "unwelcome"):
        return problem(
            "carrier-untrusted", f"move:{move}",
            what=f"{there} and this node do not trust each other", because=words,
            fix="give both nodes certificates of this cluster's own authority, each its own name",
        )
    return problem(
        "carrier-failed", f"move:{move}", what="the migration channel could not be opened",
        because=words, fix="look at the node's certificate files, its address and the relay's log",
    )
