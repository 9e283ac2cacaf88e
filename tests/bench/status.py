"""How long `vmsg status` takes from the shell: a cold process, a warm cache, three nodes.

    make bench BENCH=status
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rig.labs import standing_lab
from rig.report import publish, spread, verdict

RUNS = 30
STATUS_MS = 150.0

TOLD = [
    "Each line is a process of its own, started by a shell, in turns with the others; the first",
    "turn is thrown away. The other lines say where the time goes: the interpreter, what the",
    "command loads before it asks, and one that asks nothing of the cluster.",
]


async def main(runs: int) -> None:
    async with standing_lab() as (record, _):
        vmsg = f"{Path(sys.executable).parent}/vmsg"
        at = f"--endpoint {record.dir}"
        commands = {
            "vmsg status": f"{vmsg} status {at}",
            "vmsg -o json status": f"{vmsg} -o json status {at}",
            "vmsg status --verbose": f"{vmsg} status --verbose {at}",
            "vmsg --version": f"{vmsg} --version",
            "python -c pass": f"{sys.executable} -c pass",
            "python -c 'import click, msgspec, zmq'":
                f"{sys.executable} -c 'import click, msgspec, zmq'",
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(runs + 1):
            for name, command in commands.items():
                took_ms = timed(["sh", "-c", command])
                if turn:
                    times[name].append(took_ms)
    show(times)


def timed(command: Sequence[str]) -> float:
    began_s = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - began_s) * 1000


def show(times: dict[str, list[float]]) -> None:
    rows = []
    for name, values in times.items():
        middle, around = spread(values)
        rows.append([f"`{name}`", str(len(values)), middle, around])
    median = float(spread(times["vmsg status"])[0])
    aim = f"Aim: `vmsg status` in at most {STATUS_MS:.0f} ms: {verdict(median <= STATUS_MS)}."
    publish("status", "`vmsg status`, cold", [*TOLD, "", aim], (
        "command", "n", "median ms", "smallest to largest"), rows)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
