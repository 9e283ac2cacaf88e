"""Each rule of preflight once refused and once passed, and the whole of it: order and silence."""

from typing import Any

import pytest

from packages.core.cpu_models import features_of_model
from packages.core.disks import compared_luns
from packages.core.facts import DiskFacts, NodeFacts
from packages.core.known_disks import KnownDisk
from packages.core.model import DiskSpec, KernelSpec, MonitorSpec, NetworkSpec, PackageSpec, VmSpec
from packages.core.preflight import (
    Placement, PreflightInput, RunningGuest, apply_rules, host_rules, preflight, start_rules
)
from packages.core.problem import refusals
from packages.core.problem_catalogue import CATALOGUE
from packages.core.room import GUEST_BYTES, GUEST_FILES, Room
from packages.core.values import changed

LUN = DiskFacts(
    path="/dev/a", kind="whole", identity="naa.6001", size_bytes=1 << 30, sector_bytes=512,
)
SPEC = PackageSpec(
    name="web", nodes=("n1", "n2"),
    vm=VmSpec(
        memory_mib=1024, cpu="Haswell", disks=(DiskSpec(path="/dev/a"),),
        networks=(
            NetworkSpec(vswitch="vsw0", mac="52:54:00:00:00:01"),
            NetworkSpec(vswitch="vsw0", mac="52:54:00:00:00:02"),
        ),
    ),
)
SOURCE = NodeFacts(
    name="n1", version="1.4.0", cpu_vendor="GenuineIntel", cpu_family=6,
    cpu_features=("avx2", "avx512f", "fpu", "sse2"), kvm_works=True,
    machines=("pc-q35-7.2", "q35"), memory_free_mib=100, vswitches={"vsw0": "10.66.0.0/24"},
    disks=(changed(LUN, opened_by=(77,)),),
)
RUN = Room(
    folder="run", path="/run/vmsg", free_bytes=GUEST_BYTES, total_bytes=1 << 30,
    free_files=GUEST_FILES, total_files=1000)
TARGET = changed(SOURCE, name="n2", memory_free_mib=8000, disks=(LUN,))
GUEST = RunningGuest(node="n1", accel="kvm", machine="pc-q35-7.2", pid=77)
GOOD = PreflightInput(
    spec=SPEC, target="n2", target_facts=TARGET, source_facts=SOURCE, running=GUEST,
    vswitches={"vsw0": "10.66.0.0/24"},
)


def target(**fields: Any) -> PreflightInput:
    return changed(GOOD, target_facts=changed(TARGET, **fields))


def source(**fields: Any) -> PreflightInput:
    return changed(GOOD, source_facts=changed(SOURCE, **fields))


def asking(host: str, *networks: str) -> PreflightInput:
    """A monitor that asks there, and a target with addresses in these networks."""
    monitor = MonitorSpec(name="ssh", kind="tcp", host=host, port=22)
    return changed(target(networks=networks), spec=changed(SPEC, monitors=(monitor,)))


def vm(**fields: Any) -> PreflightInput:
    return changed(GOOD, spec=changed(SPEC, vm=changed(SPEC.vm, **fields)))


def placed(**fields: Any) -> PreflightInput:
    return changed(GOOD, placement=Placement(**fields))


def on_target(**fields: Any) -> PreflightInput:
    return target(disks=(changed(LUN, **fields),))


UNDER_TCG = changed(GOOD, running=changed(GUEST, accel="tcg"))


def emulated(**fields: Any) -> PreflightInput:
    return changed(UNDER_TCG, target_facts=changed(TARGET, **fields))


