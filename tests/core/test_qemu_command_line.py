"""QEMU's arguments, made purely from a package's description."""

from typing import Any

import pytest

from packages.core.model import DiskSpec, KernelSpec, NetworkSpec, PackageSpec, VmSpec
from packages.vm.qemu.command_line import Launch, command_line
from packages.vm.qemu.trial import Part
from packages.vm.qemu.trial import arguments as of_trial


def arguments(*, incoming: bool = False, taps: int = 0, **vm: Any) -> list[str]:
    vm = {"memory_mib": 64, "disks": (DiskSpec(path="/dev/a"),)} | vm
    spec = PackageSpec(name="web", nodes=("a", "b"), vm=VmSpec(**vm))
    names = tuple(f"vt{index}" for index in range(taps))
    launch = Launch(
        epoch=7, boot_id="ab", machine="pc-q35-7.2", accel="tcg", folder="/run/x/web",
        taps=names, incoming=incoming,
    )
    return command_line(spec, launch)


def values(argv: list[str], option: str) -> list[str]:
    return [value for name, value in zip(argv, argv[1:], strict=False) if name == option]


def test_a_guest_is_always_made_stopped() -> None:
    assert "-S" in arguments() and "-S" in arguments(incoming=True)


def test_emulated_memory_is_no_whole_number_of_256_kib() -> None:
    (size,) = values(arguments(memory_mib=128), "-m")
    assert size.endswith("K") and int(size[:-1]) > 128 * 1024 and int(size[:-1]) % 256


def test_only_a_target_waits_for_a_migration() -> None:
    assert values(arguments(incoming=True), "-incoming") == ["defer"]
    assert "-incoming" not in arguments()


def test_source_and_target_have_the_same_devices_in_the_same_order() -> None:
    network = NetworkSpec(vswitch="vs0", mac="52:54:00:00:00:01")
    source = arguments(networks=(network,), taps=1)
    target = arguments(networks=(network,), taps=1, incoming=True)
    assert values(source, "-device") == values(target, "-device")
    assert values(source, "-uuid") == values(target, "-uuid")


def test_the_name_tells_package_epoch_and_life() -> None:
    assert values(arguments(), "-name") == ["vmsg:web:7:ab"]


def test_a_lun_that_qemu_opens_itself_is_opened_under_the_owners_name() -> None:
    spec = PackageSpec(name="web", nodes=("a",), vm=VmSpec(memory_mib=64, disks=(
        DiskSpec(path="iscsi://10.0.0.9/iqn.2026-01.lab:web/1"),)))
    (disk,) = values(command_line(spec, Launch(
        epoch=7, boot_id="ab", machine="pc-q35-7.2", accel="tcg", folder="/run/x/web", taps=(),
        incoming=False, initiator="iqn.2026-01.vmsg:a.7")), "-blockdev")
    assert disk == (
        "node-name=disk0,driver=raw,file.driver=iscsi,file.transport=tcp,"
        "file.portal=10.0.0.9:3260,file.target=iqn.2026-01.lab:web,file.lun=1,"
        "file.initiator-name=iqn.2026-01.vmsg:a.7,cache.direct=on,file.cache.direct=on")


def test_disks_bypass_the_hosts_cache_and_stop_the_guest_on_errors() -> None:
    argv = arguments(disks=(DiskSpec(path="/dev/a"), DiskSpec(path="/dev/b", locking="off")))
    nodes = values(argv, "-blockdev")
    assert all("cache.direct=on" in node and "driver=host_device" in node for node in nodes)
    assert ["file.locking=auto" in node for node in nodes] == [True, False]
    disks = [each for each in values(argv, "-device") if "drive=" in each]
    assert all("werror=stop,rerror=stop" in each for each in disks)
    assert [each.rpartition(",")[2] for each in disks] == ["bootindex=1", "bootindex=2"]


def test_a_comma_in_a_path_stays_part_of_the_path() -> None:
    node = values(arguments(disks=(DiskSpec(path="/dev/a,b"),)), "-blockdev")[0]
    assert "file.filename=/dev/a,,b," in node


