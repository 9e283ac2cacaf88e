"""A large state's way to a node that has nothing, over a slow network.

    make bench BENCH=large_state
    python tests/bench/large_state.py --mib 64       another size, nothing written

Three voters as processes in a network namespace whose one interface is held to 100 Mb/s by the
kernel's token bucket. Two of them hold a state that does not deflate; the third begins with an
empty disk. Meanwhile the leader commits without pause.
"""

import argparse
import asyncio
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rig.report import publish, verdict

from cluster.clock import HostClock
from cluster.config.schema import PROFILES
from cluster.raft.links import SocketLinks
from cluster.raft.syncobj import SyncObjReplica
from cluster.sockets import CurveKeys, make_keys
from packages.core.problem import Problem

NAMES = ("ape", "bee", "cat")
MIB, RATE_MBIT = 1024, 100
COMPACT_AFTER = 200
FILL = b"fill"
STALL_S = 0.01


class Large:
    """A machine whose state is large from one command on."""

    def __init__(self, state: bytes) -> None:
        self._ready, self.state, self.count = state, b"", 0

    def apply(self, index: int, command: bytes) -> object:
        self.count += 1
        if command == FILL:
            self.state = self._ready
        return True

    def dump(self) -> bytes:
        return self.state

    def load(self, snapshot: bytes) -> None:
        self.state = snapshot


