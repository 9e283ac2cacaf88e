"""How long a cluster takes from nothing to a guest that answers: `vmsg lab up`, three nodes.

    make bench BENCH=lab_up
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rig.report import publish, spread, verdict

RUNS = 5
UP_S = 10.0

TOLD = [
    "From the shell's command to its end: hosts, cables, LUN and guest are made, keys and",
    "certificates too, three daemons and guardians started, the cluster formed, the package",
    "applied and started, and the guest returns what it is sent over TCP.",
]


def main(runs: int) -> None:
    ups, downs = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="vmsg-bench-") as folder:
            ups.append(timed("up", "--nodes", "3", "--packages", "1", "--dir", f"{folder}/lab"))
            downs.append(timed("down", "--dir", f"{folder}/lab"))
    rows = [
        [name, str(runs), *spread(values, digits=2)]
        for name, values in (("`vmsg lab up`", ups), ("`vmsg lab down`", downs))
    ]
    aim = f"Aim: up in at most {UP_S:.0f} s: {verdict(float(rows[0][2]) <= UP_S)}."
    publish("lab_up", "A lab of three nodes", [*TOLD, "", aim], (
        "command", "n", "median s", "smallest to largest"), rows)


def timed(*words: str) -> float:
    began_s = time.monotonic()
    vmsg = Path(sys.executable).parent / "vmsg"
    subprocess.run([vmsg, "lab", *words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began_s


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
