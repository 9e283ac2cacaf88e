"""The door to this node's block devices: what a disk is, and who else holds it."""

from typing import Literal, Protocol

from packages.core.values import Value

DeviceKind = Literal[
    "whole", "partition", "logical-volume", "file", "directory", "missing", "other",
]


class DiskFacts(Value):
    """What this node sees under one path. `identity` is what must be equal on two nodes: WWID, or
    serial, or for a loop device its backing file (device and inode numbers with the path)."""

    path: str
    kind: DeviceKind
    identity: str = ""
    serial: str = ""
    size_bytes: int = 0
    sector_bytes: int = 0
    read_only: bool = False
    mounted_at: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    """Kernel holders (device mapper, md) and partitions in use, by name."""
    opened_by: tuple[int, ...] = ()
    """Processes that have the device open."""


class Probe(Protocol):
    async def examine(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        """Never raises: a device that does not answer in time is kind `other` with no identity."""
