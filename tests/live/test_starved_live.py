"""One processor for a whole cluster and for busy loops beside it: nobody's guest pays for that."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from cluster.lab.groups import in_namespace
from tests.live.live_cluster import LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.acceptance]

LOOPS = 8
STARVED_S = 12.0
"""Some three leases with their margins (4.1 s in profile `lan`)."""


@contextmanager
def starved(cluster: LiveCluster) -> Iterator[None]:
    """Daemons and guests share one processor with the loops; guardians are real-time on a host."""
    spared = {cluster.guardian(name) for name in cluster.names}
    everybody = {pid for name in cluster.names
                 for pid in in_namespace(cluster.node(name).netns)} - spared
    all_of_them = os.sched_getaffinity(0)
    one = {min(all_of_them)}
    with ExitStack() as stack:
        for pid in everybody:
            pinned(pid, one)
            stack.callback(pinned, pid, all_of_them)
        for _ in range(LOOPS):
            loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(loop.wait)
            stack.callback(loop.kill)
            os.sched_setaffinity(loop.pid, one)
        yield


def pinned(pid: int, to: set[int]) -> None:
    """All its threads; it may have ended."""
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), to)


async def test_a_starved_processor_costs_no_guest_its_lease(tmp_path: Path) -> None:
    async with live_cluster(tmp_path / "lab", memory_mib=32) as cluster:
        before = await cluster.one_copy()
        here = before["node"]
        copy, freezes = cluster.copy_on(here), cluster.freezes(here)
        with starved(cluster):
            await asyncio.sleep(STARVED_S)
            assert cluster.copy_on(here) == copy
        after = await cluster.one_copy()
        assert (after["node"], after["epoch"]) == (here, before["epoch"])
        assert cluster.freezes(here) == freezes
        cluster.check_disk()
