"""What of a host a package's description may name: programs, images and devices. PURE.

Whoever may describe packages is not root on the hosts, and everything here would run or be read as
root. So the cluster file, which a full-admin alone changes, says which programs there are to name;
a description only chooses among them. Whether such a file is root's on a host is seen there, each
time before it is used (packages/vetting.py).
"""

import posixpath
import re
from collections.abc import Iterator

from packages.core.model import PackageSpec, VmSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value

PROGRAM_FOLDERS = ("/etc/vmsg/programs", "/usr/lib/vmsg/programs", "/usr/local/lib/vmsg/programs")
IMAGE_FOLDERS = ("/srv/vmsg", "/var/lib/vmsg/images", "/usr/lib/vmsg/images")

Words = tuple[str, ...]


class Programs(Value):
    """What packages may have started: any file below a folder with any words, and these commands
    word for word. A last word that ends with `*` stands for every word that begins so."""

    folders: tuple[str, ...] = PROGRAM_FOLDERS
    commands: tuple[Words, ...] = ()


class Accounts(Value):
    """Whose rights it has that a package brings along: `NAME`, or `UID:GID`. Empty: root's."""

    guests: str = ""
    """Of QEMU, once it has opened what its guest was given."""
    checks: str = ""
    """Of the programs of monitors."""


class Allowed(Value):
    """As the cluster file has it. None: it does not say."""

    programs: Programs | None = None
    images: tuple[str, ...] | None = None
    """Folders of kernels, initrds and CD images that need not be readable by everybody."""
    accounts: Accounts = Accounts()


def is_below(path: str, folders: tuple[str, ...]) -> bool:
    """Whether the path, read as it stands, is inside one of the folders."""
    return posixpath.normpath(path) == path and any(
        path.startswith(folder.rstrip("/") + "/") for folder in folders)


def may_be_started(programs: Programs, words: Words) -> bool:
    return is_below(words[0], programs.folders) or any(
        _are(words, command) for command in programs.commands)


def _are(words: Words, command: Words) -> bool:
    *first, last = command
    return len(words) == len(command) and words[:-1] == tuple(first) and (
        words[-1].startswith(last[:-1]) if last.endswith("*") else words[-1] == last)


def is_image(allowed: Allowed, path: str) -> bool:
    """Whether a full-admin has named the folder it is in."""
    return is_below(path, IMAGE_FOLDERS if allowed.images is None else allowed.images)


def programs_of(spec: PackageSpec) -> Iterator[tuple[Words, str]]:
    """(the words of a command, what it is for)"""
    for each in spec.monitors:
        if each.kind == "program" and each.argv:
            yield each.argv, f"monitor {each.name}"
    if spec.fence.command:
        yield spec.fence.command, "the fence's command"


def against_programs(spec: PackageSpec, allowed: Allowed) -> list[Problem]:
    """Of all programs that the package names, those that nobody has allowed."""
    programs = allowed.programs or Programs()
    return [
        program_not_allowed(f"package:{spec.name}", words, use, programs)
        for words, use in programs_of(spec) if not may_be_started(programs, words)]


def against_devices(spec: PackageSpec, allowed: Allowed) -> list[Problem]:
    return [
        device_not_allowed(spec.name, each) for each in spec.vm.devices
        if not is_device(each) or _cd_image(each) and not is_image(allowed, _cd_image(each))]


def program_not_allowed(subject: str, words: Words, use: str, programs: Programs) -> Problem:
    return problem(
        "program-not-allowed", subject, what=f"{words[0]}, {use}, is not to be started",
        because=f"it would run as root on the nodes, and the cluster file allows programs below "
                f"{', '.join(programs.folders) or 'no folder'}"
                + (" and its `commands`" if programs.commands else ""),
        fix="put it below one of these folders on every node, or have a full-admin allow it with "
            "`programs:` of the cluster file: vmsg cluster apply FILE (docs/security.md)",
    )


# What may stand in `devices`. Nothing of it is handed to QEMU as it was written.
USB = re.compile(r"usb:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})")
PCI = re.compile(r"pci:([0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])")
CDROM = re.compile(r"cdrom:(/[^\x00-\x1f\x7f-\x9f]*[^/\s\x00-\x1f\x7f-\x9f])")
DRIVE = re.compile(r"/dev/(?:sr[0-9]{1,3}|cdrom[0-9]?|cdrw|dvd|dvdrw)")
OF_QEMU = ("virtio-rng-pci", "virtio-balloon-pci", "i6300esb")
"""Devices of QEMU's own that take nothing from the host."""
DEVICES_SAY = ("cdrom:DRIVE or cdrom:IMAGE, usb:VENDOR:PRODUCT, pci:0000:03:00.0, or one of "
               + ", ".join(OF_QEMU))


def is_device(words: str) -> bool:
    cdrom = CDROM.fullmatch(words)
    if cdrom is not None:
        path = cdrom[1]
        return posixpath.normpath(path) == path and (
            not path.startswith("/dev/") or DRIVE.fullmatch(path) is not None)
    return words in OF_QEMU or any(each.fullmatch(words) for each in (USB, PCI))


def cd_of(words: str) -> str:
    """The drive or image of `cdrom:`; empty for another device."""
    found = CDROM.fullmatch(words)
    return found[1] if found else ""


def is_drive(path: str) -> bool:
    return DRIVE.fullmatch(path) is not None


def _cd_image(words: str) -> str:
    path = cd_of(words)
    return "" if is_drive(path) else path


def host_devices(vm: VmSpec) -> tuple[str, ...]:
    """Those that the host loses to the guest: a full-admin's to give."""
    return tuple(each for each in vm.devices if each.startswith(("usb:", "pci:")))


def images_of(vm: VmSpec) -> list[tuple[str, str]]:
    """(path, what it is), of the host's files that QEMU opens beside disks and drives."""
    kernel, found = vm.kernel, [(_cd_image(each), "a CD image") for each in vm.devices]
    if kernel is not None:
        found = [(kernel.image, "the kernel"), (kernel.initrd or "", "the initrd"), *found]
    return [(path, use) for path, use in found if path]


def device_not_allowed(package: str, device: str) -> Problem:
    return problem(
        "device-not-allowed", f"package:{package}", what=f"{device!r} is no device for a guest",
        because=f"a device is {DEVICES_SAY}; an image stands in a folder of `images:`",
        fix="name one of these, or take it out of `devices` (docs/packages.md)",
    )


def image_not_allowed(package: str, path: str, because: str) -> Problem:
    return problem(
        "image-not-allowed", f"package:{package}", what=f"{path} is not given to {package}",
        because=because,
        fix="put it into a folder that the cluster file names under `images:`, root's and not "
            "writable by others, or make it readable by everybody (docs/security.md)",
    )