# One row for each rule: its code, an input it alone refuses, a near miss it lets pass.
MOVES: list[tuple[str, PreflightInput, PreflightInput]] = [
    ("node-not-eligible", changed(GOOD, spec=changed(SPEC, nodes=("n1", "n3"))), GOOD),
    ("node-switching-disabled", placed(switching=False), placed(switching=True)),
    ("node-in-maintenance", placed(in_maintenance=True), GOOD),
    ("node-quarantined", placed(quarantined=True), GOOD),
    ("guardian-unreachable", placed(guarded=False), placed(guarded=True)),
    ("node-not-up", changed(placed(up=False), target_facts=None), GOOD),
    ("facts-missing", changed(GOOD, target_facts=None), GOOD),
    ("facts-missing", changed(GOOD, source_facts=None), GOOD),
    ("package-not-running", changed(GOOD, running=None, source_facts=None), GOOD),
    ("package-detached", changed(GOOD, detached_on="n1"), GOOD),
    ("package-moving", changed(GOOD, moving=True), GOOD),
    ("package-in-maintenance", changed(GOOD, in_maintenance=True), GOOD),
    ("node-version-differs", target(version="2.0.0"), target(version="1.5.9")),
    ("node-version-differs", target(version="1.6.0"), target(version="1.3.0")),
    ("accelerator-missing", target(kvm_works=False), emulated(kvm_works=False)),
    ("cpu-family-differs", target(cpu_vendor="AuthenticAMD"), target(cpu_model=99)),
    ("cpu-family-differs", target(cpu_family=15), emulated(cpu_family=15)),
    ("cpu-feature-missing", target(cpu_features=("fpu", "sse2")),
     target(cpu_features=("avx2", "fpu", "sse2"))),
    ("cpu-feature-missing", changed(vm(cpu="host"), target_facts=changed(
        TARGET, cpu_features=("avx2", "fpu", "sse2"))), emulated(cpu_features=())),
    ("machine-type-unknown", target(machines=("q35", "pc-q35-6.0")),
     target(machines=("pc-q35-7.2",), qemu_version="7.0")),
    ("vswitch-missing", target(vswitches={"vsw1": "10.66.0.0/24"}), vm(networks=())),
    ("vswitch-subnet-differs", target(vswitches={"vsw0": "10.67.0.0/24"}),
     target(vswitches={"vsw0": "10.66.0.0/24", "vsw1": "10.67.0.0/24"})),
    ("monitor-out-of-reach", asking("10.66.0.9", "10.1.0.0/24"),
     asking("10.66.0.9", "10.1.0.0/24", "10.66.0.0/24")),
    ("monitor-out-of-reach", asking("10.66.0.9", "10.1.0.0/24"), asking("10.66.0.9")),
    ("monitor-out-of-reach", asking("10.66.0.9", "10.1.0.0/24"), asking("10.7.0.9", "10.1.0.0/24")),
    ("monitor-out-of-reach", asking("10.66.0.9", "10.1.0.0/24"), asking("a.name", "10.1.0.0/24")),
    ("disk-not-paravirtual", vm(disks=(DiskSpec(path="/dev/a", bus="ide"),)),
     vm(disks=(DiskSpec(path="/dev/a", bus="virtio-scsi"),))),
    ("disk-not-whole", on_target(kind="partition"), GOOD),
    ("disk-is-logical-volume", on_target(kind="logical-volume"), GOOD),
    ("disk-is-file", on_target(kind="file"), GOOD),
    ("disk-not-visible", on_target(kind="missing"), GOOD),
    ("disk-not-visible", target(disks=()), GOOD),
    ("disk-read-only", on_target(read_only=True), GOOD),
    ("disk-identity-differs", on_target(identity="naa.6002"), GOOD),
    ("disk-in-use", on_target(mounted_at=("/mnt",)), GOOD),
    ("disk-in-use", on_target(opened_by=(77,)), GOOD),
    ("disk-in-use", source(disks=(changed(LUN, opened_by=(77, 78)),)), GOOD),
    ("device-attached", vm(devices=("cdrom",)), GOOD),
    ("memory-short", target(memory_free_mib=1087), target(memory_free_mib=1088)),
    ("memory-reserved", changed(target(memory_free_mib=1087 + 500), reserve_mib=500),
     changed(target(memory_free_mib=1088 + 500), reserve_mib=500)),
    ("room-short", target(rooms=(changed(RUN, free_bytes=GUEST_BYTES - 1),)), target(rooms=(RUN,))),
    ("room-short", target(rooms=(changed(RUN, free_files=GUEST_FILES - 1),)),
     target(rooms=(changed(RUN, free_files=0, total_files=0),))),
    ("migration-channel-insecure", changed(GOOD, transport="plain"),
     changed(GOOD, transport="plain", migration_private=True)),
    ("migration-network-shared", target(migration_shared=True), GOOD),
]


