"""The door to hypervisors on this host that nobody here has started.

Looking costs a name per process, and no more unless there is one; a disk that hangs costs a thread
and not the daemon (packages/storage/block_devices.py).
"""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from packages.core.sightings import Stranger
from packages.storage.probe import Probe
from packages.vm.processes import command_line

PROGRAMS = (b"qemu-system-", b"qemu-kvm", b"kvm\n")
"""How the names of their processes begin, as the kernel cuts them."""
EXAMINE_S = 2.0


class Strangers(Protocol):
    async def find(self, disks: Collection[str]) -> list[Stranger]:
        """Every hypervisor's process that is not ours, with those of the disks it has open. Never
        fails: what cannot be seen is not told."""


class HostStrangers:
    """Those of this host, as far as `counts_process` lets them count."""

    def __init__(
        self, *, probe: Probe, counts_process: Callable[[int], bool],
        ours: Callable[[], frozenset[int]],
    ) -> None:
        self._probe, self._counts, self._ours = probe, counts_process, ours

    async def find(self, disks: Collection[str]) -> list[Stranger]:
        ours = self._ours()
        pids = [each for each in hypervisors() if each not in ours and self._counts(each)]
        if not pids:
            return []
        opened = await asyncio.gather(*(
            self._probe.examine(path, deadline_s=EXAMINE_S)
            for path in sorted(disks) if path.startswith("/")))
        return [
            stranger_of(pid, command_line(pid), (
                each.path for each in opened if pid in each.opened_by))
            for pid in pids
        ]


def hypervisors() -> list[int]:
    """By the name of the process alone: a list of all command lines costs ten times as much."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and Path("/proc", name, "comm").read_bytes().startswith(PROGRAMS):
                found.append(int(name))
        except OSError:
            continue  # it ended meanwhile
    return sorted(found)


def stranger_of(pid: int, argv: list[str], disks: Iterable[str]) -> Stranger:
    options = dict(pairwise(argv))
    return Stranger(
        pid=pid, name=options.get("-name", ""), uuid=options.get("-uuid", "").lower(),
        disks=tuple(disks),
    )


class NoStrangers:
    """A host on which nobody starts anything by hand."""

    async def find(self, disks: Collection[str]) -> list[Stranger]:
        return []
