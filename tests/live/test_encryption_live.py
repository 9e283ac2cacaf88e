"""What somebody on the migration network reads of a guest that moves: over TLS not one byte.

The same guest then moves over plain TCP on the same cables, and there its memory is found: a
capture that would miss it proves nothing.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cluster.lab.guest_image import SECTOR_BYTES
from tests.live.live_cluster import LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

RUN = 16
"""So many bytes in the same order are no accident: one in 2^128 that are random."""
TELLING = 10
"""A run with fewer different bytes is padding, which any format may contain."""
PROGRAM_BYTES = 127 << 10
"""Between the boot sector and the log the disk holds the guest's program as it is in memory."""
KERNEL_BUFFER_KIB = "65536"
"""Room for a whole move, so that none of it is dropped while the disk is busy."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path_factory.mktemp("wire") / "lab", nodes=2) as made:
        yield made


async def test_no_byte_of_the_guest_can_be_read(cluster: LiveCluster, tmp_path: Path) -> None:
    move, capture, secret = await watched_move(cluster, tmp_path)
    assert len(capture) >= move["transferred_bytes"] > len(secret)
    assert shared_runs(capture, secret) == 0


async def test_over_a_plain_channel_its_memory_is_found(
    cluster: LiveCluster, tmp_path: Path,
) -> None:
    await move_in_the_clear(cluster)
    move, capture, secret = await watched_move(cluster, tmp_path)
    assert len(capture) >= move["transferred_bytes"] > len(secret)
    assert shared_runs(capture, secret) > 1000
    assert life_of(secret) in capture


async def watched_move(
    cluster: LiveCluster, folder: Path,
) -> tuple[dict[str, Any], bytes, bytes]:
    """A move, all that passed over the source's cable meanwhile, and what of the guest's memory
    is known from outside: its program, and the name of its life, which it drew itself."""
    before = await cluster.one_copy()
    target = next(name for name in cluster.names if name != before["node"])
    life = (await cluster.said()).boot_id
    async with captured(cluster.node(before["node"]).netns, folder / "wire.pcap"):
        move = await cluster.moved(target)
    assert move["result"] == "completed", move
    after = await cluster.one_copy()
    assert (after["node"], (await cluster.said()).boot_id) == (target, life)
    with open(cluster.record.disks["p1"], "rb") as disk:
        disk.seek(SECTOR_BYTES)
        program = disk.read(PROGRAM_BYTES)
    return move, (folder / "wire.pcap").read_bytes(), program.rstrip(b"\0") + life.encode()


@asynccontextmanager
async def captured(netns: str, file: Path) -> AsyncIterator[None]:
    """Every frame on the node's migration network, from the first to the last: in immediate mode
    none is still in the kernel's buffer when the capture ends."""
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", netns, "tcpdump", "-i", "mig0", "-Z", "root", "-n",
        "--immediate-mode", "-B", KERNEL_BUFFER_KIB, "-w", str(file),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            while b"listening on" not in (line := await process.stderr.readline()):
                assert line, "tcpdump ended at once"
        yield
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            told = (await process.stderr.read()).decode()
            await process.wait()
    counts = [line.split()[0] for line in told.splitlines() if " packets " in line]
    taken, came, lost = (int(each) for each in counts)
    assert taken == came and lost == 0, told


async def move_in_the_clear(cluster: LiveCluster) -> None:
    """Have the daemons start again with what their operator now says of the network: that it is
    private, and needs no encryption."""
    for name in cluster.names:
        file = Path(cluster.node(name).folder, "etc", "cluster.yaml")
        text = file.read_text()
        assert text.count("migration:\n  private: true\n") == 1, text
        file.write_text(text.replace(
            "migration:\n  private: true\n", "migration: {transport: plain, private: true}\n"))
        cluster.kill_daemon(name)
    for name in cluster.names:
        await cluster.start_daemon(name)
    await cluster.in_order()


def shared_runs(text: bytes, secret: bytes) -> int:
    """How many different runs of the secret's bytes are in the text, wherever they begin."""
    runs = {secret[at:at + RUN] for at in range(len(secret) - RUN + 1)}
    telling = {each for each in runs if len(set(each)) >= TELLING}
    assert len(telling) > 1000, "the secret says too little"
    places = range(len(text) - RUN + 1)
    return len({run for at in places if (run := text[at:at + RUN]) in telling})


def life_of(secret: bytes) -> bytes:
    return secret[-RUN:]
