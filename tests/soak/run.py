"""Moves packages round and round while their guests write and answer, and harms a process now and
then: `make soak MOVES=1000`, or from the project's root

    python -m tests.soak.run --moves 1000 --seed 7

In every tenth move a process is killed or stopped for a while: a daemon, a guardian, a relay, the
target's QEMU. After each move every package runs in one copy, where the record says, and its disk
has seen one writer; in the end, nothing has been left behind: no process, descriptor, file or
memory beyond what a warm start had. The seed decides what is done; when it hits is the machine's.
"""

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from cluster.api.messages import GetMove, MovePackage, Reply
from cluster.lab.echo_client import EchoClient
from cluster.lab.groups import NodeGroup
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

PACKAGES = 3
WARM = 30
"""Moves before the first count of what is there: caches and pools are filled by then."""
HARM_OF = 10
KIB_MORE = 24 * 1024
"""What a process may have grown by since: allocators keep what a busy moment needed."""
FILES_MORE = 6
"""Exit records and the like, of packages that were harmed."""


class Held(NamedTuple):
    """What one node holds: of its daemon and guardian, and below its run folder."""

    processes: int
    descriptors: int
    memory_kib: int
    files: int


def held_by(cluster: LiveCluster, name: str) -> Held:
    node = cluster.node(name)
    pids = [cluster.daemon(name), cluster.guardian(name)]
    return Held(
        processes=len(NodeGroup(node).members()),
        descriptors=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        memory_kib=sum(rss_kib(pid) for pid in pids),
        files=sum(len(names) for _, _, names in os.walk(node.run)),
    )


def rss_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


class Soak:
    def __init__(self, cluster: LiveCluster, dice: random.Random) -> None:
        self.cluster, self.dice = cluster, dice
        self.results: Counter[str] = Counter()
        self.harms: Counter[str] = Counter()
        self.freezes_ms: list[float] = []
        self.findings: list[str] = []
        self._harms: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "daemon killed": self._kill_daemon, "daemon stopped": self._stop_daemon,
            "guardian killed": self._kill_guardian, "guardian stopped": self._stop_guardian,
            "relay killed": self._kill_relay, "relay stopped": self._stop_relay,
            "target's QEMU killed": self._kill_target, "target's QEMU stopped": self._stop_target,
        }

    async def moves(self, count: int, *, first: int) -> None:
        for number in range(first, first + count):
            await self._move(number)

    async def _move(self, number: int) -> None:
        cluster, package = self.cluster, f"p{number % PACKAGES + 1}"
        here = (await cluster.until_running(package))["node"]
        target = self.dice.choice([each for each in cluster.names if each != here])
        is_harmed = number % HARM_OF == HARM_OF - 1
        asked = MovePackage(request=token(), package=package, node=target)
        reply = await cluster.ask(asked)
        if reply.verdict != "done":
            self.results["refused"] += 1
            self._found(number, f"move of {package} to {target}: {reply.problems}")
            return
        if is_harmed:
            await self._harm(package, target)
        ended = await self._end(package)
        self.results[str(ended["result"])] += 1
        if not is_harmed and ended["result"] == "completed":
            self.freezes_ms.append(ended["freeze_ms"])
        elif not is_harmed:
            self._found(number, f"unharmed, and {ended['result']}: {ended['problem']}")
        if is_harmed:
            await cluster.in_order()
        else:
            await cluster.one_copy(package)
        if number % 50 == 49:
            print(f"{number + 1} moves: {dict(self.results)}; found: {len(self.findings)}",
                  flush=True)

    def _found(self, number: int, what: str) -> None:
        self.findings.append(f"move {number}: {what}")
        print(self.findings[-1], flush=True)

    async def _end(self, package: str) -> dict[str, Any]:
        end_s = time.monotonic() + 120.0
        while True:
            reply = await self.cluster.ask(GetMove(package=package))
            if isinstance(reply, Reply) and reply.verdict == "done":
                found = dict(reply.result)  # type: ignore[call-overload]
                if found["result"] is not None:
                    return found
            assert time.monotonic() < end_s, f"a move without an end: {reply}"
            await asyncio.sleep(0.02)

    # harm

    async def _harm(self, package: str, target: str) -> None:
        kind = self.dice.choice(sorted(self._harms))
        self.harms[kind] += 1
        await asyncio.sleep(self.dice.uniform(0.0, 0.4))
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the move was quicker
            await self._harms[kind]({
                "package": package, "target": target,
                "node": self.dice.choice(self.cluster.names)})

    async def _kill_daemon(self, at: dict[str, Any]) -> None:
        self.cluster.kill_daemon(at["node"])
        await asyncio.sleep(self.dice.uniform(0.0, 2.0))
        await self.cluster.start_daemon(at["node"])

    async def _stop_daemon(self, at: dict[str, Any]) -> None:
        self.cluster.stop_daemons(at["node"])
        await asyncio.sleep(self.dice.uniform(0.5, 5.0))
        self.cluster.continue_daemons(at["node"])

    async def _kill_guardian(self, at: dict[str, Any]) -> None:
        await self.cluster.kill_guardian(at["node"])

    async def _stop_guardian(self, at: dict[str, Any]) -> None:
        await self._stopped(self.cluster.guardian(at["node"]))

    async def _kill_relay(self, at: dict[str, Any]) -> None:
        self.cluster.kill(self._relay(at))

    async def _stop_relay(self, at: dict[str, Any]) -> None:
        await self._stopped(self._relay(at))

    def _relay(self, at: dict[str, Any]) -> int:
        folder = Path(self.cluster.node(at["target"]).run, "relays")
        moves = [each.stem for each in sorted(folder.glob("*.json"))]
        if not moves:
            raise ProcessLookupError("no relay")
        return self.cluster.relay(at["target"], moves[0])

    async def _kill_target(self, at: dict[str, Any]) -> None:
        self.cluster.kill(self._copy(at))

    async def _stop_target(self, at: dict[str, Any]) -> None:
        await self._stopped(self._copy(at))

    def _copy(self, at: dict[str, Any]) -> int:
        pids = [each.pid for each in self.cluster.copies(at["package"])
                if each.node == at["target"]]
        if not pids:
            raise ProcessLookupError("no copy")
        return pids[0]

    async def _stopped(self, pid: int) -> None:
        self.cluster.stop(pid)
        await asyncio.sleep(self.dice.uniform(0.5, 6.0))
        self.cluster.go_on(pid)


