"""What a hypervisor is asked about a machine that is not there yet."""

from packages.core.model import DiskSpec, NetworkSpec, VmSpec
from packages.core.values import changed
from packages.vm.qemu.trial import Part, arguments, bare, parts

VM = VmSpec(
    memory_mib=1 << 20, vcpus=4, cpu="Haswell",
    disks=(DiskSpec(path="/dev/a"), DiskSpec(path="/dev/b", bus="virtio-scsi")),
    networks=(NetworkSpec(vswitch="lan0", mac="52:54:00:aa:bb:01"),),
    devices=("virtio-rng-pci", "cdrom:/dev/sr0", "usb:1d6b:0002", "pci:0000:03:00.0",
             "vfio-pci,host=0000:03:00.0", "loader,file=/dev/sda,addr=0"))
BASE = Part(machine="q35", accel="tcg")


def test_nothing_of_a_package_or_of_the_host_is_touched() -> None:
    for part in (BASE, *parts(VM, BASE)):
        words = arguments(part)
        assert "-S" in words and words[words.index("-m") + 1] == "64M"
        told = " ".join(words)
        for foreign in ("/dev/", "tap", "lan0", "52:54:00:aa", "vfio", "usb-host", "host_device"):
            assert foreign not in told, told


def test_each_part_is_asked_by_itself() -> None:
    cpu, vcpus, devices = parts(VM, BASE)
    assert "Haswell" in arguments(cpu) and "virtio-blk-pci" not in " ".join(arguments(cpu))
    assert "1,maxcpus=4" in arguments(vcpus) and "Haswell" not in arguments(vcpus)
    told = " ".join(arguments(devices))
    for device in ("virtio-blk-pci", "scsi-hd", "virtio-net-pci", "virtio-rng-pci"):
        assert device in told


def test_packages_of_one_shape_are_one_question() -> None:
    other = changed(
        VM, disks=tuple(changed(disk, path=f"{disk.path}x") for disk in VM.disks), memory_mib=5)
    assert bare(VM, "q35") == bare(other, "q35")
    assert bare(changed(VM, disks=VM.disks[:1]), "q35") != bare(VM, "q35")
