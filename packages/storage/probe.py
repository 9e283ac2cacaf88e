"""The door to this node's block devices: what a disk is, and who else holds it.

Looking at a disk never changes it and never waits for it longer than it was allowed: a dead LUN
can hang the kernel in an ordinary stat(), and must not hang the daemon with it.
"""

from collections.abc import Iterable
from typing import Protocol

from packages.core.facts import DeviceKind, DiskFacts, OpenedDisks

__all__ = ["DeviceKind", "DiskFacts", "OpenedDisks", "Probe"]


class Probe(Protocol):
    async def examine(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        """Never raises: a device that does not answer in time is kind `other` with no identity."""

    async def named(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        """As `examine`, without who uses it: much cheaper."""

    async def opened(
        self, pid: int, paths: Iterable[str], *, deadline_s: float = 5.0,
    ) -> OpenedDisks | None:
        """The block devices that a process has open now, whatever the paths mean by now; who uses
        them is not looked at. None: the process is gone, or a device did not answer in time."""
