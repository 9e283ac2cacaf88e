"""A lab's hosts, cables and LUNs without a cluster on them, and what is left of a lab."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cluster.lab import hosts, lab, luns, processes
from cluster.lab import record as records
from cluster.lab.groups import in_namespace, mounted
from cluster.lab.plan import LabOptions, LabPlan, NodePlan
from cluster.lab.record import LabRecord
from packages.core.values import changed

DEADLINE_S = 30.0


@asynccontextmanager
async def lab_parts(folder: Path, *, nodes: int = 2, packages: int = 1) -> AsyncIterator[LabRecord]:
    """Claimed and recorded as by `up`; whatever runs on it, the test starts."""
    missing = records.missing_folders(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record = await lab.claim(LabOptions(dir=str(folder), nodes=nodes, packages=packages), missing)
    assert isinstance(record, LabRecord)
    try:
        assert await hosts.make_networks(record.plan) is None
        disks = await luns.make_luns(record.plan)
        assert isinstance(disks, dict)
        record = changed(record, disks=disks, ready=True)
        records.save(record)
        for node in record.plan.nodes:
            processes.make_folders(node)
            processes.NodeGroup(node).make()
        yield record
    finally:
        assert await lab.down(folder) is None


def traces(plan: LabPlan) -> dict[str, list[str]]:
    """All that the lab of this plan has on the machine now. Its number may have been given to
    another by then, which a test beside this one has made: what is named by it is that one's."""
    before = is_anothers(plan)
    found = _traces(plan, names=hosts.namespaces(plan))
    return _traces(plan, names=[]) if before or is_anothers(plan) else found


def is_anothers(plan: LabPlan) -> bool:
    """A number is taken before anything else is made by it, and given back last."""
    link = Path("/run/vmsg-lab", str(plan.number))
    try:
        return Path(os.readlink(link)) != Path(plan.options.dir)
    except OSError:
        return False


def _traces(plan: LabPlan, *, names: list[str]) -> dict[str, list[str]]:
    """Of its folder, and of those names."""
    by_number = [Path("/run/vmsg-lab", str(plan.number)), *(Path(each.run) for each in plan.nodes)]
    folders = [Path(plan.options.dir), *(by_number if names else [])]
    groups = [mounted("cgroup", "freezer"), mounted("cgroup", "blkio"), mounted("cgroup2")]
    found = {
        "namespaces": [each for each in names if (hosts.NAMESPACES / each).exists()],
        "links": [each for each in (plan.root_link,)
                  if names and Path("/sys/class/net", each).exists()],
        "processes": [str(pid) for each in names for pid in in_namespace(each)],
        "loop devices": [each for each in backing_files() if each.startswith(plan.options.dir)],
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines()
                   if plan.options.dir in line or any(each in line for each in names)],
        "folders": [str(each) for each in folders if each.exists() or each.is_symlink()],
        "control groups": [str(each / name) for each in groups if each for name in names
                           if (each / name).exists()],
    }
    return {kind: things for kind, things in found.items() if things}


def backing_files() -> list[str]:
    listed = subprocess.run(
        ["losetup", "--json", "--list", "--output", "BACK-FILE"], check=True, text=True,
        stdout=subprocess.PIPE,
    ).stdout
    return [each["back-file"] for each in json.loads(listed)["loopdevices"]] if listed else []


async def eventually(holds: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not holds():
            await asyncio.sleep(0.01)


async def reaches(node: NodePlan | None, address: str) -> None:
    """Wait until a ping from the node, or from the machine itself, is answered."""
    await eventually(lambda: answers(node, address))


def answers(node: NodePlan | None, address: str) -> bool:
    """Whether one ping is answered within a second; a host that stalls may miss that."""
    inside = ["ip", "netns", "exec", node.netns] if node else []
    return subprocess.run(
        [*inside, "busybox", "ping", "-c", "1", "-W", "1", address], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).returncode == 0


COUNTER = """
import os, sys
path = sys.argv[1]
if os.fork():
    os.wait()
counted = 0
while True:
    counted += 1
    with open(path, "w") as file:
        file.write(str(counted))
"""

WRITER = """
import mmap, os, sys
device, path = sys.argv[1:]
block = mmap.mmap(-1, 4096)
disk = os.open(device, os.O_RDWR | os.O_DIRECT)
counted = 0
while True:
    os.pwrite(disk, block, 0)
    counted += 1
    with open(path, "w") as file:
        file.write(str(counted))
"""


class Counter:
    """A program of a node, with a child, that counts in a file as long as it runs."""

    def __init__(self, node: NodePlan) -> None:
        self.node = node
        self.path = Path(node.folder, "counted")
        self.pid = 0

    async def start(self, program: str = COUNTER, *arguments: str) -> None:
        pid = await processes.launch(
            self.node, "counter", [sys.executable, "-c", program, *arguments, str(self.path)],
        )
        assert isinstance(pid, int)
        self.pid = pid
        await eventually(self.path.exists)

    def mtime(self) -> int:
        return os.stat(self.path).st_mtime_ns

    async def counts(self, *, deadline_s: float = DEADLINE_S) -> bool:
        """Whether it goes on within the deadline."""
        begun = self.mtime()
        try:
            await eventually(lambda: self.mtime() != begun, deadline_s=deadline_s)
        except TimeoutError:
            return False
        return True