def leaks(before: dict[str, Held], after: dict[str, Held]) -> list[str]:
    found = []
    for name, was in before.items():
        now = after[name]
        if now.processes != was.processes:
            found.append(f"{name}: {now.processes} processes, and had {was.processes}")
        if now.descriptors > was.descriptors + 2:
            found.append(f"{name}: {now.descriptors} descriptors, and had {was.descriptors}")
        if now.memory_kib > was.memory_kib + KIB_MORE:
            found.append(f"{name}: {now.memory_kib} KiB, and had {was.memory_kib}")
        if now.files > was.files + FILES_MORE:
            found.append(f"{name}: {now.files} files, and had {was.files}")
    return found


async def home(cluster: LiveCluster) -> None:
    """One package a node, so that nodes can be compared with themselves."""
    for number, name in enumerate(cluster.names, 1):
        package = f"p{number}"
        if one(await cluster.status(), package)["node"] != name:
            await cluster.moved(name, package=package)
        await cluster.one_copy(package)


async def soak(moves: int, seed: int) -> int:
    dice, began_s = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vmsg-soak-") as folder:
        async with live_cluster(Path(folder, "lab"), packages=PACKAGES) as cluster:
            run = Soak(cluster, dice)
            for package in cluster.plan.packages:
                await cluster.set_policy(package.name)
            async with contextlib.AsyncExitStack() as stack:
                for package in cluster.plan.packages:
                    client = EchoClient(package.guest_address, 7)
                    await stack.enter_async_context(client.held_open())
                await run.moves(WARM, first=0)
                await home(cluster)
                before = {name: held_by(cluster, name) for name in cluster.names}
                await run.moves(moves, first=WARM)
            await cluster.in_order()
            await home(cluster)
            after = {name: held_by(cluster, name) for name in cluster.names}
            run.findings += leaks(before, after)
    report(run, before, after, seconds=time.monotonic() - began_s, seed=seed)
    return 1 if run.findings else 0


def report(
    run: Soak, before: dict[str, Held], after: dict[str, Held], *, seconds: float, seed: int,
) -> None:
    print(f"\nseed {seed}: {sum(run.results.values())} moves in {seconds:.0f} s: "
          f"{dict(sorted(run.results.items()))}")
    print(f"harm: {dict(sorted(run.harms.items()))}")
    if len(run.freezes_ms) > 1:
        cuts = statistics.quantiles(run.freezes_ms, n=100)
        print(f"freeze of the unharmed, ms: median {cuts[49]:.1f}, p99 {cuts[98]:.1f}, "
              f"longest {max(run.freezes_ms):.1f}")
    for name in before:
        print(f"{name}: {before[name]} -> {after[name]}")
    print(f"{len(run.findings)} findings")
    for each in run.findings:
        print(f"  {each}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run")
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000)
    options = parser.parse_args()
    return asyncio.run(soak(options.moves, options.seed))


if __name__ == "__main__":
    sys.exit(main())
