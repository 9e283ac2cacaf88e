"""What a package is: the operator's description of one whole virtual machine.

A package is made of whole-disk backing stores, an ordered list of nodes and its monitors. These
values come out of `packages.core.config`, are replicated as they are, and never change in place.
Units stand in the names.
"""

from typing import Literal

from packages.core.values import Value

DiskBus = Literal["virtio-blk", "virtio-scsi", "ide", "sata", "scsi", "floppy"]
Accelerator = Literal["kvm", "tcg", "auto"]
MonitorKind = Literal["qemu", "tcp", "http", "program"]
FenceKind = Literal["none", "scsi_reservation", "target_access"]
TargetTool = Literal["tgt", "lio"]
ShutdownPolicy = Literal["move", "halt", "leave"]


class DiskSpec(Value):
    """One whole block device, named the same on every node that may run the package.

    `path` is a device's, or `iscsi://HOST[:PORT]/TARGET/LUN` for a LUN that QEMU opens itself."""

    path: str
    bus: DiskBus = "virtio-blk"
    wwid: str | None = None
    """Where given, the identity the device must have on every node."""
    locking: Literal["auto", "off"] = "auto"
    """QEMU's own image lock; it protects on one host only and `off` is for tests of two copies."""


class NetworkSpec(Value):
    vswitch: str
    mac: str


class KernelSpec(Value):
    """Direct kernel boot; without it the guest boots from its first disk."""

    image: str
    initrd: str | None = None
    append: str = ""


class VmSpec(Value):
    memory_mib: int
    disks: tuple[DiskSpec, ...]
    vcpus: int = 1
    machine: str = "q35"
    cpu: str = "qemu64"
    accel: Accelerator = "auto"
    networks: tuple[NetworkSpec, ...] = ()
    kernel: KernelSpec | None = None
    devices: tuple[str, ...] = ()
    """Attached host devices (a CD-ROM, USB or PCI pass-through); such a guest cannot move."""


class MonitorSpec(Value):
    """One health check. `qemu` asks the process and its run state; `tcp` connects; `http` wants a
    status below 400; `program` is the operator's own, healthy when it exits 0."""

    name: str
    kind: MonitorKind
    interval_s: float = 5.0
    timeout_s: float = 5.0
    retries: int = 2
    """Failures in a row that are forgiven before the package counts as failed."""
    grace_s: float = 30.0
    """After a start, failures are not counted for so long, or until the first success."""
    host: str | None = None
    port: int | None = None
    path: str = "/"
    argv: tuple[str, ...] = ()


class FenceSpec(Value):
    """How the disks themselves keep a lost owner from writing (docs/fencing.md)."""

    kind: FenceKind = "none"
    tool: TargetTool = "tgt"
    """Whose access lists they are, for `target_access`."""
    command: tuple[str, ...] = ()
    """What is put before the target's tool, to run it where the target is: ssh and its words."""
    initiator: str = "iqn.2026-01.vmsg"
    """What the initiator names begin with that guests use on `iscsi://` disks."""


class PhaseTimeouts(Value):
    """Seconds; None is no limit. The defaults are Integrity VM's (SERVICEGUARD.md A6)."""

    init_s: float = 90.0
    copy_s: float | None = None
    io_quiesce_s: float = 15.0
    frozen_s: float = 60.0


class DependencySpec(Value):
    """A package that must run, on whatever node, before this one is started."""

    package: str


class PackageSpec(Value):
    name: str
    nodes: tuple[str, ...]
    """In order of preference: the first is the primary."""
    vm: VmSpec
    description: str = ""
    auto_run: bool = True
    lease_is_proof: bool = True
    """Whether it may be taken over because its node's lease is over, and by nothing stronger. A
    host that hangs as a whole and goes on later is not stopped by the end of its lease."""
    monitors: tuple[MonitorSpec, ...] = ()
    fence: FenceSpec = FenceSpec()
    service_restart: int = 1
    """Restarts on the spot, in a window of ten minutes, before the next node is tried."""
    start_timeout_s: float = 60.0
    halt_timeout_s: float = 60.0
    """How long the guest has for its own shutdown before it is ended."""
    shutdown_policy: ShutdownPolicy = "move"
    """When its host goes down in order: moved online, or shut down; shut down in any case; left
    alone and ended with it. Then it is started elsewhere, as after a failure of its host."""
    phase_timeouts: PhaseTimeouts = PhaseTimeouts()
    freeze_budget_ms: int = 300
    migration_bandwidth_mib_s: int | None = None
    """A ceiling for the copy; None is what the link gives."""
    priority: int | None = None
    """1 to 3000, the lowest is served first; None comes after all of these."""
    dependencies: tuple[DependencySpec, ...] = ()
