"""What a node told about itself: the facts every decision about moving and starting is made of.

Facts are values of one moment. Whoever decides compares facts of two nodes and never asks a node
again in between; whoever gathers them (cluster/nodes/facts.py) decides nothing.
"""

from typing import Literal

from packages.core.model import VmSpec
from packages.core.room import Room
from packages.core.values import Value

DeviceKind = Literal[
    "whole", "partition", "logical-volume", "file", "directory", "missing", "other",
]


class DiskFacts(Value):
    """What this node sees under one path. `identity` is what must be equal on two nodes: WWID, or
    serial, or for a loop device its backing file (device and inode numbers with the path).

    `other` without identity is a device that did not answer in time; `other` with one is a device
    that is not a LUN of its own (an md array, an encrypted mapping).
    """

    path: str
    kind: DeviceKind
    identity: str = ""
    serial: str = ""
    size_bytes: int = 0
    sector_bytes: int = 0
    read_only: bool = False
    mounted_at: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    """Kernel holders (device mapper, md, swap) and partitions in use, by name."""
    opened_by: tuple[int, ...] = ()
    """Processes that have the device, or a partition of it, open."""
    unfenced: str | None = None
    """Why it cannot be fenced as the package asks; empty: it can. None: nobody looked."""
    device: str = ""
    """The kernel's number for it, major:minor; empty where no kernel of this host has it."""


class OpenedDisks(Value):
    """What a process has open, beside what some paths mean at the same moment."""

    named: tuple[DiskFacts, ...] = ()
    devices: tuple[DiskFacts, ...] = ()
    """Every block device it has open, each once, by its number; `path` is the kernel's name."""


class Wanted(Value):
    """What else a node is to tell, for a package that is not there yet."""

    shapes: tuple[VmSpec, ...] = ()
    """Machines of which it is to say what its hypervisor refuses."""
    files: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Those of the files that QEMU opens; the others are programs."""


FileKind = Literal["file", "program", "missing", "other"]
"""`program`: a file that may be executed; `other`: no file, or not told in time."""


class NodeFacts(Value):
    """One host at `taken_at_ms` (wall clock). CPU features have the names of /proc/cpuinfo."""

    name: str
    version: str
    """Of this product."""
    cpu_vendor: str = ""
    cpu_family: int = 0
    cpu_model: int = 0
    cpu_features: tuple[str, ...] = ()
    kvm_works: bool = False
    machines: tuple[str, ...] = ()
    """Machine types its QEMU knows, aliases included."""
    memory_free_mib: int = 0
    """What a new guest could have without swapping."""
    memory_total_mib: int = 0
    vswitches: dict[str, str] = {}
    """Bridges by name with the subnet they carry, "" where neither bridge nor cluster says."""
    vswitches_unknown: str = ""
    """Why nobody could look, "" where somebody did."""
    networks: tuple[str, ...] = ()
    """Those it has an address in, whatever carries them; empty: it has not told."""
    disks: tuple[DiskFacts, ...] = ()
    """Those that were asked for."""
    migration_shared: bool = False
    """Guest memory would travel on the cluster network."""
    qemu_version: str = ""
    rooms: tuple[Room, ...] = ()
    """Of its state, run and <etc> folders."""
    files: dict[str, FileKind] = {}
    """Those that were asked for."""
    not_ours: dict[str, str] = {}
    """Of the files, those that are not used there, with the reason: they are not root's alone."""
    taken_at_ms: int = 0


def disk_named(facts: NodeFacts, path: str) -> DiskFacts:
    """What the node saw under this path; a path nobody examined has not answered."""
    for disk in facts.disks:
        if disk.path == path:
            return disk
    return DiskFacts(path=path, kind="other")
