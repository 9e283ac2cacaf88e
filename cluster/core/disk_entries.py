"""Entries about a package's disks beside its starts and moves."""

from cluster.core.entry import Entry
from packages.core.known_disks import KnownDisk


class DisksGrown(Entry, tag="disks-grown"):
    """The guest of this epoch was told that these have become larger."""

    package: str
    node: str
    epoch: int
    disks: tuple[KnownDisk, ...]
