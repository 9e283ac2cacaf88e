"""What stands between a package's description and this host: each file is looked at before its use.

A program is started, and an image opened, as root. So it must be what root put there: the file, and
every folder and link on the way to it, is root's and nobody else can change it. A folder that
everybody may write to is passed only where it is sticky, like /tmp: what root has there stays.

What must never happen here: a file taken for root's because of its name alone.
"""

import os
import stat

from packages.accounts import Account, account_of
from packages.core.allowed import (
    Allowed, Words, cd_of, device_not_allowed, host_devices, image_not_allowed, images_of, is_below,
    is_device, is_drive, is_image, may_be_started
)
from packages.core.model import PackageSpec, VmSpec
from packages.core.problem import Problem

MOST_LINKS = 40
"""As the kernel has it."""
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
OF_THE_KERNEL = ("/proc", "/sys", "/dev")
"""What everybody may read there tells root more than others."""
CD_MAJOR = 11
"""The kernel's number of CD drives (Documentation/admin-guide/devices.txt)."""


class Vetting:
    """`allowed` is what the cluster file says, and follows it. Every question may hang as the file
    system does that is asked; none raises for what it finds."""

    def __init__(self, allowed: Allowed = Allowed()) -> None:
        self.allowed = allowed

    def against_program(self, words: Words) -> str | None:
        """Why this is not started, now. Where the cluster file does not say which programs there
        are, what is in the record was taken before anybody was asked, and goes on being used."""
        programs = self.allowed.programs
        if programs is not None and not may_be_started(programs, words):
            return f"the cluster file does not allow {words[0]} so (`programs:`)"
        return why_foreign(words[0])

    def against_guest(self, spec: PackageSpec) -> Problem | None:
        """Why this guest is not given what it asks of the host beside its disks."""
        for device in spec.vm.devices:
            if not is_device(device) or is_drive(cd_of(device)) and not _is_cd(cd_of(device)):
                return device_not_allowed(spec.name, device)
        for path, _ in images_of(spec.vm):
            because = self.against_image(path)
            if because is not None:
                return image_not_allowed(spec.name, path, because)
        return None

    def guests_account(self, vm: VmSpec) -> Account | Problem | None:
        """What its QEMU becomes; None: it stays root, because nobody said otherwise, or because the
        host gives it devices that are root's."""
        words = self.allowed.accounts.guests
        return account_of(words) if words and not host_devices(vm) else None

    def checks_account(self) -> Account | Problem | None:
        words = self.allowed.accounts.checks
        return account_of(words) if words else None

    def against_image(self, path: str) -> str | None:
        """Outside of the folders that were named for it, only what everybody may read: then QEMU
        tells the guest nothing that the host keeps to itself."""
        if is_image(self.allowed, path):
            return why_foreign(path)
        return why_foreign(path, is_public=True) and (
            "it is in no folder of `images:`, and not a file of root's that everybody may read")


def why_foreign(path: str, *, is_public: bool = False) -> str | None:
    """Why the file is not root's own, on every step of the way to it; None: it is. `is_public`: and
    everybody may read it."""
    left, at, links = path.split("/")[1:], "/", 0
    while left:
        name = left.pop(0)
        if name in ("", ".", ".."):
            return f"{path} is no plain path"
        here = os.path.join(at, name)
        try:
            seen = os.lstat(here)
        except (FileNotFoundError, NotADirectoryError):
            # Nothing is nobody's: whoever uses it finds that out, and says so in its own words.
            return f"{here} is not there" if is_public else None
        except OSError as error:
            return f"{here}: {error.strerror}"
        refused = _of_another(here, seen, is_last=not left, is_public=is_public)
        if refused is not None:
            return refused
        if not stat.S_ISLNK(seen.st_mode):
            at = here
            continue
        links += 1
        target = os.path.normpath(os.path.join(at, os.readlink(here)))
        if links > MOST_LINKS:
            return f"{path} has too many links"
        left, at = [*target.split("/")[1:], *left], "/"
    if is_public and is_below(at, OF_THE_KERNEL):
        return f"{path} is no file of a disk"
    return None


def _of_another(here: str, seen: os.stat_result, *, is_last: bool, is_public: bool) -> str | None:
    if seen.st_uid not in (0, os.geteuid()):
        return f"{here} is not root's"
    if stat.S_ISLNK(seen.st_mode):
        return None
    is_folder = stat.S_ISDIR(seen.st_mode)
    is_kept = is_folder and seen.st_mode & stat.S_ISVTX
    if seen.st_mode & WRITABLE_BY_OTHERS and not is_kept:
        return f"{here} can be changed by others than root"
    if is_last and not stat.S_ISREG(seen.st_mode):
        return f"{here} is no file"
    if not is_last and not is_folder:
        return f"{here} is no folder"
    if is_public and not seen.st_mode & (stat.S_IXOTH if is_folder else stat.S_IROTH):
        return f"{here} is not for everybody to read"
    return None


def _is_cd(path: str) -> bool:
    """Whatever the name says: a disk of another guest is none."""
    try:
        seen = os.stat(path)
    except OSError:
        return False
    return stat.S_ISBLK(seen.st_mode) and os.major(seen.st_rdev) == CD_MAJOR
