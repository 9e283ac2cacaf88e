"""From a package's description to the arguments of QEMU. Pure: nothing is looked up or made here.

The same spec must give the same devices in the same order on source and target, or the target
cannot load what the source sends. What differs between two lives (names, sockets, taps, where it
listens) stands in `Launch`. A guest is always made stopped (-S): the driver alone lets it run.
"""

import uuid
from collections.abc import Callable

from packages.core.allowed import CDROM, OF_QEMU, PCI, USB, is_drive
from packages.core.fencing import is_iscsi, lun_of
from packages.core.model import DiskSpec, PackageSpec, VmSpec
from packages.core.values import Value, changed

BINARY = "qemu-system-x86_64"
IDENTITY_PREFIX = "vmsg"

SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
"""What a hypervisor of ours never does, and whoever has broken out of a guest would: the kernel
ends it (seccomp). Its start takes no longer by it, within what can be measured."""

SANDBOX_OF_ANOTHER = (
    "-sandbox", "on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny")
"""The same for one that has yet to give root's rights away. Once they are gone, only a program that
has them could bring them back, and it starts none."""

_UUIDS = uuid.UUID("6d9a2c1e-5b0f-4f6e-9d53-0d3a5d1c7b41")
"""Our own name space: a package has the same UUID on every node and in every life, because guests
tie licences to it."""

UNEVEN_KIB = 8
"""QEMU rounds memory up to 8 KiB."""


class Launch(Value):
    """One life of a package on one node. `work_fd` and `emergency_fd` are listening sockets the
    process inherits; the second is kept free for the day the first hangs."""

    epoch: int
    boot_id: str
    machine: str
    accel: str
    folder: str
    taps: tuple[str, ...]
    incoming: bool
    becomes: tuple[str, ...] = ()
    """Option by which QEMU takes on another account, once it has opened everything."""
    initiator: str = ""
    """By what name this life logs in at `iscsi://` disks."""
    work_fd: int = 3
    emergency_fd: int = 4


def identity(package: str, epoch: int, boot_id: str) -> str:
    """The guest's -name, by which the monitor and the process tell whose life this is."""
    return f"{IDENTITY_PREFIX}:{package}:{epoch}:{boot_id}"


def guest_uuid(package: str) -> str:
    return str(uuid.uuid5(_UUIDS, package))


def console_path(folder: str) -> str:
    return f"{folder}/console.log"


def command_line(spec: PackageSpec, launch: Launch) -> list[str]:
    vm = spec.vm
    return [
        BINARY, "-name", identity(spec.name, launch.epoch, launch.boot_id),
        "-uuid", guest_uuid(spec.name),
        "-nodefaults", "-no-user-config", "-display", "none", "-S",
        *(SANDBOX_OF_ANOTHER if launch.becomes else SANDBOX), *launch.becomes,
        # The record decides what follows a panic or a power-off: the process stays to be asked.
        "-action", "reboot=reset,shutdown=pause,panic=pause,watchdog=pause",
        "-machine", launch.machine, "-accel", launch.accel, "-cpu", vm.cpu,
        "-smp", str(vm.vcpus), "-m", _memory(vm, launch.accel), "-rtc", "base=utc",
        *_monitors(launch), *_console(launch.folder), "-device", "pvpanic",
        *disk_arguments(vm, lambda index, disk: _block_node(index, disk, launch)),
        *_networks(vm, launch.taps), *_kernel(vm), *_host_devices(vm),
        *(["-incoming", "defer"] if launch.incoming else []),
    ]


def _memory(vm: VmSpec, accel: str) -> str:
    """Under emulation a page more than a round size. Where the memory is a whole number of 256 KiB,
    QEMU before 9.0 clears its record of dirty pages without telling the emulated translation
    buffers (cpu_physical_memory_sync_dirty_bitmap's fast path): later writes go unnoticed, and a
    moved guest wakes up with old pages. An uneven size takes the path that is right."""
    return f"{vm.memory_mib * 1024 + UNEVEN_KIB}K" if accel == "tcg" else f"{vm.memory_mib}M"


def _monitors(launch: Launch) -> list[str]:
    arguments = []
    for name, descriptor in (("work", launch.work_fd), ("emergency", launch.emergency_fd)):
        arguments += [
            "-chardev", f"socket,id={name},fd={descriptor},server=on,wait=off",
            "-mon", f"chardev={name},mode=control",
        ]
    return arguments


def _console(folder: str) -> list[str]:
    path = _escaped(console_path(folder))
    return ["-chardev", f"file,id=console,path={path},append=on", "-serial", "chardev:console"]


def disk_node(number: int) -> str:
    """What QEMU calls the contents of a disk."""
    return f"disk{number}"


def disk_arguments(vm: VmSpec, block_node: Callable[[int, DiskSpec], str]) -> list[str]:
    """The disks' devices, each over the block node that it is given."""
    arguments: list[str] = []
    controllers: set[str] = set()
    placed: dict[str, int] = {}
    for index, disk in enumerate(vm.disks):
        number = placed.get(disk.bus, 0)
        placed[disk.bus] = number + 1
        controller, device = _BUSES[disk.bus]
        if controller and controller not in controllers:
            controllers.add(controller)
            arguments += ["-device", controller]
        arguments += ["-blockdev", block_node(index, disk)]
        arguments += ["-device", f"{device(vm, number)},drive={disk_node(index)},id=device{index}"
                      f"{'' if disk.bus == 'floppy' else _ON_ERRORS},bootindex={index + 1}"]
    return arguments


