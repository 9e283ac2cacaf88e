"""One voter as a process of its own, for a bench that measures agreement.

    python tests/bench/rig/member.py <plan.json> <name>

It takes orders as lines of JSON and answers each with one (rig/members.py is the other end). A
plan with `etc` makes it a whole daemon on that node folder; without, it is the bare replica over a
machine that keeps the last command, which is what etcd does with a put of one key. What must never
happen here: work of its own while it is measured.
"""

import asyncio
import json
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from cluster.clock import HostClock
from cluster.config.keys import NodeFolder, load_node_folder
from cluster.config.package_file import packages_from_text
from cluster.config.schema import PROFILES
from cluster.core import entries
from cluster.daemon import Daemon
from cluster.event_loop import run
from cluster.raft.disk import HostDisk
from cluster.raft.links import Received, SocketLinks
from cluster.raft.syncobj import SyncObjReplica
from cluster.sockets import CurveKeys
from cluster.supervision import Supervisor
from packages.core.problem import Problem

PROPOSAL = b"x" * 256
PROPOSE_S = 5.0
PROBE_EVERY_S = 0.02
LOOK_S = 0.005


class LastCommand:
    """The cheapest machine there is."""

    def __init__(self) -> None:
        self.last = b""

    def apply(self, index: int, command: bytes) -> object:
        self.last = command
        return True

    def dump(self) -> bytes:
        return self.last

    def load(self, snapshot: bytes) -> None:
        self.last = snapshot


class SlowDisk(HostDisk):
    """Every sync takes this long, in ms, besides what it really takes."""

    def __init__(self, least_ms: float, most_ms: float) -> None:
        self._least_ms, self._most_ms = least_ms, most_ms
        self._dice = random.Random(7)

    def sync(self, handle: int) -> None:
        time.sleep(self._dice.uniform(self._least_ms, self._most_ms) / 1000)
        super().sync(handle)


class ListeningLinks(SocketLinks):
    """Notes how long a peer was silent, as heard here."""

    silence_s = 0.0

    def start(self, received: Received) -> Problem | None:
        heard_s: dict[str, float] = {}

        def listening(peer: str, payload: bytes) -> None:
            now_s = time.monotonic()
            self.silence_s = max(self.silence_s, now_s - heard_s.get(peer, now_s))
            heard_s[peer] = now_s
            received(peer, payload)

        return super().start(listening)


def end(why: Problem | None) -> None:
    print(why, file=sys.stderr)
    sys.exit(3)


def ended(running: "asyncio.Task[Problem | None]") -> None:
    if not running.cancelled():
        end(running.result())


class Member:
    """Made on the running event loop. Answers orders: its public methods but `run`."""

    def __init__(self, plan: dict[str, Any], name: str) -> None:
        self._name = name
        self._links: ListeningLinks | None = None
        self._daemon: Daemon | None = None
        self._stall_s = 0.0
        if "etc" in plan["nodes"][name]:
            self._daemon = daemon_of(Path(plan["nodes"][name]["etc"]))
            self._replica = self._daemon.node.replica
        else:
            self._links = links_of(plan, name)
            self._replica = SyncObjReplica(
                name=name, links=self._links, folder=Path(plan["folder"], name),
                machine=LastCommand(), timings=PROFILES["lan"], clock=HostClock(), on_fatal=end,
                disk=SlowDisk(*plan["sync_ms"]) if plan["sync_ms"] else None,
            )

    async def run(self) -> None:
        if self._daemon is not None:
            running = asyncio.create_task(self._daemon.run())
            running.add_done_callback(ended)
        elif (found := await self._replica.start()) is not None:
            end(found)
        watching = asyncio.create_task(self._watch_loop())
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            order = json.loads(line)
            answer = await getattr(self, order.pop("order"))(**order)
            print(json.dumps(answer), flush=True)
        watching.cancel()

    async def _watch_loop(self) -> None:
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(0.02)
            self._stall_s = max(self._stall_s, time.monotonic() - before_s - 0.02)

    async def standing(self) -> dict[str, Any]:
        replica = self._replica
        return {"leader": replica.leader(), "leads": replica.is_leader(), "term": replica.term(),
                "applied": replica.applied()}

    async def sequential(self, count: int) -> list[float]:
        """Proposals of one client, each after the answer to the last; ms each."""
        return [await self._timed() for _ in range(count)]

    async def crowd(self, count: int, clients: int) -> dict[str, Any]:
        """The same of many clients at once."""
        began_s = time.perf_counter()
        each = await asyncio.gather(*(
            self.sequential(count // clients) for _ in range(clients)))
        return {"took_s": time.perf_counter() - began_s, "ms": sum(each, [])}

    async def _timed(self) -> float:
        began_s = time.perf_counter()
        answer = await self._replica.propose(PROPOSAL, deadline_s=PROPOSE_S)
        assert answer is True, (answer, await self.standing())
        return (time.perf_counter() - began_s) * 1000

    async def probe(self) -> float:
        """When something could be committed again, on CLOCK_MONOTONIC. A proposal that went to
        the dead leader is lost, so there is a new one every moment."""
        tasks = set()
        while not any(each.done() and each.result() is True for each in tasks):
            tasks.add(asyncio.create_task(
                self._replica.propose(PROPOSAL, deadline_s=PROPOSE_S)))  # type: ignore[arg-type]
            await asyncio.wait(tasks, timeout=PROBE_EVERY_S, return_when="FIRST_COMPLETED")
        at_s = time.monotonic()
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
        return at_s

    async def silence(self) -> dict[str, float]:
        """The longest silence of a peer and the longest stall of the event loop since the last
        time this was asked."""
        heard = {"silence_s": self._links.silence_s if self._links else 0.0,
                 "stall_s": self._stall_s}
        self._stall_s = 0.0
        if self._links:
            self._links.silence_s = 0.0
        return heard

    async def package(self, text: str) -> bool:
        """Have the record know a package, without the checks of its disks."""
        assert self._daemon is not None
        specs, problems = packages_from_text(text, source="the bench")
        assert specs, problems
        ledger = self._daemon.node.ledger
        joined = await ledger.until(
            lambda state: sum(each.state == "running" for each in state.nodes.values()) == 3,
            deadline_s=60.0)
        assert joined, ledger.state.nodes
        refused = await ledger.say(
            entries.PackageApplied, "for the bench", spec=specs[0])
        assert refused is None, refused
        return True


def daemon_of(etc: Path) -> Daemon:
    folder = load_node_folder(etc)
    assert isinstance(folder, NodeFolder), folder
    lib, run = etc.parent / "lib", etc.parent / "run"
    for each in (lib, run):
        each.mkdir(exist_ok=True, mode=0o700)
    return Daemon(folder, etc=etc, lib=lib, run=run, supervisor=Supervisor({}))


def links_of(plan: dict[str, Any], name: str) -> ListeningLinks:
    nodes = plan["nodes"]
    return ListeningLinks(
        {peer: (node["endpoint"], node["keys"]["public"])
         for peer, node in nodes.items() if peer != name},
        bind=nodes[name]["endpoint"], keys=CurveKeys(**nodes[name]["keys"]),
    )


async def main(plan: dict[str, Any], name: str) -> None:
    await Member(plan, name).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bench ends it
    run(main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]))
