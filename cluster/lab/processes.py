"""The processes of a lab's nodes: its guardian, its daemon, and whatever they start.

They outlive the `vmsg` that starts them: a shell puts each in its node's control group, and
becomes, through setsid and `ip netns exec`, the program itself, so that its process id is known.
A node is killed as a power cut would: everything at once, with no chance to say goodbye.
"""

import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cluster.lab import watchdogs
from cluster.lab.commands import run
from cluster.lab.groups import NodeGroup
from cluster.lab.hosts import remove_taps
from cluster.lab.plan import NodePlan
from cluster.lab.record import NodePids, pids_file
from packages.core.problem import Problem, problem

SOURCES = Path(__file__).parents[2]
"""Where the product's own modules are found, installed or not."""

START = """
for group in $GROUPS; do echo 0 >"$group/cgroup.procs"; done
cd "$SOURCES"
setsid ip netns exec "$NETNS" "$@" </dev/null >>"$LOG" 2>&1 &
echo $!
"""

SUPERVISE = r"""
while :; do
    "$@" &
    echo $! >"$PID_FILE.new" && mv "$PID_FILE.new" "$PID_FILE"
    [ ! -e "$PIDS" ] || { sed "s/\"guardian\":[0-9]*/\"guardian\":$!/" "$PIDS" >"$PIDS.new" &&
        mv "$PIDS.new" "$PIDS"; }
    wait $!
    sleep 0.1
done
"""
"""What its unit does for a guardian (conf/systemd/vmsg-guard.service): started again for ever,
100 ms after it ended. Its process id is noted each time."""

STARTED_S = 10.0
KILL_DEADLINE_S = 10.0
POLL_S = 0.005


async def start_node(node: NodePlan) -> NodePids | Problem:
    """Power on: the guardian, then the daemon."""
    make_folders(node)
    NodeGroup(node).make()
    guardian = await start_guardian(node)
    daemon = await start_daemon(node)
    if isinstance(guardian, Problem):
        return guardian
    return daemon if isinstance(daemon, Problem) else NodePids(daemon=daemon, guardian=guardian)


async def start_guardian(node: NodePlan) -> int | Problem:
    """Supervised; the process id of the guardian itself."""
    noted = guardian_file(node)
    noted.unlink(missing_ok=True)
    supervisor = await launch(node, "guardian", [
        "env", f"PID_FILE={noted}", f"PIDS={pids_file(node)}", "sh", "-c", SUPERVISE, "sh",
        sys.executable, "-m", "cluster.guardian", "--run", node.run, "--node", node.name,
        *watchdogs.arguments(node),
    ])
    if isinstance(supervisor, Problem):
        return supervisor
    with suppress(TimeoutError):
        async with asyncio.timeout(STARTED_S):
            while not noted.exists():
                await asyncio.sleep(POLL_S)
    return int(noted.read_text()) if noted.exists() else supervisor


def guardian_file(node: NodePlan) -> Path:
    """The process id of the guardian that is there now."""
    return Path(node.folder, "guardian.pid")


async def start_daemon(node: NodePlan) -> int | Problem:
    return await launch(node, "daemon", [
        sys.executable, "-m", "cluster.daemon", "--etc", f"{node.folder}/etc",
        "--lib", f"{node.folder}/lib", "--run", node.run,
    ])


def make_folders(node: NodePlan) -> None:
    for each in ("lib", "log"):
        Path(node.folder, each).mkdir(parents=True, exist_ok=True)
    run_folder = Path(node.run)
    run_folder.mkdir(parents=True, exist_ok=True)
    link = Path(node.folder, "run")
    if not link.is_symlink():
        link.symlink_to(run_folder)


async def launch(node: NodePlan, name: str, argv: Sequence[str]) -> int | Problem:
    """Start a program on a node, by itself; its process id. Its output goes to the node's log."""
    groups = " ".join(str(each) for each in NodeGroup(node).folders)
    outcome = await run(
        "env", f"GROUPS={groups}", f"SOURCES={SOURCES}", f"NETNS={node.netns}",
        f"LOG={node.folder}/log/{name}.log", "sh", "-ec", START, "sh", *argv,
    )
    return outcome if isinstance(outcome, Problem) else int(outcome)


async def kill_node(node: NodePlan, devices: list[str]) -> Problem | None:
    """End every process of the node. Frozen first, so that none sees another one die.

    Requests that wait in a storage cut are let go: their processes cannot end before them. They
    are on the wire, so to speak, as they may be when a real host loses its power.
    """
    group = NodeGroup(node)
    try:
        async with asyncio.timeout(KILL_DEADLINE_S):
            while group.members():
                await group.freeze()
                group.signal(signal.SIGKILL)
                group.limit_storage(devices, waiting=False)
                await group.thaw()
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return problem(
            "lab-failed", f"node:{node.name}", what="processes of the node do not end",
            because=f"{group.members()} are still there after {KILL_DEADLINE_S:g} s",
            fix="look at them with ps, then try again",
        )
    return None


async def end_node(node: NodePlan, devices: list[str]) -> Problem | None:
    """End every process of the node, and let none come: a shell that an `up` which was killed had
    just started may still be on its way into the groups. It ends where they are gone."""
    group = NodeGroup(node)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_DEADLINE_S):
            while True:
                failure = await kill_node(node, devices)
                if failure or group.remove():
                    return failure
                await asyncio.sleep(POLL_S)
    return problem(
        "lab-failed", f"node:{node.name}", what="the control groups of the node cannot be removed",
        because=f"there is something in {' or '.join(map(str, group.folders))}",
        fix="look at their cgroup.procs and folders, then try again",
    )


async def power_off(node: NodePlan, devices: list[str]) -> Problem | None:
    """Kill the node and forget what a host forgets without power: /run and its interfaces."""
    watchdogs.call_off(node)
    failure = await kill_node(node, devices)
    watchdogs.call_off(node)  # it may have been petted once more
    if failure is None:
        remove_run_folder(node)
        failure = await remove_taps(node)
    return failure


def remove_run_folder(node: NodePlan) -> None:
    shutil.rmtree(node.run, ignore_errors=True)


def log_tail(node: NodePlan) -> str:
    """The last line the node's daemon or guardian wrote, for the Problem of a lab that failed."""
    for name in ("daemon", "guardian"):
        path = Path(node.folder, "log", f"{name}.log")
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        if lines:
            return f"{node.name} {name}: {lines[-1]}"
    return f"{node.name}: no log"
