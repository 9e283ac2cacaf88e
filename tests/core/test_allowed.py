"""What a package may name of a host, and what it may not, whatever it is called."""

from typing import Any

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.package_file import packages_from_text
from cluster.config.schema import allowed_by
from packages.core.allowed import (
    Allowed, Programs, against_devices, against_programs, host_devices, images_of, is_below,
    is_device, is_image, may_be_started
)
from packages.core.discretion import UNTOLD, told_to
from packages.core.model import FenceSpec, KernelSpec, MonitorSpec, PackageSpec, VmSpec
from packages.core.problem import problem

OWN = Programs(folders=("/etc/vmsg/programs", "/opt/ha/"), commands=(
    ("/usr/bin/ssh", "root@san1"), ("/usr/bin/env", "TGT_IPC_SOCKET=*")))


@pytest.mark.parametrize("words", [
    ("/etc/vmsg/programs/check",), ("/etc/vmsg/programs/a/b", "any", "words"), ("/opt/ha/x",),
    ("/usr/bin/ssh", "root@san1"), ("/usr/bin/env", "TGT_IPC_SOCKET=/run/tgt"),
])
def test_what_is_named_may_be_started(words: tuple[str, ...]) -> None:
    assert may_be_started(OWN, words)


@pytest.mark.parametrize("words", [
    ("/bin/sh", "-c", "id"), ("/etc/vmsg/programs",), ("/etc/vmsg/programs2/check",),
    ("/etc/vmsg/programs/../../../bin/sh", "-c", "id"), ("/etc/vmsg/programs/./x",),
    ("/etc/vmsg/programs//x",), ("//etc/vmsg/programs/x",), ("/etc/vmsg/programs/x/",),
    ("/usr/bin/ssh",), ("/usr/bin/ssh", "root@san1", "id"), ("/usr/bin/ssh", "root@san12"),
    ("/usr/bin/ssh", "-oProxyCommand=id", "root@san1"), ("/usr/bin/env", "LD_PRELOAD=/x"),
    ("/usr/bin/env", "TGT_IPC_SOCKET=/run/tgt", "id"), ("etc/vmsg/programs/x",),
    ("ssh", "root@san1"),
])
def test_what_is_not_named_may_not(words: tuple[str, ...]) -> None:
    assert not may_be_started(OWN, words)


def test_no_folder_holds_what_is_beside_it() -> None:
    assert is_below("/a/b", ("/a",)) and not is_below("/ab/c", ("/a",))
    assert not is_below("/a", ("/a",)) and not is_below("/a/../b", ("/a",))


def spec(devices: tuple[str, ...] = (), **fields: Any) -> PackageSpec:
    return PackageSpec(
        name="web", nodes=("n1",), vm=VmSpec(memory_mib=64, disks=(), devices=devices), **fields)


@pytest.mark.parametrize("named", [
    {"monitors": (MonitorSpec(name="m", kind="program", argv=("/bin/sh", "-c", "id")),)},
    {"fence": FenceSpec(kind="target_access", command=("/bin/sh", "-c", "id", "x"))},
])
def test_every_program_of_a_package_is_asked_about(named: dict[str, object]) -> None:
    """The cluster file need not say anything for it: there are folders that are made for this."""
    for allowed in (Allowed(), Allowed(programs=OWN), Allowed(programs=Programs(folders=()))):
        [refused] = against_programs(spec(**named), allowed)
        assert refused.code == "program-not-allowed" and refused.severity == "refuse"
        assert "/bin/sh" in refused.what and "programs:" in refused.fix
    assert against_programs(spec(**named), Allowed(programs=Programs(commands=(
        ("/bin/sh", "-c", "id*"), ("/bin/sh", "-c", "id", "x"))))) == []


TAKEN = ("cdrom:/dev/sr0", "cdrom:/dev/cdrom", "cdrom:/srv/vmsg/debian.iso", "usb:1d6b:0002",
         "pci:0000:03:00.0", "virtio-rng-pci", "virtio-balloon-pci", "i6300esb")
NOT_TAKEN = (
    "loader,file=/etc/shadow,addr=0x2000000,force-raw=on",
    '{"driver":"loader","file":"/etc/shadow"}',
    "virtio-net-pci,romfile=/etc/shadow", "virtio-rng-pci,rombar=1", "vfio-pci,host=0000:03:00.0",
    "usb-host,hostbus=1", "usb:1:2,hostbus=1", "usb:1d6b:0002,hostbus=1", "usb:1d6b",
    "usb:1d6b:00g2",
    "pci:0000:03:00.0,rombar=0", "pci:03:00.0", "pci:/sys/x", "cdrom:/dev/loop3", "cdrom:/dev/vda",
    "cdrom:/dev/disk/by-id/x", "cdrom:/dev/../etc/shadow", "cdrom:/srv/../dev/vda", "cdrom:sr0",
    "cdrom:", "cdrom", "cdrom:/dev/sr0x", "cdrom:/dev/sr0/../vda", "cdrom:/dev/mapper/x",
    "cdrom:iscsi://h/x/1", "cdrom:http://x/y", "-incoming", "isa-debugcon",
    "usb-storage,drive=disk0",
    "virtio-rng-pci\n", "ivshmem-plain", "", "pci:0000:03:00.0\n", "CDROM:/dev/sr0",
)