@pytest.mark.parametrize(("bus", "device"), [
    ("virtio-blk", "virtio-blk-pci,"), ("virtio-scsi", "scsi-hd,bus=virtioscsi.0,lun=1,"),
    ("scsi", "scsi-hd,bus=lsi.0,scsi-id=1,"), ("sata", "ide-hd,bus=sata.1,"),
    ("ide", "ide-hd,bus=ide.1,"), ("floppy", "floppy,unit=1,"),
])
def test_each_bus_has_one_controller_and_a_place_for_each_disk(bus: Any, device: str) -> None:
    argv = arguments(disks=(DiskSpec(path="/dev/a", bus=bus), DiskSpec(path="/dev/b", bus=bus)))
    devices = values(argv, "-device")
    assert len(devices) == len(set(devices))
    assert sum(each.startswith(device) for each in devices) >= 1


def test_the_chipset_of_pc_has_two_disks_on_a_bus() -> None:
    disks = tuple(DiskSpec(path=f"/dev/{name}", bus="ide") for name in "abc")
    placed = [each for each in values(arguments(disks=disks, machine="pc"), "-device")
              if each.startswith("ide-hd")]
    assert [each.split(",drive")[0] for each in placed] == [
        "ide-hd,bus=ide.0,unit=0", "ide-hd,bus=ide.0,unit=1", "ide-hd,bus=ide.1,unit=0"]


def test_cards_have_no_boot_rom() -> None:
    network = NetworkSpec(vswitch="vs0", mac="52:54:00:00:00:01")
    card = next(each for each in values(arguments(networks=(network,), taps=1), "-device")
                if each.startswith("virtio-net"))
    assert card.endswith("mac=52:54:00:00:00:01,romfile=")


def test_a_kernel_brings_its_initrd_and_words() -> None:
    argv = arguments(kernel=KernelSpec(image="/k", initrd="/i", append="quiet"))
    assert [values(argv, option) for option in ("-kernel", "-initrd", "-append")] == [
        ["/k"], ["/i"], ["quiet"]]


def test_a_hypervisor_starts_nothing_and_becomes_nobody() -> None:
    """Neither a guest's nor one that is only asked what it would take."""
    for argv in (arguments(), arguments(incoming=True), of_trial(Part(machine="q35", accel="tcg"))):
        (sandbox,) = values(argv, "-sandbox")
        switch, *denied = sandbox.split(",")
        assert switch == "on" and set(denied) == {
            "obsolete=deny", "elevateprivileges=deny", "spawn=deny", "resourcecontrol=deny"}


def test_one_that_becomes_another_account_may_do_that_and_no_more() -> None:
    spec = PackageSpec(name="web", nodes=("a",), vm=VmSpec(memory_mib=64, disks=()))
    argv = command_line(spec, Launch(
        epoch=7, boot_id="ab", machine="pc", accel="tcg", folder="/run/x/web", taps=(),
        incoming=False, becomes=("-runas", "64123:64124")))
    assert values(argv, "-runas") == ["64123:64124"]
    (sandbox,) = values(argv, "-sandbox")
    assert set(sandbox.split(",")) == {
        "on", "obsolete=deny", "elevateprivileges=allow", "spawn=deny", "resourcecontrol=deny"}


@pytest.mark.parametrize("device", [
    "loader,file=/etc/shadow,addr=0x2000000,force-raw=on", '{"driver":"loader"}', "vfio-pci,host=x",
    "usb:1:2,hostbus=1", "pci:0000:03:00.0,rombar=0", "cdrom:sr0", "virtio-rng-pci,x=y",
])
def test_what_is_no_device_of_ours_reaches_no_argument(device: str) -> None:
    """An older record may have it; the guest is refused before that (packages/vetting.py)."""
    assert arguments(devices=(device,)) == arguments()


def test_a_cd_is_a_drive_or_an_image() -> None:
    nodes = values(arguments(devices=("cdrom:/dev/sr0", "cdrom:/srv/vmsg/a,b.iso")), "-blockdev")
    assert nodes[-2:] == [
        "node-name=cd0,driver=raw,read-only=on,file.driver=host_cdrom,file.filename=/dev/sr0",
        "node-name=cd1,driver=raw,read-only=on,file.driver=file,"
        "file.filename=/srv/vmsg/a,,b.iso"]


def test_host_devices_are_attached() -> None:
    devices = values(arguments(devices=("usb:1d6b:0002", "pci:0000:03:00.0")), "-device")
    assert "usb-host,bus=xhci0.0,vendorid=0x1d6b,productid=0x0002" in devices
    assert "vfio-pci,host=0000:03:00.0" in devices
