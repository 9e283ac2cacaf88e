"""One node of a cluster as a process of its own, for tests that kill it.

    python -m tests.raft.lone_node <folder> <plan.json> <name>

Its disk is slow now and then. It proposes without pause, and notes each acknowledged command in
`<folder>/<name>.acked` before it proposes the next. On SIGTERM it falls quiet, waits until all
have, and writes what its machine holds to `<folder>/<name>.state`.
"""

import asyncio
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

from cluster.clock import HostClock
from cluster.config.schema import PROFILES
from cluster.raft.disk import HostDisk
from cluster.raft.links import SocketLinks
from cluster.raft.syncobj import SyncObjReplica
from cluster.sockets import CurveKeys
from packages.core.problem import Problem
from tests.contracts.replica_worlds import Register

SLOW_SHARE, SLOWEST_S = 0.05, 0.05


class SlowDisk(HostDisk):
    def sync(self, handle: int) -> None:
        if random.random() < SLOW_SHARE:
            threading.Event().wait(random.uniform(0.0, SLOWEST_S))
        super().sync(handle)


def step_out(found: Problem) -> None:
    print(found, file=sys.stderr)
    os._exit(3)


async def write_on(replica: SyncObjReplica, name: str, acked: Path) -> None:
    number = 0
    with open(acked, "ab", buffering=0) as notes:
        while True:
            number += 1
            command = f"{name}-{os.getpid()}-{number}".encode()
            answer = await replica.propose(command, deadline_s=3.0)
            if answer == b"applied " + command:
                notes.write(command + b"\n")
            await asyncio.sleep(0.002)


async def main(folder: Path, plan: Path, name: str) -> None:
    nodes = json.loads(plan.read_text())
    machine = Register()
    replica = SyncObjReplica(
        name=name, links=SocketLinks({
            peer: (node["endpoint"], node["keys"]["public"])
            for peer, node in nodes.items() if peer != name
        }, bind=nodes[name]["endpoint"], keys=CurveKeys(**nodes[name]["keys"])),
        folder=folder / name, machine=machine, timings=PROFILES["fast"], clock=HostClock(),
        on_fatal=step_out, compact_after_entries=200, disk=SlowDisk(),
    )
    found = await replica.start()
    if found is not None:
        step_out(found)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    writing = asyncio.create_task(write_on(replica, name, folder / f"{name}.acked"))
    await ended.wait()
    writing.cancel()
    await asyncio.wait([writing])
    (folder / f"{name}.quiet").touch()
    # What any of them was acknowledged must be in the state of each: no sooner than all are quiet.
    while not all((folder / f"{each}.quiet").exists() for each in nodes):
        await asyncio.sleep(0.05)
    for _ in range(200):
        if await replica.confirm(deadline_s=1.0) is None:
            break
    (folder / f"{name}.state").write_bytes(machine.dump())
    while not all((folder / f"{each}.state").exists() for each in nodes):
        await asyncio.sleep(0.05)
    await replica.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
