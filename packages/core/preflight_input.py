"""Everything the preflight rules may look at, gathered before the first of them is asked.

A rule sees this value and nothing else, so that the same input gives the same answer on every
node and a preview is the decision itself.
"""

from typing import Literal

from packages.core.facts import NodeFacts
from packages.core.known_disks import KnownDisk
from packages.core.model import PackageSpec
from packages.core.values import Value


class RunningGuest(Value):
    """The guest as it was booted: what a target must be able to carry on."""

    node: str
    accel: Literal["kvm", "tcg"]
    machine: str
    """The versioned machine type recorded at boot, for example pc-q35-7.2."""
    pid: int = 0
    """Its process on that node; it may have the package's disks open."""


class Placement(Value):
    """What the cluster's record says about the target node for this package."""

    switching: bool = True
    in_maintenance: bool = False
    up: bool = True
    quarantined: bool = False
    guarded: bool = True
    """Its guardian answers its daemon."""
    because: str = ""
    """The record's own reason for whichever of these is in the way, if it has one."""


class PreflightInput(Value):
    """One package and one node it might run on."""

    spec: PackageSpec
    target: str
    target_facts: NodeFacts | None
    """None: the node did not tell."""
    placement: Placement = Placement()
    running: RunningGuest | None = None
    """None: the package does not run."""
    source_facts: NodeFacts | None = None
    detached_on: str = ""
    """The node that left it running, unwatched; it is not `running` then."""
    moving: bool = False
    in_maintenance: bool = False
    transport: Literal["tls", "plain", "ssh"] = "tls"
    migration_private: bool = False
    vswitches: dict[str, str] = {}
    """Subnets by switch name, as the cluster file declares them."""
    refused_by_qemu: tuple[str, ...] = ()
    """What the target's hypervisor says against the machine, in its own words."""
    reserve_mib: int = 0
    """What of the target's memory is kept for takeovers, and not for this."""
    known_disks: tuple[KnownDisk, ...] = ()
    """What the record has of the package's own disks."""
    claimed_disks: dict[str, str] = {}
    """Paths and identities of the disks of other packages, with the package that names them."""
