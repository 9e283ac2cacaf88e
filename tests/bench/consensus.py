"""Agreement beside etcd 3.4: commit latency, throughput, and how long a dead leader is missed.

    make bench BENCH=consensus
    python tests/bench/consensus.py --elections     ten minutes with both cores busy (not in make)

Three members each, as processes on loopback with their data on the same disk, measured in turns.
`engine` is replica.propose in a member's own process; `API` an operator's small change, through a
CURVE socket to a whole daemon. The proposals of both and the puts of etcd have 256 bytes or so.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rig.etcd import Etcd
from rig.members import NAMES, Daemons, Members, bare_voters, switch
from rig.report import publish, spread, verdict

ROUNDS = 5
ALONE, CROWD, CLIENTS = 400, 6400, 32
KILLS = 10
SLOW_MS, SLOW_S = (50.0, 300.0), 20.0
ELECTIONS_S = 600.0
NEXT_COMMIT_S, API_RATIO = 0.8, 1.5

TOLD = [
    "Three members each on loopback, one disk, measured in turns; the median of the rounds, and",
    "the smallest and largest round. *engine*: `replica.propose` within a member's process. *API*:",
    "an operator's change of a package's switching, through CURVE to a whole daemon and back. The",
    "client of etcd is h2load (C, gRPC over HTTP/2); *etcd, a read* is what it and etcd's own door",
    "cost, since that read is answered from memory. *Next commit* is from the leader's kill -9 to",
    "the first commit through a survivor, asked every 20 ms.",
    "",
    "Where one client's time goes: the processor. For each commit the three voters run 1.1 ms (the",
    "leader's loop 0.27, a follower's 0.18, each journal's thread 0.09, mostly the kernel's sync,",
    "the rest ZeroMQ's threads) and share two cores, so that each also waits for one. A proposal",
    "at a follower crosses the wire four times. A change through the API costs 1.8 ms in all: 0.2",
    "of them the client's, 0.1 the encrypted way in and out, and 0.4 what it is besides bytes: the",
    "rules applied on three nodes, whoever follows the record there told, the answer. And its",
    "followers hear that it is agreed upon in a message of its own, where the engine's next",
    "proposal takes that along. On two cores 1.8 ms take 0.9 at best.",
]


class Round:
    """Figures of one kind, a value for each round."""

    def __init__(self) -> None:
        self.p50_ms: list[float] = []
        self.p99_ms: list[float] = []
        self.per_s: list[float] = []

    def note(self, ms: Sequence[float], took_s: float) -> None:
        ordered = sorted(ms)
        self.p50_ms.append(ordered[len(ordered) // 2])
        self.p99_ms.append(ordered[int(len(ordered) * 0.99)])
        self.per_s.append(len(ordered) / took_s)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.etcd = Etcd(folder / "etcd")
        self.engine = bare_voters(folder / "engine")
        self.daemons = Daemons(folder / "api")
        self.rounds: dict[str, Round] = defaultdict(Round)
        self.missed_s: dict[str, list[float]] = defaultdict(list)

    async def start(self) -> None:
        await self.etcd.start(*self.etcd.names)
        await self.engine.start(*NAMES)
        await self.daemons.start(*NAMES)

    async def end(self) -> None:
        for each in (self.engine, self.daemons, self.etcd):
            await each.end()

    async def round(self) -> None:
        for place in ("leader", "follower"):
            names = [
                await (each.until_led() if place == "leader" else each.follower())
                for each in (self.etcd, self.engine, self.daemons)
            ]
            for count, clients in ((ALONE, 1), (CROWD, CLIENTS)):
                at = f"{place}, {clients}"
                await self.load_etcd(f"etcd, {at}", names[0], count, clients)
                await self.load_engine(f"engine, {at}", names[1], count, clients)
                await self.load_api(f"API, {at}", names[2], count // (clients // 2 or 1), clients)
        await self.load_etcd("etcd, a read", names[0], ALONE, 1, what="read")

    async def load_etcd(
        self, row: str, name: str, count: int, clients: int, *, what: str = "put",
    ) -> None:
        seen = await self.etcd.load(name, count=count, clients=clients, what=what)
        self.rounds[row].note(seen.ms, seen.took_s)

    async def load_engine(self, row: str, name: str, count: int, clients: int) -> None:
        seen = await self.engine.ask(name, "crowd", count=count, clients=clients)
        self.rounds[row].note(seen["ms"], seen["took_s"])

    async def load_api(self, row: str, name: str, count: int, clients: int) -> None:
        client = self.daemons.client(name)
        ms: list[float] = []

        async def one(requests: int) -> None:
            for number in range(requests):
                began_s = time.perf_counter()
                await switch(client, number)
                ms.append((time.perf_counter() - began_s) * 1000)

        await switch(client, 0)  # connects
        began_s = time.perf_counter()
        await asyncio.gather(*(one(count // clients) for _ in range(clients)))
        self.rounds[row].note(ms, time.perf_counter() - began_s)
        client.close()

    async def kill_leaders(self) -> None:
        leader = await self.engine.until_led()
        began_s = time.monotonic()
        self.engine.kill(leader)
        await self.engine.buried(leader)
        again = await asyncio.gather(*(
            self.engine.ask(name, "probe") for name in NAMES if name != leader))
        self.missed_s["engine"].append(min(again) - began_s)
        await self.engine.start(leader)
        leader = await self.etcd.until_led()
        began_s = time.monotonic()
        self.etcd.kill(leader)
        await self.etcd.buried(leader)
        self.missed_s["etcd"].append(await self.etcd.probe() - began_s)
        await self.etcd.start(leader)


async def compare(rounds: int, kills: int) -> None:
    with tempfile.TemporaryDirectory(prefix="vmsg-bench-", dir="/var/tmp") as folder:
        bench = Bench(Path(folder))
        try:
            await bench.start()
            await bench.round()  # warms caches on all sides
            bench.rounds.clear()
            for _ in range(rounds):
                await bench.round()
            for _ in range(kills):
                await bench.kill_leaders()
        finally:
            await bench.end()
        slow, brisk = [await silences(Path(folder, f"slow{at}"), each)
                       for at, each in enumerate((SLOW_MS, None))]
    show(bench, slow, brisk)


async def silences(folder: Path, sync_ms: tuple[float, float] | None) -> dict[str, float]:
    """The longest silence of a peer and stall of a loop while entries are decided; terms passed."""
    members: Members = bare_voters(folder, sync_ms=sync_ms)
    try:
        await members.start(*NAMES)
        leader = await members.until_led()
        term = (await members.ask(leader, "standing"))["term"]
        for name in NAMES:
            await members.ask(name, "silence")
        end_s = time.monotonic() + SLOW_S
        while time.monotonic() < end_s:
            await members.ask(leader, "sequential", count=1)
        heard = [await members.ask(name, "silence") for name in NAMES]
        now = (await members.ask(leader, "standing"))["term"]
        return {"silence_s": max(each["silence_s"] for each in heard),
                "stall_s": max(each["stall_s"] for each in heard), "terms": now - term}
    finally:
        await members.end()


def show(bench: Bench, slow: dict[str, float], brisk: dict[str, float]) -> None:
    rows = [[name, cell(each.p50_ms, 2), cell(each.p99_ms, 2), cell(each.per_s, 0)]
            for name, each in bench.rounds.items()]
    rows += [[f"{name}, next commit", cell([s * 1000 for s in found], 0), "-", "-"]
             for name, found in bench.missed_s.items()]
    told = [*TOLD, "", *aims(bench), "", (
        f"Every sync {SLOW_MS[0]:.0f} to {SLOW_MS[1]:.0f} ms slower on all three disks, "
        f"{SLOW_S:.0f} s: longest silence of a peer {slow['silence_s'] * 1000:.0f} ms (without "
        f"delays {brisk['silence_s'] * 1000:.0f}), longest stall of a loop "
        f"{slow['stall_s'] * 1000:.0f} ms ({brisk['stall_s'] * 1000:.0f}), elections "
        f"{slow['terms']:.0f}.")]
    print("\n".join(told))
    publish("consensus", "Agreement, and etcd 3.4 beside it", told,
            ("", "p50 ms", "p99 ms", "per s"), rows)


def aims(bench: Bench) -> list[str]:
    def of(name: str, figure: str) -> float:
        return statistics.median(getattr(bench.rounds[name], figure))

    lines = []
    for place in ("leader", "follower"):
        for figure in ("p50_ms", "p99_ms"):
            etcd = of(f"etcd, {place}, 1", figure)
            for side, limit in (("engine", 1.0), ("API", API_RATIO)):
                ratio = of(f"{side}, {place}, 1", figure) / etcd
                lines.append(f"- {side}, {place}, one client, {figure[:3]} at most {limit} times "
                             f"etcd's: {ratio:.2f}, {verdict(ratio <= limit)}")
        for side in ("engine", "API"):
            more = of(f"{side}, {place}, {CLIENTS}", "per_s") / of(
                f"etcd, {place}, {CLIENTS}", "per_s")
            lines.append(f"- {side}, {place}, throughput of {CLIENTS} clients at least etcd's: "
                         f"{more:.2f} times, {verdict(more >= 1.0)}")
    missed_s = statistics.median(bench.missed_s["engine"])
    lines.append(f"- next commit within {NEXT_COMMIT_S} s of a dead leader (median): "
                 f"{missed_s:.2f}, {verdict(missed_s <= NEXT_COMMIT_S)}")
    return lines


def cell(values: Sequence[float], digits: int) -> str:
    middle, around = spread(values, digits=digits)
    return f"{middle} ({around})"


async def elections(seconds: float) -> None:
    """How often the leader changes although nothing fails, with both cores busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    with tempfile.TemporaryDirectory(prefix="vmsg-bench-", dir="/var/tmp") as folder:
        members = bare_voters(Path(folder))
        try:
            await members.start(*NAMES)
            before = await members.ask(NAMES[0], "standing")
            await asyncio.sleep(seconds)
            after = await members.ask(NAMES[0], "standing")
            heard = [await members.ask(name, "silence") for name in NAMES]
        finally:
            await members.end()
            for each in busy:
                each.kill()
                each.wait()
    print(f"{seconds:.0f} s with both cores busy: {after['term'] - before['term']} elections, "
          f"longest silence {max(each['silence_s'] for each in heard) * 1000:.0f} ms, "
          f"longest stall {max(each['stall_s'] for each in heard) * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--elections", action="store_true")
    options = parser.parse_args()
    asyncio.run(elections(ELECTIONS_S) if options.elections
                else compare(options.rounds, options.kills))


if __name__ == "__main__":
    main()
