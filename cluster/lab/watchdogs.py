"""Starting and ending the process that plays the nodes' watchdogs (watchdog.py)."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from cluster.lab.commands import run
from cluster.lab.plan import LabPlan, NodePlan
from packages.core.problem import Problem, problem

READY_S = 30.0
"""An interpreter's start on a starved machine, several times."""
POLL_S = 0.02
PID_FILE = "watchdog.pid"
MODULE = "cluster.lab.watchdog"
SOURCES = Path(__file__).parents[2]
START = """
cd "$SOURCES"
setsid "$@" </dev/null >>"$LOG" 2>&1 &
echo $!
"""


def pipe_of(node: NodePlan) -> str:
    return f"{node.folder}/watchdog"


def arguments(node: NodePlan) -> list[str]:
    """For the node's guardian."""
    if node.watchdog_s <= 0:
        return []
    return ["--watchdog", pipe_of(node), "--watchdog-s", f"{node.watchdog_s:g}"]


async def begin(plan: LabPlan) -> Problem | None:
    """Before any node is started, so that each finds its own."""
    watched = [each for each in plan.nodes if each.watchdog_s > 0]
    if not watched:
        return None
    folder = Path(plan.options.dir)
    for node in watched:
        os.mkfifo(pipe_of(node), mode=0o600)
    outcome = await run(
        "env", f"SOURCES={SOURCES}", f"LOG={folder}/nodes/watchdog.log", "sh", "-ec", START, "sh",
        sys.executable, "-m", MODULE, "--dir", str(folder), "--timeout-s",
        f"{plan.options.watchdog_s:g}", *(f"{each.name}={pipe_of(each)}" for each in watched),
    )
    if isinstance(outcome, Problem):
        return outcome
    (folder / "nodes" / PID_FILE).write_text(outcome)
    try:
        async with asyncio.timeout(READY_S):
            while not all(call_off(each) for each in watched):
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return problem(
            "lab-failed", f"lab:{folder}", what="the nodes' watchdogs do not begin",
            because=f"nobody reads their pipes after {READY_S:g} s",
            fix=f"see {folder}/nodes/watchdog.log, then try again",
        )
    return None


def call_off(node: NodePlan) -> bool:
    """A node without power has no watchdog that counts. False: it has none, or nobody plays it."""
    try:
        pipe = os.open(pipe_of(node), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(pipe, b"V")
    os.close(pipe)
    return True


def end(plan: LabPlan) -> None:
    """First of all, or it would take the nodes' end for a hang."""
    folder = Path(plan.options.dir)
    with contextlib.suppress(OSError, ValueError):  # there was none, or it is gone
        pid = int((folder / "nodes" / PID_FILE).read_text())
        said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if MODULE.encode() in said and str(folder).encode() in said:
            os.kill(pid, signal.SIGKILL)