# A storage error stops the guest and is reported, instead of being passed to a file system that
# would remount read-only and go on being called healthy.
_ON_ERRORS = ",werror=stop,rerror=stop"


def _block_node(index: int, disk: DiskSpec, launch: Launch) -> str:
    """Past the host's cache: what the guest was told is written must be on the LUN, and the other
    node must not read an old copy."""
    opened = _iscsi(disk, launch) if is_iscsi(disk) else (
        f"file.driver=host_device,file.filename={_escaped(disk.path)},file.locking={disk.locking}")
    return f"node-name={disk_node(index)},driver=raw,{opened},cache.direct=on,file.cache.direct=on"


def _iscsi(disk: DiskSpec, launch: Launch) -> str:
    """QEMU's own session at the target, which has no locks to keep a second one out."""
    lun = lun_of(disk.path)
    return (
        f"file.driver=iscsi,file.transport=tcp,file.portal={lun.portal},file.target={lun.target},"
        f"file.lun={lun.number},file.initiator-name={launch.initiator}"
    )


def _ide(vm: VmSpec, number: int) -> str:
    """The chipset's own buses: q35 has one disk on each, pc has two."""
    if _is_q35(vm):
        return f"ide-hd,bus=ide.{number}"
    return f"ide-hd,bus=ide.{number // 2},unit={number % 2}"


def _is_q35(vm: VmSpec) -> bool:
    return "q35" in vm.machine


_BUSES: dict[str, tuple[str, Callable[[VmSpec, int], str]]] = {
    # bus: (its controller, if it needs one; the device for the n-th disk on it)
    "virtio-blk": ("", lambda vm, number: "virtio-blk-pci"),
    "virtio-scsi": (
        "virtio-scsi-pci,id=virtioscsi", lambda vm, number: f"scsi-hd,bus=virtioscsi.0,lun={number}"
    ),
    "scsi": ("lsi53c895a,id=lsi", lambda vm, number: f"scsi-hd,bus=lsi.0,scsi-id={number}"),
    "sata": ("ahci,id=sata", lambda vm, number: f"ide-hd,bus=sata.{number}"),
    "ide": ("", _ide),
    "floppy": ("", lambda vm, number: f"floppy,unit={number}"),
}


def _networks(vm: VmSpec, taps: tuple[str, ...]) -> list[str]:
    """No boot ROM: packages boot from their disks, and ROMs differ in size between two nodes' QEMU
    packages, which is enough to refuse a move."""
    arguments = []
    for index, (network, tap) in enumerate(zip(vm.networks, taps, strict=True)):
        arguments += [
            "-netdev", f"tap,id=net{index},ifname={tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net{index},id=nic{index},mac={network.mac},romfile=",
        ]
    return arguments


def _kernel(vm: VmSpec) -> list[str]:
    if vm.kernel is None:
        return []
    return [
        "-kernel", vm.kernel.image,
        *(["-initrd", vm.kernel.initrd] if vm.kernel.initrd else []),
        *(["-append", vm.kernel.append] if vm.kernel.append else []),
    ]


def is_taken_over(device: str) -> bool:
    """Whether a device of the host is taken from it when the guest gets it, or must be there."""
    return device not in OF_QEMU


def other_devices(vm: VmSpec) -> list[str]:
    """Those of QEMU's own."""
    return _host_devices(changed(vm, devices=tuple(
        each for each in vm.devices if not is_taken_over(each))))


def _host_devices(vm: VmSpec) -> list[str]:
    """`cdrom:PATH`, `usb:VENDOR:PRODUCT` (hexadecimal), `pci:ADDRESS` and some of QEMU's own. What
    is none of these has no way into the arguments (packages/vetting.py refuses such a guest)."""
    arguments: list[str] = []
    for index, device in enumerate(vm.devices):
        if found := CDROM.fullmatch(device):
            kind = "host_cdrom" if is_drive(found[1]) else "file"
            node = f"node-name=cd{index},driver=raw,read-only=on,file.driver={kind}"
            arguments += ["-blockdev", f"{node},file.filename={_escaped(found[1])}"]
            arguments += ["-device", f"ide-cd,drive=cd{index}"]
        elif found := USB.fullmatch(device):
            arguments += ["-device", f"qemu-xhci,id=xhci{index}", "-device",
                          f"usb-host,bus=xhci{index}.0,vendorid=0x{found[1]},"
                          f"productid=0x{found[2]}"]
        elif found := PCI.fullmatch(device):
            arguments += ["-device", f"vfio-pci,host={found[1]}"]
        elif device in OF_QEMU:
            arguments += ["-device", device]
    return arguments


def _escaped(path: str) -> str:
    """QEMU separates options by commas; one that belongs to a value is doubled."""
    return path.replace(",", ",,")
