"""Facts of a host: read from texts as kernels and QEMU write them, and from this machine."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.clock import HostClock
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.nodes.facts import HostFacts, cpu_of, machines_in, memory_of, version_in
from cluster.nodes.networks import Address, Link, subnet_of
from cluster.nodes.programs import output_of
from packages.core.facts import DiskFacts
from packages.core.problem import Problem
from packages.storage.fake import FakeProbe

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
flags\t\t: fpu vme sse2 vmx
bugs\t\t: spectre_v1

processor\t: 1
vendor_id\t: SomebodyElse
"""

CONFIG = ClusterConfig(name="c", nodes=(
    NodeConfig(name="n1", address="10.0.0.1"),
    NodeConfig(name="n2", address="10.0.0.2", migration_address="10.9.0.2"),
))

BRIDGES_IN_A_NAMESPACE = """
import asyncio, json, subprocess
from cluster.nodes.networks import own_networks, vswitches
for line in (
    "link add vsw0 type bridge", "link set vsw0 up",
    "link add vsw1 type bridge", "addr add 10.67.0.1/24 dev vsw1", "link set vsw1 up",
    "link add vsw2 type bridge", "link add vsw3 type bridge", "link set vsw3 up",
    "link set lo up",
):
    subprocess.run(["ip", *line.split()], check=True)
declared = {"vsw0": "10.66.0.0/24", "vsw1": "10.1.0.0/24"}
print(json.dumps(asyncio.run(vswitches(declared))))
print(json.dumps(asyncio.run(own_networks())))
"""


async def kvm_works() -> bool:
    return True


def host(
    probe: FakeProbe, *, name: str = "n1", qemu: str = "qemu-system-x86_64",
) -> HostFacts:
    return HostFacts(
        name=name, version="0.1.0", probe=probe, clock=HostClock(), kvm_works=kvm_works, qemu=qemu,
    )


def test_the_first_processor_is_read() -> None:
    cpu = cpu_of(CPUINFO)
    assert (cpu.vendor, cpu.family, cpu.model) == ("GenuineIntel", 6, 85)
    assert cpu.features == ("fpu", "sse2", "vme", "vmx")


def test_a_processor_of_another_kind_is_empty() -> None:
    assert cpu_of("Processor: ARM\n").vendor == ""


def test_memory_is_in_mib() -> None:
    text = "MemTotal:        2097152 kB\nMemAvailable:    1048575 kB\nHugePages_Total:       4\n"
    assert memory_of(text) == {"MemTotal": 2048, "MemAvailable": 1023}


def test_machines_and_version_are_found() -> None:
    assert machines_in("Supported machines are:\npc  Standard PC (alias of x)\nq35  Q35\n") == (
        "pc", "q35",
    )
    assert version_in("QEMU emulator version 7.2.22 (Debian 1:7.2)") == "7.2.22"


def test_a_bridge_with_several_networks_carries_the_declared_one() -> None:
    link = Link(ifname="vsw0", addr_info=(
        Address(local="fd00::1", prefixlen=64, scope="global"),
        Address(local="10.1.0.9", prefixlen=24, scope="global"),
        Address(local="fe80::1", prefixlen=64, scope="link"),
    ))
    assert subnet_of(link, "fd00::/64") == "fd00::/64"
    assert subnet_of(link, "10.2.0.0/24") == "10.1.0.0/24"


@pytest.mark.live
async def test_this_host_tells_everything() -> None:
    probe = FakeProbe()
    disk = DiskFacts(path="/dev/a", kind="whole", identity="naa.6")
    probe.place(disk)
    facts = await host(probe).gather(CONFIG, ["/dev/a", "/dev/b"])
    assert {"q35", "pc-q35-7.2"} <= set(facts.machines)
    assert re.match(r"\d+\.\d+\.\d+", facts.qemu_version)
    assert facts.memory_total_mib >= facts.memory_free_mib > 0
    assert "sse2" in facts.cpu_features
    assert facts.disks == (disk, DiskFacts(path="/dev/b", kind="missing"))
    assert facts.kvm_works
    assert facts.migration_shared
    assert facts.taken_at_ms > 0


@pytest.mark.live
async def test_a_trial_of_kvm_that_hangs_does_not_keep_the_rest_from_being_told() -> None:
    """Where every guest under it hangs, as on some hosts that are guests themselves."""
    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    asked = HostFacts(
        name="n1", version="0.1.0", probe=FakeProbe(), clock=HostClock(), kvm_works=hangs)
    facts = await asyncio.wait_for(asked.gather(CONFIG, [], deadline_s=2.0), 30.0)
    assert not facts.kvm_works and "q35" in facts.machines


@pytest.mark.live
async def test_a_dead_disk_does_not_hide_the_others() -> None:
    probe = FakeProbe()
    paths = [f"/dev/d{number}" for number in range(6)]
    for path in paths:
        probe.place(DiskFacts(path=path, kind="whole", identity=path))
    probe.hang(paths[0])
    facts = await host(probe).gather(CONFIG, paths, deadline_s=0.5)
    assert [disk.kind for disk in facts.disks] == ["other", *["whole"] * 5]


@pytest.mark.live
async def test_a_migration_address_of_its_own_is_not_shared() -> None:
    facts = await host(FakeProbe(), name="n2").gather(CONFIG, [])
    assert not facts.migration_shared


@pytest.mark.live
async def test_bridges_that_nobody_could_look_for_are_not_said_to_be_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not (await host(FakeProbe()).gather(CONFIG, [])).vswitches_unknown
    monkeypatch.setenv("PATH", str(tmp_path))  # as without a descriptor: `ip` does not start
    found = await host(FakeProbe()).gather(CONFIG, [])
    assert found.vswitches == {} and "gave no answer" in found.vswitches_unknown


@pytest.mark.live
async def test_a_host_without_qemu_still_answers() -> None:
    facts = await host(FakeProbe(), qemu="no-such-qemu").gather(CONFIG, [])
    assert (facts.machines, facts.qemu_version) == ((), "")


@pytest.mark.live
def test_bridges_of_a_namespace_carry_their_own_or_the_declared_subnet() -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", BRIDGES_IN_A_NAMESPACE],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    bridges, networks = map(json.loads, done.stdout.splitlines())
    assert networks == ["10.67.0.0/24"]
    assert bridges == {
        "vsw0": "10.66.0.0/24", "vsw1": "10.67.0.0/24", "vsw3": "",
    }


async def test_a_program_that_hangs_is_ended() -> None:
    answer = await output_of("sleep", "600", deadline_s=0.1)
    assert isinstance(answer, Problem)
    assert answer.code == "program-failed"


@pytest.mark.parametrize("command", [("false",), ("/no/such/program",)])
async def test_a_program_that_fails_is_a_problem(command: tuple[str, ...]) -> None:
    answer = await output_of(*command, deadline_s=5)
    assert isinstance(answer, Problem)


async def test_many_who_ask_at_once_start_each_program_once(tmp_path: Path) -> None:
    log, program = tmp_path / "log", tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\necho $1 >> {log}\nsleep 0.2\necho QEMU version 7.2.0\n")
    program.chmod(0o755)
    asked = host(FakeProbe(), qemu=str(program))
    found = await asyncio.gather(*(asked.gather(CONFIG, ()) for _ in range(40)))
    assert {each.qemu_version for each in found} == {"7.2.0"}
    assert sorted(log.read_text().split()) == ["--version", "-machine"]
