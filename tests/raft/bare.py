"""A bare PySyncObj of the pinned release, as its authors made it: to be shown beside ours.

Ours puts its own parts into the engine's module (cluster/raft/pin.py), so the bare one is a second
copy of that module. Its journal and its snapshots are its own, on real files; only its clock is the
test's, and its transport a list.
"""

import gzip
import importlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from cluster.config.schema import PROFILES
from cluster.raft.pin import NoPoller, Transport
from cluster.raft.wire import Append, Body, as_message
from tests.raft.memory_disk import MemoryDisk
from tests.raft.rig import HandClock

TIMINGS = PROFILES["lan"]
COMMAND, VERSION = b"\0", b"\3"


def second_copy(name: str) -> ModuleType:
    """The package once more, while everybody else keeps the one they have."""
    def its_modules() -> list[str]:
        return [each for each in sys.modules if each == name or each.startswith(name + ".")]

    ours = {each: sys.modules.pop(each) for each in its_modules()}
    try:
        return importlib.import_module(f"{name}.syncobj")
    finally:
        for each in its_modules():
            del sys.modules[each]
        sys.modules.update(ours)


BARE = second_copy("pysyncobj")
JOURNAL = BARE.createJournal.__globals__
RESIZABLE_FILE = JOURNAL["ResizableFile"]


class BareMember(BARE.Node):  # type: ignore[misc,name-defined]
    @property
    def name(self) -> str:
        return str(self._id)


class TickingClock(HandClock):
    """Some of the engine's loops end only by time."""

    step_s = 1e-6

    def boottime_s(self) -> float:
        self.now_s += self.step_s
        return self.now_s


class ListTransport(Transport):  # type: ignore[misc]  # the engine has no types
    def __init__(self, node: BareMember) -> None:
        super().__init__(None, node, ())
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.connected: set[str] = set()

    def connect(self, name: str) -> None:
        if name not in self.connected:
            self.connected.add(name)
            self._onNodeConnected(BareMember(name))

    def send(self, node: BareMember, message: dict[str, Any]) -> bool:
        self.said.append((node.name, message))
        return node.name in self.connected


class CachedFile:
    """The file of the engine's journal, seen through a page cache."""

    disk: MemoryDisk

    def __init__(self, name: str, *_: Any, defaultContent: bytes) -> None:
        self._path = Path(name)
        is_new = self.disk.read(self._path) is None
        self._handle = self.disk.open(self._path)
        if is_new:
            self.write(0, defaultContent)
            self.flush()  # the kernel had time enough for this one

    def write(self, offset: int, raw: bytes) -> None:
        self.disk.write_at(self._handle, raw, offset)

    def read(self, offset: int, size: int) -> bytes:
        return (self.disk.read(self._path) or b"")[offset:offset + size]

    def flush(self) -> None:
        self.disk.sync(self._handle)

    def _destroy(self) -> None:
        """It would sync at an orderly end, which the scenarios do not have."""


class BareNode(BARE.SyncObj):  # type: ignore[misc,name-defined]
    """A machine that writes down what it is given."""

    def __init__(
        self, name: str, peers: list[str], transport: ListTransport, folder: Path | None,
        dynamic: bool, **settings: object,
    ) -> None:
        self.commands: list[bytes] = []
        files = {} if folder is None else {
            "journalFile": str(folder / "journal"), "fullDumpFile": str(folder / "snapshot")}
        super().__init__(
            BareMember(name), [BareMember(each) for each in peers],
            BARE.SyncObjConf(
                autoTick=False, commandsWaitLeader=False, useFork=False, **files,
                dynamicMembershipChange=dynamic, raftMinTimeout=TIMINGS.raft_min_s,
                raftMaxTimeout=TIMINGS.raft_max_s, appendEntriesPeriod=TIMINGS.raft_append_s,
                connectionTimeout=TIMINGS.raft_max_s, **settings,
            ),
            nodeClass=BareMember, transport=transport,
        )

    @BARE.replicated  # type: ignore[misc]
    def put(self, command: bytes) -> bytes:
        if command == b"raise":
            raise ValueError("a bug in the machine")
        self.commands.append(command)
        return b"applied " + command


def as_the_bare_has_it(command: bytes) -> bytes:
    if command[:1] == COMMAND:
        return COMMAND + pickle.dumps((0, (command[1:],)))
    return VERSION + pickle.dumps(9) if command[:1] == VERSION else command


