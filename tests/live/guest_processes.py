"""A lab's guests as the kernel shows them: which processes there are, and which of them run."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from cluster.lab.groups import state_of

ENDS_S = 40.0
LOOK_S = 0.02
TICKING_S, TICKS = 0.5, 10
"""A guest that runs is seen to within this time, also on a machine that gives it a tenth."""


class Copy(NamedTuple):
    """A process of a guest on a node; `epoch` is the one it was born in."""

    node: str
    pid: int
    epoch: int
    boot_id: str
    stands: bool
    """Stopped by a signal, as the guardian does it."""


def copy_of(node: str, pid: int, package: str) -> Copy | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "-name" not in words:
        return None
    _, _, rest = words[words.index("-name") + 1].partition(f":{package}:")
    epoch, _, boot_id = rest.partition(":")
    if not boot_id:
        return None
    return Copy(node=node, pid=pid, epoch=int(epoch), boot_id=boot_id, stands=state_of(pid) == "T")


async def running_of(copies: list[Copy]) -> list[Copy]:
    """Those whose processors run. A copy that waits for its memory, or has given it away, is idle
    but for its monitor; a guest that runs has a clock that ticks fifty times a second."""
    candidates = [each for each in copies if not each.stands]
    if len(candidates) < 2:
        return candidates
    before = {each.pid: switches(each.pid) for each in candidates}
    await asyncio.sleep(TICKING_S)
    return [each for each in candidates if switches(each.pid) - before[each.pid] >= TICKS]


def switches(pid: int) -> int:
    """How often its threads have gone to sleep of their own accord."""
    with contextlib.suppress(OSError):  # the process has ended
        return sum(switches_of(pid, thread) for thread in os.listdir(f"/proc/{pid}/task"))
    return 0


def switches_of(pid: int, thread: str) -> int:
    with contextlib.suppress(OSError):  # it ended meanwhile
        status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["voluntary_ctxt_switches"])
    return 0


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(ENDS_S):
        while state_of(pid) not in "ZX":
            await asyncio.sleep(LOOK_S)


def parent_of(pid: int) -> int:
    raw = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return int(raw.rpartition(")")[2].split()[1])
