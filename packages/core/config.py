"""What a package's description must hold to be taken: the table of its keys and their rules.

Pure: a tree of text with line numbers goes in, a PackageSpec or every fault of the text comes
out. Whether the nodes, disks and switches it names exist is not asked here (preflight does).
"""

import posixpath
from typing import Any, get_type_hints

from packages.core.allowed import DEVICES_SAY, is_device
from packages.core.fencing import is_iscsi
from packages.core.model import (
    Accelerator, DependencySpec, DiskBus, DiskSpec, FenceKind, FenceSpec, KernelSpec, MonitorKind,
    MonitorSpec, NetworkSpec, PackageSpec, PhaseTimeouts, ShutdownPolicy, TargetTool, VmSpec
)
from packages.core.names import NAME, NODE_NAME, PACKAGE_NAME
from packages.core.problem import Problem
from packages.core.shape import (
    CONTROLS, Faults, block, choice, many, number, optional, path_to, read_tree, required, text,
    truth, whole
)
from packages.core.tree import Mapping, Scalar, Tree, entry_of
from packages.core.wwid import bare_identity

DESCRIPTION = text(
    rf"(?:[^{CONTROLS}]|[\t\n])*", says="text without control characters", longest=4000,
)
# The kernel's own limit for a path is 4096 with the end mark.
PATH = text(
    rf"/(?:[^{CONTROLS}]*[^/\s{CONTROLS}])?", longest=4095,
    says="an absolute path without control characters, not ending with '/'",
)
# RFC 3720's names, in the letters that every target takes as they are.
ISCSI_NAME = r"(?:iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.:-]{1,150}|(?:eui|naa)\.[0-9A-Fa-f]{16,32})"
DISK_PATH = text(
    rf"/(?:[^{CONTROLS}]*[^/\s{CONTROLS}])?"
    rf"|iscsi://(?:[A-Za-z0-9.-]{{1,253}}|\[[0-9A-Fa-f:]{{2,39}}\])(?::[0-9]{{1,5}})?/{ISCSI_NAME}"
    r"/[0-9]{1,5}", longest=4095,
    says="an absolute path, or iscsi://HOST[:PORT]/TARGET/LUN",
)
# An interface name of Linux: at most 15 characters, neither '/' nor ':' nor spaces.
SWITCH = text(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,14})", says="the name of a bridge (15 characters)")
# The second digit's lowest bit says multicast; such an address no interface may have.
MAC = text(
    r"(?!00(?::00){5}\Z)[0-9A-Fa-f][02468ACEace](?::[0-9A-Fa-f]{2}){5}",
    says="a MAC address such as 52:54:00:12:34:56, its first byte even, and not nobody's",
)
HOST = text(r"[A-Za-z0-9:](?:[A-Za-z0-9.:_-]{0,252})", says="a host name or an IP address")
WORD = text(r"[A-Za-z0-9][A-Za-z0-9._-]*", says="one word of letters, digits, '.', '-' and '_'",
            longest=100)
CPU = text(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?:,[+-]?[A-Za-z0-9._-]+(?:=[A-Za-z0-9._-]+)?)*", longest=1000,
    says="a CPU model of QEMU, with features after commas",
)
PORT = whole(1, 65535)

# What each kind of monitor cannot do without, and what else it understands.
MONITOR_NEEDS: dict[str, tuple[str, ...]] = {
    "qemu": (), "tcp": ("host", "port"), "http": ("host", "port"), "program": ("argv",),
}
MONITOR_TAKES: dict[str, tuple[str, ...]] = {
    "qemu": (), "tcp": ("host", "port"), "http": ("host", "port", "path"), "program": ("argv",),
}