@pytest.mark.parametrize(("code", "bad", "good"), MOVES, ids=lambda case: str(case)[:30])
def test_each_rule_refuses_alone_and_lets_its_near_miss_pass(
    code: str, bad: PreflightInput, good: PreflightInput,
) -> None:
    found = preflight(bad)
    assert [each.code for each in found] == [code]
    assert found[0].what and found[0].because and found[0].fix
    assert code in CATALOGUE
    assert preflight(good) == []


def test_a_package_is_not_moved_to_where_it_is() -> None:
    there = changed(GOOD, target="n1", target_facts=changed(SOURCE, memory_free_mib=8000))
    assert [each.code for each in preflight(there)] == ["package-already-there"]


def test_everything_is_said_at_once_and_in_one_order() -> None:
    everything = changed(
        GOOD,
        spec=changed(SPEC, nodes=("n1",), vm=changed(SPEC.vm, devices=("usb",))),
        placement=Placement(switching=False, in_maintenance=True, because="drained by ann"),
        moving=True, in_maintenance=True, transport="plain",
        target_facts=changed(
            TARGET, version="0.9", kvm_works=False, cpu_family=1, cpu_features=(), machines=(),
            memory_free_mib=0, vswitches={}, migration_shared=True,
            disks=(changed(LUN, size_bytes=9, held_by=("dm-0",)),),
        ),
    )
    found = preflight(everything)
    assert found == preflight(everything)
    assert [each.code for each in found] == [
        "package-moving", "package-in-maintenance", "node-not-eligible",
        "node-switching-disabled", "node-in-maintenance", "node-version-differs",
        "accelerator-missing", "cpu-family-differs", "cpu-feature-missing",
        "machine-type-unknown", "device-attached", "memory-short", "migration-channel-insecure",
        "migration-network-shared", "vswitch-missing", "disk-identity-differs", "disk-in-use",
    ]
    assert [each.code for each in found if each not in refusals(found)] == [
        "migration-network-shared",
    ]
    assert found[3].because == "drained by ann"


STOPPED = changed(GOOD, running=None, source_facts=None)


def test_what_was_left_alone_is_not_said_to_be_down() -> None:
    assert [each.code for each in preflight(changed(STOPPED, detached_on="n1"))] == [
        "package-detached"]


@pytest.mark.parametrize(("asked", "codes"), [
    (STOPPED, []),
    (changed(STOPPED, target_facts=changed(TARGET, machines=("pc",))), ["machine-type-unknown"]),
    (changed(STOPPED, vswitches={"vsw0": "10.9.0.0/24"}), ["vswitch-subnet-differs"]),
    (changed(STOPPED, vswitches={}), []),
    (changed(STOPPED, target_facts=changed(TARGET, vswitches={}, vswitches_unknown="no reply")),
     ["facts-missing"]),
    (changed(STOPPED, target_facts=changed(
        TARGET, rooms=(changed(RUN, free_bytes=0),))), ["room-short"]),
    (changed(STOPPED, placement=Placement(up=False), target_facts=None), ["node-not-up"]),
    (changed(STOPPED, spec=changed(SPEC, vm=changed(SPEC.vm, devices=("usb",)))), []),
    (changed(STOPPED, spec=changed(SPEC, vm=changed(
        SPEC.vm, accel="kvm")), target_facts=changed(TARGET, kvm_works=False)),
     ["accelerator-missing"]),
    (changed(STOPPED, target_facts=changed(TARGET, kvm_works=False)), []),
    (changed(STOPPED, target_facts=changed(TARGET, disks=(changed(LUN, opened_by=(5,)),))),
     ["disk-in-use"]),
    (changed(STOPPED, spec=changed(SPEC, vm=changed(
        SPEC.vm, disks=(DiskSpec(path="/dev/a", wwid="naa.6002"),)))), ["disk-identity-differs"]),
], ids=lambda case: str(case) if isinstance(case, list) else "")
def test_starting_asks_what_matters_for_a_start(asked: PreflightInput, codes: list[str]) -> None:
    assert [each.code for each in start_rules(asked)] == codes


@pytest.mark.parametrize(("asked", "codes"), [
    (STOPPED, []),
    (changed(STOPPED, target_facts=None), []),
    (changed(STOPPED, target_facts=changed(TARGET, memory_free_mib=0)), []),
    (changed(STOPPED, target_facts=changed(TARGET, disks=(changed(LUN, kind="file"),))),
     ["disk-is-file"]),
    (changed(STOPPED, claimed_disks={"naa.6001": "db"}), ["disk-in-use"]),
], ids=lambda case: str(case) if isinstance(case, list) else "")
def test_applying_asks_what_matters_of_disks(asked: PreflightInput, codes: list[str]) -> None:
    assert [each.code for each in apply_rules(asked)] == codes