async def member(folder: Path, name: str, mib: int) -> None:
    """Prints what it sees, a line of JSON each half second."""
    plan = json.loads((folder / "plan.json").read_text())
    own = plan[name]
    peers = {each: (it["endpoint"], it["public"]) for each, it in plan.items() if each != name}
    state = hashlib.shake_256(b"large").digest(mib << 20) if name != NAMES[-1] else b""
    machine = Large(state)
    replica = SyncObjReplica(
        name=name, folder=folder / name, machine=machine, timings=PROFILES["lan"],
        links=SocketLinks(peers, bind=own["endpoint"], keys=CurveKeys(
            public=own["public"], secret=own["secret"])),
        clock=HostClock(), on_fatal=fail, compact_after_entries=COMPACT_AFTER)
    found = await replica.start()
    assert found is None, found
    seen = {"stall_s": 0.0, "commit_s": 0.0, "commits": 0}
    tasks = [asyncio.create_task(stalls(seen))]
    if name != NAMES[-1]:
        tasks.append(asyncio.create_task(proposes(replica, seen)))
    while True:
        await asyncio.sleep(0.5)
        print(json.dumps({
            **seen, "term": replica.term(), "leader": replica.leader(),
            "applied": replica.applied(), "bytes": len(machine.state),
            "most_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}), flush=True)
        seen["stall_s"] = seen["commit_s"] = 0.0


def fail(found: Problem) -> None:
    print(found, file=sys.stderr)
    os._exit(3)


async def stalls(seen: dict[str, float]) -> None:
    """How long the loop stood."""
    while True:
        began_s = time.monotonic()
        await asyncio.sleep(STALL_S)
        seen["stall_s"] = max(seen["stall_s"], time.monotonic() - began_s - STALL_S)


async def proposes(replica: SyncObjReplica, seen: dict[str, float]) -> None:
    """As its leader, ten commits a second; the first makes the state large."""
    command = FILL
    while True:
        await asyncio.sleep(0.1 if command != FILL else 0.02)
        if replica.is_leader():
            began_s = time.monotonic()
            done = await replica.propose(command, deadline_s=10.0)
            seen["commit_s"] = max(seen["commit_s"], time.monotonic() - began_s)
            seen["commits"] += not isinstance(done, Problem)
            command = b"x"


class Child:
    def __init__(self, folder: Path, name: str, mib: int) -> None:
        self.name, self.last = name, dict[str, float]()
        self.most: dict[str, float] = {"stall_s": 0.0, "commit_s": 0.0}
        self._argv = [sys.executable, __file__, "--member", name, "--folder", str(folder),
                      "--mib", str(mib)]

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self._argv, stdout=asyncio.subprocess.PIPE)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.last = json.loads(line)
            self.most = {each: max(self.most[each], self.last[each]) for each in self.most}

    async def until(self, holds, deadline_s: float = 900.0) -> None:  # type: ignore[no-untyped-def]
        async with asyncio.timeout(deadline_s):
            while not (self.last and holds(self.last)):
                await asyncio.sleep(0.1)


async def measure(mib: int) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = {each: make_keys() for each in NAMES}
        (folder / "plan.json").write_text(json.dumps({
            each: {"endpoint": f"tcp://127.0.0.{at + 1}:7441", "public": keys[each].public,
                   "secret": keys[each].secret} for at, each in enumerate(NAMES)}))
        ape, bee, cat = (Child(folder, each, mib) for each in NAMES)
        try:
            await asyncio.gather(ape.start(), bee.start())
            for each in (ape, bee):
                await each.until(lambda it: it["bytes"] == mib << 20)
                await each.until(lambda it: it["applied"] > COMPACT_AFTER + 50)
                await until_made(folder / each.name / "snapshot", mib)
            await asyncio.sleep(5.0)
            term = ape.last["term"]
            for each in (ape, bee):
                each.most = {"stall_s": 0.0, "commit_s": 0.0}
            began_s = time.monotonic()
            await cat.start()
            await cat.until(lambda it: it["bytes"] == mib << 20)
            took_s = time.monotonic() - began_s
            applied = max(ape.last["applied"], bee.last["applied"])
            await cat.until(lambda it: it["applied"] >= applied)
            leader = ape if ape.last["leader"] == "ape" else bee
            return [
                f"{mib} MiB", f"{took_s:.0f}", f"{(mib << 23) / took_s / 1e6:.0f}",
                f"{ape.last['term'] - term:.0f}", f"{leader.most['stall_s'] * 1000:.0f}",
                f"{cat.most['stall_s'] * 1000:.0f}", f"{leader.most['commit_s'] * 1000:.0f}",
                f"{leader.last['most_mib']:.0f}", f"{cat.last['most_mib']:.0f}"]
        finally:
            for each in (ape, bee, cat):
                if hasattr(each, "process") and each.process.returncode is None:
                    each.process.kill()
                    await each.process.wait()


async def until_made(path: Path, mib: int) -> None:
    async with asyncio.timeout(300.0):
        while not path.exists() or path.stat().st_size < mib << 20:
            await asyncio.sleep(0.2)


HEAD = ("state", "s to the new node", "Mb/s", "elections", "leader's longest stall, ms",
        "receiver's, ms", "longest commit, ms", "leader's memory, MiB", "receiver's")

TOLD = [
    "Three voters in a network namespace whose loopback the kernel holds to 100 Mb/s; two hold a",
    "state that does not deflate, the third has nothing. Meanwhile ten entries a second are agreed",
    "upon. A *stall* is how long an event loop stood; *memory* the most that a process ever had,",
    "which includes writing the snapshot and, here, the state's double that fills it at first.",
    "",
    "Aim: the state of 1 GiB arrives and no leader is lost: ",
]


def in_namespace(mib: int) -> list[str]:
    """This script once more, alone with a slow loopback."""
    told = subprocess.run([
        "unshare", "-n", "sh", "-ec",
        f"ip link set lo up; tc qdisc add dev lo root tbf rate {RATE_MBIT}mbit burst 256kb "
        'latency 200ms; exec "$@"', "sh", sys.executable, __file__, "--inside", "--mib", str(mib),
    ], check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(told.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int)
    parser.add_argument("--inside", action="store_true")
    parser.add_argument("--member")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.member:
        asyncio.run(member(asked.folder, asked.member, asked.mib))
    elif asked.inside:
        print(json.dumps(asyncio.run(measure(asked.mib))))
    elif asked.mib:
        print(dict(zip(HEAD, in_namespace(asked.mib))))
    else:
        row = in_namespace(MIB)
        told = [*TOLD[:-1], f"{TOLD[-1]}{verdict(row[HEAD.index('elections')] == '0')}."]
        publish("large_state", "A large state over a slow network", told, HEAD, [row])


if __name__ == "__main__":
    main()
