"""A file is used as root's only where it is root's, on every step of the way to it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from packages.core.allowed import Allowed, Programs
from packages.core.model import KernelSpec, PackageSpec, VmSpec
from packages.vetting import Vetting, why_foreign

OTHER = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "programs"
    made.mkdir(mode=0o755)
    return made


@pytest.fixture
def program(folder: Path) -> Path:
    made = folder / "check"
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_what_is_roots_is_roots_also_below_a_sticky_folder_and_through_a_link(
    program: Path, folder: Path,
) -> None:
    link = folder / "link"
    link.symlink_to("../programs/check")
    assert why_foreign(str(program)) is None and why_foreign(str(link)) is None
    assert why_foreign("/bin/sh") is None


HARMS: dict[str, Callable[[Path], object]] = {
    "another's file": lambda program: os.chown(program, OTHER, 0),
    "another's folder": lambda program: os.chown(program.parent, OTHER, 0),
    "everybody writes the file": lambda program: program.chmod(0o777),
    "a group writes the file": lambda program: program.chmod(0o775),
    "everybody writes the folder": lambda program: program.parent.chmod(0o777),
    "a group writes the folder": lambda program: program.parent.chmod(0o775),
    "a group writes the folder above": lambda program: program.parent.parent.chmod(0o770),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_what_others_can_change_is_not(program: Path, harm: Callable[[Path], object]) -> None:
    harm(program)
    vetting = Vetting(Allowed(programs=Programs(folders=(str(program.parent),))))
    assert why_foreign(str(program)) is not None
    assert vetting.against_program((str(program),)) is not None


def test_a_link_is_followed_into_what_others_can_change(program: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "evil").write_text("#!/bin/sh\n")
    os.chown(theirs, OTHER, 0)
    for target in (theirs / "evil", Path("../theirs/evil")):
        program.unlink()
        program.symlink_to(target)
        assert why_foreign(str(program)) is not None
    program.unlink()
    program.symlink_to("/bin/sh")
    os.chown(program, OTHER, 0, follow_symlinks=False)
    assert "is not root's" in (why_foreign(str(program)) or "")
    (tmp_path / "loop").symlink_to("loop")
    assert "too many links" in (why_foreign(str(tmp_path / "loop")) or "")


def test_a_folder_or_a_pipe_is_no_file(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert why_foreign(str(folder)) and why_foreign(str(folder / "pipe"))
    assert why_foreign("/dev/null") and why_foreign(f"{folder}/../programs/x")


def test_what_is_not_there_is_found_out_by_its_use(folder: Path) -> None:
    assert why_foreign(str(folder / "absent")) is None
    assert why_foreign(str(folder / "absent"), is_public=True) is not None


def test_the_file_is_looked_at_each_time(program: Path) -> None:
    vetting = Vetting(Allowed(programs=Programs(folders=(str(program.parent),))))
    words = (str(program), "x")
    assert vetting.against_program(words) is None
    program.chmod(0o777)
    assert vetting.against_program(words) is not None
    program.chmod(0o755)
    assert vetting.against_program(words) is None
    vetting.allowed = Allowed(programs=Programs(folders=()))
    assert vetting.against_program(words) is not None, "the cluster file has been changed"


def test_a_record_from_before_the_question_goes_on_being_used(program: Path) -> None:
    """Until the cluster file says which programs there are; it has to be root's all the same."""
    vetting = Vetting()
    assert vetting.against_program((str(program),)) is None
    os.chown(program, OTHER, 0)
    assert vetting.against_program((str(program),)) is not None


def guest(image: str, initrd: str | None = None, *devices: str) -> PackageSpec:
    return PackageSpec(name="web", nodes=("n1",), vm=VmSpec(
        memory_mib=64, disks=(), devices=devices, kernel=KernelSpec(image=image, initrd=initrd)))


def test_qemu_opens_what_everybody_may_read_or_what_a_full_admin_named(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.touch(mode=0o600)
    for secret in (str(kernel), "/etc/shadow", "/proc/self/mem", "/dev/mem", "/proc/kcore",
                   "/proc/kallsyms", "/proc/modules", "/sys/kernel/notes", "/proc/1/environ"):
        refused = Vetting().against_guest(guest("/etc/hostname", secret))
        assert refused is not None and refused.code == "image-not-allowed", secret
        assert Vetting().against_guest(guest(secret)) is not None
    assert Vetting().against_guest(guest("/etc/hostname", "/etc/hostname")) is None
    named = Vetting(Allowed(images=(str(tmp_path),)))
    assert named.against_guest(guest(str(kernel))) is None
    os.chown(kernel, OTHER, 0)
    assert named.against_guest(guest(str(kernel))) is not None


def test_a_guest_gets_no_device_that_is_not_what_it_is_called() -> None:
    """`/dev/cdrom` may be a link to a disk."""
    for device in ("loader,file=/etc/shadow", "cdrom:/dev/sr999", "cdrom:/dev/loop0"):
        refused = Vetting().against_guest(guest("/etc/hostname", None, device))
        assert refused is not None and refused.code == "device-not-allowed", device
    assert Vetting().against_guest(guest("/etc/hostname", None, "virtio-rng-pci")) is None