class BareSide:
    """The bare engine, with what the scenarios ask of either side."""

    def __init__(
        self, folder: Path, names: tuple[str, ...], *, dynamic: bool = False,
        disk: MemoryDisk | None = None, **settings: object,
    ) -> None:
        self._settings = settings
        self.clock = TickingClock()
        BARE.monotonicTime = self.clock.boottime_s
        BARE.createPoller = lambda _kind: NoPoller()
        self._folder, self._names, self._dynamic, self._disk = folder, names, dynamic, disk
        if disk is not None:
            CachedFile.disk = disk
        JOURNAL["ResizableFile"] = RESIZABLE_FILE if disk is None else CachedFile
        self._open()

    def _open(self) -> None:
        name, *peers = self._names
        self.transport = ListTransport(BareMember(name))
        self.node = BareNode(
            name, peers, self.transport, self._folder, self._dynamic, **self._settings)

    # What it shows

    def private(self, name: str) -> Any:
        return getattr(self.node, f"_SyncObj__{name}")

    @property
    def commands(self) -> list[bytes]:
        return self.node.commands

    @property
    def log(self) -> list[tuple[bytes, int, int]]:
        journal = self.private("raftLog")
        return [journal[at] for at in range(len(journal))]

    @property
    def term(self) -> int:
        return int(self.private("raftCurrentTerm"))

    @property
    def leads(self) -> bool:
        return bool(self.private("raftState") == 2)

    @property
    def others(self) -> int:
        return len(self.private("otherNodes"))

    def matched(self, peer: str) -> int:
        return int(self.private("raftMatchIndex")[BareMember(peer)])

    def next_for(self, peer: str) -> int:
        return int(self.private("raftNextIndex")[BareMember(peer)])

    @property
    def is_ready(self) -> bool:
        return bool(self.node.isReady())

    def peers_log(self, peer: str) -> list[tuple[bytes, int, int]]:
        """Of a peer that is given all that was said to it."""
        mine, *others = self._names
        other = BareNode(
            peer, [mine, *(each for each in others if each != peer)],
            ListTransport(BareMember(peer)), None, dynamic=False)
        for to, message in self.transport.said:
            if to == peer:
                other._SyncObj__onMessageReceived(BareMember(mine), message)
        journal = other._SyncObj__raftLog
        return [journal[at] for at in range(len(journal))]

    def acks(self, peer: str) -> list[int]:
        return [each["next_node_idx"] for to, each in self.transport.said
                if to == peer and each["type"] == "next_node_idx"]

    def votes(self, peer: str) -> int:
        return sum(1 for to, each in self.transport.said
                   if to == peer and each["type"] == "response_vote")

    def spoken(self) -> int:
        return len(self.transport.said)

    # What happens to it

    def hear(self, peer: str, term: int, body: Body) -> None:
        message = as_message(body)
        if isinstance(body, Append):
            message["entries"] = [
                (as_the_bare_has_it(raw), index, of) for raw, index, of in body.entries]
        self.private("onMessageReceived")(BareMember(peer), message)

    def sealed(self, peer: str, term: int, body: Body) -> bytes:
        """It says nothing about whom it is for."""
        return pickle.dumps(as_message(body))

    def arrive(self, peer: str, sealed: bytes) -> None:
        self.private("onMessageReceived")(BareMember(peer), pickle.loads(sealed))

    def connect(self, peer: str) -> None:
        self.transport.connect(peer)

    def pre_vote(self, peer: str) -> None:
        """It asks nobody before it stands."""

    def turn(self) -> None:
        self.node.doTick(0)

    def submit(self, command: bytes, told: Callable[[object, int], None]) -> None:
        self.node._applyCommand(as_the_bare_has_it(COMMAND + command), told)

    def add_member(self, name: str) -> None:
        self.node.addNodeToCluster(BareMember(name))
        self.turn()

    def send_all_to(self, peer: str) -> None:
        """As if it had nothing yet."""
        self.private("raftNextIndex")[BareMember(peer)] = 1
        self.private("sendAppendEntries")()

    def compact(self) -> None:
        self.node.forceLogCompaction()
        self.turn()
        self.turn()

    def believe_committed(self, index: int) -> None:
        self.private("raftLog").setRaftCommitIndex(index)
        self.private("raftLog").onOneSecondTimer()

    def snapshot(
        self, commands: list[bytes], last: tuple[bytes, int, int], before: tuple[bytes, int, int],
    ) -> bytes:
        return gzip.compress(pickle.dumps(({"commands": commands}, last, before, set())))

    def kill(self) -> None:
        """What it wrote is in the kernel's cache, and stays."""
        self.private("raftLog")._destroy()

    def lose_power(self) -> None:
        assert self._disk is not None
        self._disk.lose_power()

    def restart(self) -> bool:
        """Whether it starts."""
        self._open()
        self.turn()
        return True

    @property
    def journal(self) -> Path:
        return self._folder / "journal"

    @property
    def snapshot_path(self) -> Path:
        return self._folder / "snapshot"

    def forget_vote(self) -> None:
        """What a crash leaves of a file that was being written."""
        self.journal.with_name("journal.meta").write_bytes(b"")

    def close(self) -> None:
        self.private("raftLog")._destroy()