def test_devices_are_a_closed_list() -> None:
    assert [each for each in TAKEN if not is_device(each)] == []
    assert [each for each in NOT_TAKEN if is_device(each)] == []


@pytest.mark.parametrize("device", [each for each in NOT_TAKEN if each])
def test_a_device_that_is_none_is_not_read_and_not_used(device: str) -> None:
    quoted = device.replace("'", "''").replace("\n", "\\n")
    word = f'"{quoted}"' if "\n" in device else f"'{quoted}'"
    found, problems = packages_from_text(
        "name: web\nnodes: [n1]\n"
        f"vm: {{memory_mib: 64, disks: [{{path: /dev/a}}], devices: [{word}]}}")
    assert not found and problems, device
    assert [each.code for each in against_devices(spec(devices=(device,)), Allowed())] == [
        "device-not-allowed"], "an older record may have it"


def test_an_image_for_the_drive_is_in_a_folder_of_images() -> None:
    image = spec(devices=("cdrom:/home/ann/x.iso",))
    assert [each.code for each in against_devices(image, Allowed())] == ["device-not-allowed"]
    assert against_devices(image, Allowed(images=("/home/ann",))) == []
    assert against_devices(spec(devices=("cdrom:/dev/sr0",)), Allowed(images=())) == []


def test_images_have_folders_of_their_own() -> None:
    assert is_image(Allowed(), "/srv/vmsg/vmlinuz") and not is_image(Allowed(), "/etc/shadow")
    assert not is_image(Allowed(images=()), "/srv/vmsg/vmlinuz")
    assert is_image(Allowed(images=("/boot",)), "/boot/vmlinuz")
    assert not is_image(Allowed(images=("/boot",)), "/boot/../etc/shadow")


def test_what_a_host_loses_to_a_guest_is_known() -> None:
    assert host_devices(spec(devices=TAKEN).vm) == ("usb:1d6b:0002", "pci:0000:03:00.0")


CLUSTER = "name: c\nnodes: [{name: n1, address: 10.0.0.1}]\n"


@pytest.mark.parametrize("text", [
    "programs: {folders: [etc]}", "programs: {folders: [/]}", "programs: {folders: [/etc/../bin]}",
    "programs: {folders: [/etc/]}", "programs: {folders: [/a//b]}",
    "programs: {commands: [[ssh, x]]}",
    "programs: {commands: [['*']]}", "programs: {commands: [['/usr/bin/*']]}",
    "programs: {commands: [[]]}", "programs: {commands: [/usr/bin/ssh]}", "programs: [/etc]",
    "images: [srv]", "images: [/]", "images: [/srv/.]",
])
def test_a_cluster_file_allows_nothing_by_mistake(text: str) -> None:
    config, problems = cluster_from_text(CLUSTER + text)
    assert config is None and problems


def test_a_cluster_file_says_what_is_allowed() -> None:
    config, problems = cluster_from_text(CLUSTER + """\
programs:
  folders: [/etc/vmsg/programs]
  commands:
    - [/usr/bin/ssh, root@san1]
images: [/srv/vmsg, /boot]
""")
    assert config is not None and not problems
    assert allowed_by(config) == Allowed(
        images=("/srv/vmsg", "/boot"), programs=Programs(
            folders=("/etc/vmsg/programs",), commands=(("/usr/bin/ssh", "root@san1"),)))
    plain, _ = cluster_from_text(CLUSTER)
    assert plain is not None and allowed_by(plain) == Allowed()


def test_whoever_may_only_look_is_told_nothing_of_processes_and_luns() -> None:
    told = [problem(code, "package:web", what="w", because="opened by process 7, naa.6001", fix="f")
            for code in ("disk-in-use", "memory-short")]
    assert told_to(told, may_change=True) == told
    said = [each.because for each in told_to(told, may_change=False)]
    assert said == [UNTOLD, told[1].because]


def test_a_kernel_is_an_image() -> None:
    vm = VmSpec(memory_mib=1, disks=(), kernel=KernelSpec(image="/k", initrd="/i"),
                devices=("cdrom:/c.iso", "cdrom:/dev/sr0"))
    assert [path for path, _ in images_of(vm)] == ["/k", "/i", "/c.iso"]