def _fields_suit_kind(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    """A monitor has what its kind needs and nothing its kind would ignore in silence."""
    kind = values.get("kind")
    if kind is None:
        return
    for key in MONITOR_NEEDS[kind]:
        if entry_of(tree, key) is None:
            faults.add(
                "config-key-missing", tree.line, what=f"{path_to(where, key)} is missing",
                because=f"a monitor of kind {kind} needs {key}", fix=f"add `{key}:`",
            )
    for key in ("host", "port", "path", "argv"):
        entry = entry_of(tree, key)
        if entry is not None and key not in MONITOR_TAKES[kind]:
            faults.add(
                "config-key-unknown", entry.line, what=f"{path_to(where, key)} has no meaning",
                because=f"a monitor of kind {kind} does not use {key}",
                fix=f"take `{key}` out, or change `kind`",
            )


def _program_is_absolute(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    """The daemon has its own PATH and directory; a relative program would depend on them."""
    _begins_with_path(
        "argv", values, tree, where, faults,
        because="a monitor's program is named by its absolute path",
        fix="write the program's whole path first",
    )


def _access_words_suit_kind(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    kind = values.get("kind")
    for key in ("tool", "command", "initiator"):
        entry = entry_of(tree, key)
        if entry is not None and kind not in (None, "target_access"):
            faults.add(
                "config-key-unknown", entry.line, what=f"{path_to(where, key)} has no meaning",
                because=f"a fence of kind {kind} does not use {key}",
                fix=f"take `{key}` out, or write `kind: target_access`",
            )


def _fence_command_is_absolute(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    _begins_with_path(
        "command", values, tree, where, faults,
        because="what runs the target's tool is named by its absolute path",
        fix="write the program's whole path first, such as /usr/bin/ssh",
    )


def _begins_with_path(
    key: str, values: dict[str, Any], tree: Mapping, where: str, faults: Faults, *, because: str,
    fix: str,
) -> None:
    words, entry = values.get(key), entry_of(tree, key)
    if entry is None or not words or words[0].startswith("/"):
        return
    faults.add(
        "config-bad-value", entry.line, what=f"{where}.{key} begins with {words[0]!r}",
        because=because, fix=fix,
    )


def _disks_suit_fence(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    """A reservation belongs to the kernel's own LUN, an access list to one that QEMU opens."""
    vm, fence = values.get("vm"), values.get("fence") or FenceSpec()
    entry = entry_of(tree, "vm")
    if vm is None or entry is None or entry_of(tree, "fence") and "fence" not in values:
        return
    for disk in vm.disks:
        wanted = "target_access" if is_iscsi(disk) else "scsi_reservation"
        if fence.kind == wanted or fence.kind == "none" and not is_iscsi(disk):
            continue
        faults.add(
            "config-bad-value", entry.line,
            what=f"disk {disk.path} and a fence of kind {fence.kind} do not go together",
            because="a LUN that QEMU opens itself is kept by its target's access list, and one "
                    "that the host's kernel opened by its reservation",
            fix=f"write `fence: {{kind: {wanted}}}`, and name all disks alike",
        )


def _something_to_boot(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    entry = entry_of(tree, "disks")
    if entry is None or values.get("disks") != () or entry_of(tree, "kernel") is not None:
        return
    faults.add(
        "config-bad-value", entry.line, what=f"{path_to(where, 'disks')} is empty",
        because="a guest without a kernel of its own boots from its first disk",
        fix="name a whole disk, or give `kernel:`",
    )


def _device(tree: Tree, where: str, faults: Faults) -> Any:
    """Of a closed list: nothing that is written here reaches QEMU as it stands."""
    word = DEVICE_TEXT(tree, where, faults)
    if not isinstance(word, str) or is_device(word):
        return word
    faults.add(
        "config-bad-value", tree.line, what=f"{where} is {word!r}",
        because=f"{word} is none: a device is {DEVICES_SAY}",
        fix="write one of these, or take it out",
    )
    return None


DEVICE_TEXT = text(says="the name of a device")
DISK = block(DiskSpec, {
    "path": required(DISK_PATH),
    "bus": optional(choice(DiskBus)),
    "wwid": optional(text(r"[!-~](?:[ -~]{0,198}[!-~])?", says="a WWID or serial number")),
    "locking": optional(choice(get_type_hints(DiskSpec)["locking"])),
})
NETWORK = block(NetworkSpec, {"vswitch": required(SWITCH), "mac": required(MAC)})
KERNEL = block(KernelSpec, {
    "image": required(PATH),
    "initrd": optional(PATH),
    # Linux takes 2048 characters on x86.
    "append": optional(text(longest=2048)),
})
VM = block(VmSpec, {
    "memory_mib": required(whole(1, 16 * 1024 * 1024)),
    "vcpus": optional(whole(1, 1024)),
    "machine": optional(WORD),
    "cpu": optional(CPU),
    "accel": optional(choice(Accelerator)),
    "disks": required(many(DISK, claims={
        "path": lambda disk: (posixpath.normpath(disk.path),),
        "wwid": lambda disk: () if disk.wwid is None else (bare_identity(disk.wwid),),
    })),
    "networks": optional(many(NETWORK, most=32, claims={
        "mac": lambda network: (network.mac.lower(),),
    })),
    "kernel": optional(KERNEL),
    "devices": optional(many(_device)),
}, checks=(_something_to_boot,))
MONITOR = block(MonitorSpec, {
    "name": required(NAME),
    "kind": required(choice(MonitorKind)),
    "interval_s": optional(number(0.1, 3600)),
    "timeout_s": optional(number(0.1, 3600)),
    "retries": optional(whole(0, 1000)),
    "grace_s": optional(number(0, 86400)),
    "host": optional(HOST),
    "port": optional(PORT),
    "path": optional(text(r"/[!-~]*", says="a path beginning with '/'")),
    "argv": optional(many(text(longest=4095), least=1)),
}, checks=(_fields_suit_kind, _program_is_absolute))
FENCE = block(FenceSpec, {
    "kind": required(choice(FenceKind)),
    "tool": optional(choice(TargetTool)),
    "command": optional(many(text(longest=4095), least=1)),
    "initiator": optional(text(
        r"iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]{1,80}",
        says="an iSCSI name such as iqn.2026-01.org.example, without ':'")),
}, checks=(_access_words_suit_kind, _fence_command_is_absolute))
# A day is longer than any phase of a move that anybody still waits for.
PHASE_S = number(0.1, 86400)
PACKAGE = block(PackageSpec, {
    "name": required(PACKAGE_NAME),
    "description": optional(DESCRIPTION),
    "nodes": required(many(NODE_NAME, least=1, claims={"node": lambda name: (name.lower(),)})),
    "auto_run": optional(truth()),
    "lease_is_proof": optional(truth()),
    "vm": required(VM),
    "monitors": optional(many(MONITOR, claims={"monitor": lambda monitor: (monitor.name,)})),
    "fence": optional(FENCE),
    "service_restart": optional(whole(0, 1000)),
    "start_timeout_s": optional(number(1, 86400)),
    "halt_timeout_s": optional(number(1, 86400)),
    "shutdown_policy": optional(choice(ShutdownPolicy)),
    "phase_timeouts": optional(block(PhaseTimeouts, {
        "init_s": optional(PHASE_S),
        "copy_s": optional(PHASE_S),
        "io_quiesce_s": optional(PHASE_S),
        "frozen_s": optional(PHASE_S),
    })),
    "freeze_budget_ms": optional(whole(1, 600_000)),
    "migration_bandwidth_mib_s": optional(whole(1, 1_000_000)),
    "priority": optional(whole(1, 3000)),
    "dependencies": optional(many(
        block(DependencySpec, {"package": required(PACKAGE_NAME)}),
        claims={"package": lambda dependency: (dependency.package,)},
    )),
}, checks=(_disks_suit_fence,))


def package_from_tree(
    tree: Tree, *, source: str = "the package file",
) -> tuple[PackageSpec | None, list[Problem]]:
    """The package the tree describes, or None with all of its faults."""
    spec, problems = read_tree(
        PACKAGE, tree, subject=subject_of(tree, "package", source), source=source,
    )
    return spec, problems


def subject_of(tree: Tree, kind: str, source: str) -> str:
    """`package:web` when the text at least says its name, else the file."""
    entry = entry_of(tree, "name")
    name = entry.value if entry is not None else None
    faults = Faults(subject="", source="")
    if isinstance(name, Scalar) and isinstance(NAME(name, "name", faults), str):
        return f"{kind}:{name.value}"
    return f"file:{source}"
