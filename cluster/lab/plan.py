"""What a lab consists of, worked out before anything is made: names, subnets, addresses, files.

PURE. Everything follows from the options and from one number, the lab's second octet, so that the
plan written down first is enough to find and remove all of it later, also after a crash half way.
No name or address may be chosen anywhere else.

A lab with number 77:

    the machine itself        vl77 10.77.0.1  ─── the guests' network, as a client sees it
    namespace vmsg77-sw       bridges lan, clu, mig: the switches between the nodes
    namespace vmsg77-n1       lan0 10.77.0.11 (the virtual switch), cl0 10.77.1.11, mig0 10.77.2.11
    guest of package p1       10.77.0.101, in the last four bytes of its MAC 52:54:0a:4d:00:65
"""

from pathlib import PurePosixPath
from typing import Literal

from cluster.config.schema import ClusterConfig, MigrationConfig, NodeConfig, Profile, VswitchConfig
from packages.core.allowed import PROGRAM_FOLDERS, Accounts, Programs
from packages.core.model import Accelerator
from packages.core.problem import Problem, problem
from packages.core.values import Value

GuestKind = Literal["nano", "linux"]
Network = Literal["cluster", "migration", "storage"]

NETWORKS: tuple[Network, ...] = ("cluster", "migration")
"""What `cut` takes a node off unless told otherwise. Storage only when named: its requests are not
lost but wait, and reach the disk when healed, whoever owns it by then."""

DEFAULT_DIR = "/var/lib/vmsg-lab"
RUN = "/run/vmsg-lab"
"""Holds the nodes' run folders, because a unix socket's path has 107 bytes at most, DIR may be
long, and a guardian must never wait for a disk; and a symbolic link N to DIR for each lab."""

GUESTS = "64123:64123"
"""What its hypervisors become: numbers that no system gives to anybody by itself."""

VSWITCH = "lan0"
FIRST_NODE, FIRST_GUEST, LAST_HOST = 11, 101, 254
"""Last octets; the guests of a lab are in one /24 with its nodes."""

MOST_NODES, MOST_PACKAGES = 64, LAST_HOST - FIRST_GUEST + 1
LEAST_MEMORY_MIB = {"nano": 4, "linux": 96}
"""Below this the guest does not boot (measured)."""
LEAST_DISK_MIB = 1
LEAST_WATCHDOG_S = 2.0
"""A guardian on a starved machine is late by half a second."""

ECHO_PORT = 7