def test_a_running_package_may_be_applied_again() -> None:
    at_home = changed(GOOD, target="n1", target_facts=SOURCE)
    assert apply_rules(at_home) == []


@pytest.mark.parametrize(("cpu", "has", "lacks"), [
    ("Haswell", "avx2", "avx512f"),
    ("Haswell-noTSX-IBRS", "avx2", "avx512f"),
    ("Haswell-v4", "avx2", "avx512f"),
    ("EPYC-Rome-v2", "clwb", "vaes"),
    ("qemu64,+avx", "avx", "avx2"),
    ("qemu64,sse4.1=on", "sse4_1", "sse4_2"),
    ("Haswell,-avx2", "fma", "avx2"),
    ("Haswell,avx2=off", "fma", "avx2"),
])
def test_models_have_the_features_of_their_generation(cpu: str, has: str, lacks: str) -> None:
    features = features_of_model(cpu)
    assert features is not None
    assert has in features
    assert lacks not in features


@pytest.mark.parametrize("cpu", ["host", "max", "FutureLake", "host,-avx2"])
def test_an_unknown_model_has_no_list(cpu: str) -> None:
    assert features_of_model(cpu) is None


ROOMY = changed(TARGET, memory_total_mib=8000, machines=("q35",), files={
    "/boot/k": "file", "/boot/i": "file", "/bin/c": "program"})
CANDIDATE = changed(
    GOOD, running=None, source_facts=None, target_facts=ROOMY, spec=changed(
        SPEC, vm=changed(SPEC.vm, kernel=KernelSpec(image="/boot/k", initrd="/boot/i")),
        monitors=(MonitorSpec(name="c", kind="program", argv=("/bin/c", "-v")),)))


def told(**fields: Any) -> PreflightInput:
    return changed(CANDIDATE, target_facts=changed(ROOMY, **fields))


@pytest.mark.parametrize(("asked", "codes"), [
    (CANDIDATE, []),
    (told(memory_total_mib=500), ["memory-short"]),
    (told(memory_total_mib=0), []),
    (told(memory_free_mib=0), []),
    (told(machines=("pc",)), ["machine-type-unknown"]),
    (told(vswitches={}), ["vswitch-missing"]),
    (told(files={"/boot/k": "missing", "/boot/i": "other", "/bin/c": "file"}),
     3 * ["file-absent"]),
    (told(files={}), []),
    (changed(CANDIDATE, refused_by_qemu=("no such cpu", "no slot")), 2 * ["guest-not-possible"]),
])
def test_what_a_host_could_never_run_is_said_when_it_is_applied(
    asked: PreflightInput, codes: list[str],
) -> None:
    found = host_rules(asked)
    assert [each.code for each in found] == codes
    assert {each.subject for each in found} <= {"node:n2"}


@pytest.mark.parametrize(("identity", "severity"), [
    ("naa.6001", None), ("36001", None), ("naa.6002", "refuse"), ("", "warn")])
def test_two_nodes_that_see_different_luns_under_one_path_are_compared(
    identity: str, severity: str | None,
) -> None:
    other = changed(TARGET, name="n3", disks=(changed(LUN, identity=identity),))
    found = compared_luns(SPEC, [TARGET, other])
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert compared_luns(SPEC, [TARGET, changed(other, disks=())]) == []


def test_a_start_is_refused_on_another_lun() -> None:
    """And a move; both say what was recorded."""
    known = KnownDisk(path="/dev/a", identity="naa.7001", size_bytes=1 << 30, sector_bytes=512,
                      node="n1")
    asked = changed(GOOD, known_disks=(known,), running=None, source_facts=None)
    for found in (start_rules(asked), preflight(changed(GOOD, known_disks=(known,))),
                  apply_rules(asked)):
        another = [each for each in refusals(found) if each.code == "disk-is-another"]
        assert len(another) == 1 and "naa.7001" in another[0].because
    same = changed(known, identity="36001")
    assert start_rules(changed(asked, known_disks=(same,))) == []
