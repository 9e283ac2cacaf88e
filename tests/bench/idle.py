"""What a node costs when nothing happens: its daemon and its guardian, over half a minute.

    make bench BENCH=idle
"""

import asyncio
import statistics
import sys
import time

from rig.costs import own_mib, processor_s, resident_mib
from rig.labs import ask, standing_lab
from rig.report import publish, verdict

from cluster.api.messages import GetStatus

WINDOWS, WINDOW_S = 6, 10.0
SETTLE_S = 5.0
DAEMON_PERCENT, DAEMON_MIB = 3.0, 60.0
GUARDIAN_PERCENT, GUARDIAN_MIB = 0.3, 15.0

TOLD = [
    f"Three nodes, one package that runs and is watched by two monitors each second; {WINDOWS}",
    f"windows of {WINDOW_S:.0f} s. Processor time is the kernel's, of all threads, as a share of",
    "one core; resident memory counts what is shared with others in full, *own* only what would",
    "be free if the process ended.",
]


async def main(windows: int) -> None:
    async with standing_lab() as (record, client):
        status = await ask(client, GetStatus())
        leader, owner = status["cluster"]["leader"], status["packages"][0]["node"]
        pids = {}
        for node, its in sorted(record.pids.items()):
            parts = [("leader", node == leader), ("runs p1", node == owner)]
            role = ", ".join(word for word, is_so in parts if is_so) or "follower"
            pids[f"daemon {node} ({role})"] = its.daemon
            pids[f"guardian {node}"] = its.guardian
        await asyncio.sleep(SETTLE_S)
        shares: dict[str, list[float]] = {name: [] for name in pids}
        for _ in range(windows):
            began_s = time.monotonic()
            before = {name: processor_s(pid) for name, pid in pids.items()}
            await asyncio.sleep(WINDOW_S)
            took_s = time.monotonic() - began_s
            for name, pid in pids.items():
                shares[name].append(100 * (processor_s(pid) - before[name]) / took_s)
        sizes = {name: (resident_mib(pid), own_mib(pid)) for name, pid in pids.items()}
    show(shares, sizes)


def show(shares: dict[str, list[float]], sizes: dict[str, tuple[float, float]]) -> None:
    rows = [
        [name, f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})",
         f"{sizes[name][0]:.1f}", f"{sizes[name][1]:.1f}"] for name, values in shares.items()
    ]
    aims = [
        aim(kind, shares, sizes, percent, mib) for kind, percent, mib in (
            ("daemon", DAEMON_PERCENT, DAEMON_MIB), ("guardian", GUARDIAN_PERCENT, GUARDIAN_MIB))
    ]
    publish("idle", "An idle node", [*TOLD, "", *aims], (
        "process", "% of a core", "resident MiB", "own MiB"), rows)


def aim(
    kind: str, shares: dict[str, list[float]], sizes: dict[str, tuple[float, float]],
    percent: float, mib: float,
) -> str:
    busiest = max(statistics.median(each) for name, each in shares.items() if kind in name)
    largest = max(each[0] for name, each in sizes.items() if kind in name)
    return (f"Aim for a {kind}: at most {percent:g} % and {mib:g} MiB resident: {busiest:.2f} %, "
            f"{largest:.1f} MiB, {verdict(busiest <= percent and largest <= mib)}.  ")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else WINDOWS))