SYSTEM = ("/", "/bin", "/etc", "/sbin", "/usr", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt")
TEMPORARY = ("/tmp", "/var/tmp")
TARGET_TOOL = ("/usr/bin/env", "TGT_IPC_SOCKET=*")
"""For a fence at a target beside the lab: several of them on a machine are told apart by this."""


class LabOptions(Value):
    dir: str = DEFAULT_DIR
    nodes: int = 3
    packages: int = 1
    memory_mib: int = 128
    disk_mib: int = 64
    guest: GuestKind = "nano"
    accel: Accelerator = "tcg"
    """Without hardware: a machine may have /dev/kvm and hang every guest on it."""
    profile: Profile = "lan"
    witness: bool = False
    """One more node, which votes and runs nothing."""
    watchdog_s: float = 0.0
    """After which a node that hangs loses its power; 0: nodes have no watchdog."""


class NodePlan(Value):
    name: str
    netns: str
    address: str
    migration_address: str
    lan_address: str
    folder: str
    """Of the node's etc, lib and log."""
    run: str
    is_witness: bool = False
    watchdog_s: float = 0.0


class PackagePlan(Value):
    name: str
    nodes: tuple[str, ...]
    guest_address: str
    mac: str
    lun: str
    """The file behind the loop device."""


class LabPlan(Value):
    number: int
    options: LabOptions
    switch: str
    """Network namespace of the switches."""
    root_link: str
    root_address: str
    subnet: str
    """The guests'."""
    nodes: tuple[NodePlan, ...]
    packages: tuple[PackagePlan, ...]

    def node(self, name: str) -> NodePlan | Problem:
        found = [each for each in self.nodes if each.name == name]
        return found[0] if found else unknown_node(self, name)


def unknown_node(plan: LabPlan, name: str) -> Problem:
    return problem(
        "unknown-node", f"node:{name}", what=f"the lab has no node {name!r}",
        because=f"its nodes are {', '.join(each.name for each in plan.nodes)}",
        fix="name one of these",
    )


def make_plan(options: LabOptions, number: int) -> LabPlan:
    """The lab for options that `check_options` let pass."""
    names = [f"n{index}" for index in range(1, options.nodes + 1)]
    nodes = [plan_node(options, number, index) for index in range(options.nodes)]
    if options.witness:
        nodes.append(plan_node(options, number, options.nodes, is_witness=True))
    return LabPlan(
        number=number, options=options, switch=f"vmsg{number}-sw", root_link=f"vl{number}",
        root_address=f"10.{number}.0.1", subnet=f"10.{number}.0.0/24",
        nodes=tuple(nodes),
        packages=tuple(
            plan_package(options, number, index, names) for index in range(options.packages)
        ),
    )


def plan_node(
    options: LabOptions, number: int, index: int, *, is_witness: bool = False,
) -> NodePlan:
    name, host = f"n{index + 1}", FIRST_NODE + index
    return NodePlan(
        name=name, netns=f"vmsg{number}-{name}", lan_address=f"10.{number}.0.{host}",
        address=f"10.{number}.1.{host}", migration_address=f"10.{number}.2.{host}",
        folder=str(PurePosixPath(options.dir, "nodes", name)),
        run=f"{RUN}/{number}-{name}", is_witness=is_witness, watchdog_s=options.watchdog_s,
    )


def plan_package(options: LabOptions, number: int, index: int, names: list[str]) -> PackagePlan:
    """The primary of p1 is n1, that of p2 is n2, and so on round the nodes."""
    host, first = FIRST_GUEST + index, index % len(names)
    return PackagePlan(
        name=f"p{index + 1}", nodes=tuple(names[first:] + names[:first]),
        guest_address=f"10.{number}.0.{host}", mac=f"52:54:0a:{number:02x}:00:{host:02x}",
        lun=str(PurePosixPath(options.dir, "luns", f"p{index + 1}.img")),
    )


def cluster_config(plan: LabPlan) -> ClusterConfig:
    """The cluster file of the lab; its migration network is nobody else's."""
    return ClusterConfig(
        name=f"lab{plan.number}", profile=plan.options.profile,
        nodes=tuple(
            NodeConfig(
                name=each.name, address=each.address, migration_address=each.migration_address,
                role="witness" if each.is_witness else "member",
            ) for each in plan.nodes
        ),
        vswitches=(VswitchConfig(name=VSWITCH, subnet=plan.subnet),),
        migration=MigrationConfig(private=True),
        programs=programs(plan.options.dir), images=(plan.options.dir,),
        accounts=Accounts(guests=GUESTS),
    )


def programs(folder: str) -> Programs:
    """What a lab's packages may start: what its owner puts into its folder, beside it, or where
    files are made that are not to last; never what the system has, which is shells, too."""
    beside = str(PurePosixPath(folder).parent)
    own = (folder, *(() if beside in SYSTEM else (beside,)), *TEMPORARY)
    return Programs(
        folders=tuple(dict.fromkeys((*own, *PROGRAM_FOLDERS))), commands=(TARGET_TOOL,))


def check_options(options: LabOptions) -> list[Problem]:
    """Every fault at once; an empty list lets the options pass."""
    least_memory = LEAST_MEMORY_MIB[options.guest]
    rules = (
        (1 <= options.nodes <= MOST_NODES, f"--nodes is {options.nodes}, not 1 to {MOST_NODES}"),
        (not options.witness or 1 < options.nodes < MOST_NODES,
         f"a witness needs 2 to {MOST_NODES - 1} nodes beside it, not {options.nodes}"),
        (0 <= options.packages <= MOST_PACKAGES,
         f"--packages is {options.packages}, not 0 to {MOST_PACKAGES}"),
        (options.memory_mib >= least_memory,
         f"--memory-mib is {options.memory_mib}; a {options.guest} guest needs {least_memory}"),
        (options.disk_mib >= LEAST_DISK_MIB,
         f"a disk of {options.disk_mib} MiB is below {LEAST_DISK_MIB}"),
        (options.watchdog_s == 0 or options.watchdog_s >= LEAST_WATCHDOG_S,
         f"--watchdog is {options.watchdog_s:g} s; below {LEAST_WATCHDOG_S:g} s it would bite the "
         "healthy"),
        (PurePosixPath(options.dir).is_absolute() and ".." not in PurePosixPath(options.dir).parts,
         f"--dir {options.dir!r} is not an absolute path"),
    )
    return [
        problem("lab-option-invalid", "lab", what="the lab cannot be made like this",
                because=because, fix="change the option") for holds, because in rules if not holds
    ]
