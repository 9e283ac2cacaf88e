"""What this host's QEMU would refuse of a virtual machine, asked of QEMU itself before it matters.

Each part of a description (machine, processor, number of processors, devices) is given to a QEMU of
its own, so that one fault hides no other. Such a process has no disk, no bridge and next to no
memory, is never let run, and ends at once. An answer is kept as long as the program file stays the
same: what QEMU takes does not change otherwise.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator

from packages.accounts import Account
from packages.core.model import DiskSpec, VmSpec
from packages.core.values import Value, changed
from packages.vm.processes import told
from packages.vm.qemu.becoming import option_to_become
from packages.vm.qemu.command_line import (
    BINARY, SANDBOX, SANDBOX_OF_ANOTHER, disk_arguments, disk_node, is_taken_over, other_devices
)

MEMORY_MIB = 64
KNOWN_MACHINE = "q35"
"""What the other parts are tried on where the machine itself is refused."""
ASK_TO_END = b'{"execute": "qmp_capabilities"}{"execute": "quit"}'
AT_ONCE = 2
KEPT = 500
ABSENT = "the program is not installed"


class Part(Value):
    """One part, and what it is tried with."""

    machine: str
    accel: str
    cpu: str = ""
    vcpus: int = 1
    vm: VmSpec | None = None
    """Its disks, network cards and further devices."""


class Trials:
    """Of one host. `refused` never raises; what gave no answer in time is not refused."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Part, tuple[str, ...]], str] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def refused(
        self, vm: VmSpec, accel: str, *, deadline_s: float, account: Account | None = None,
    ) -> tuple[str, ...]:
        """Everything that QEMU refuses, in its own words; the accelerator is one that works.
        `account`: what it becomes, as it would for a guest."""
        program = shutil.which(BINARY)
        if program is None:
            return (f"{BINARY}: {ABSENT}",)
        version = os.stat(program).st_mtime_ns
        becomes = await option_to_become(account) if account is not None else ()
        machine = Part(machine=vm.machine, accel=accel)
        words = await self._said(version, machine, deadline_s, becomes)
        base = changed(machine, machine=KNOWN_MACHINE) if words else machine
        others = await asyncio.gather(*(
            self._said(version, part, deadline_s, becomes) for part in parts(vm, base)))
        return tuple(dict.fromkeys(each for each in (words, *others) if each))

    async def _said(
        self, version: int, part: Part, deadline_s: float, becomes: tuple[str, ...],
    ) -> str:
        key = (version, part, becomes)
        if key not in self._known:
            async with self._turns:
                words = await _tried(part, deadline_s, becomes)
            if words is None:
                return ""
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = words
        return self._known[key]


def parts(vm: VmSpec, base: Part) -> Iterator[Part]:
    yield changed(base, cpu=vm.cpu)
    if vm.vcpus > 1:
        yield changed(base, vcpus=vm.vcpus)
    if vm.disks or vm.networks or other_devices(vm):
        yield changed(base, vm=bare(vm, base.machine))


def bare(vm: VmSpec, machine: str) -> VmSpec:
    """What counts of the devices, so that packages of one shape are tried once."""
    return VmSpec(
        memory_mib=MEMORY_MIB, machine=machine,
        disks=tuple(DiskSpec(path="/", bus=disk.bus) for disk in vm.disks),
        networks=tuple(
            changed(network, vswitch="-", mac=f"52:54:00:00:00:{number:02x}")
            for number, network in enumerate(vm.networks)),
        devices=tuple(each for each in vm.devices if not is_taken_over(each)))


def arguments(part: Part, becomes: tuple[str, ...] = ()) -> list[str]:
    found = [
        BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-S",
        *(SANDBOX_OF_ANOTHER if becomes else SANDBOX), *becomes, "-qmp", "stdio",
        "-machine", part.machine, "-accel", part.accel, "-m", f"{MEMORY_MIB}M",
        "-device", "pvpanic", "-smp", f"1,maxcpus={part.vcpus}",
    ]
    if part.cpu:
        found += ["-cpu", part.cpu]
    if part.vm is None:
        return found
    found += disk_arguments(part.vm, lambda index, _: (
        f"node-name={disk_node(index)},driver=null-co,size=16777216,read-zeroes=on"))
    for index, network in enumerate(part.vm.networks):
        found += ["-netdev", f"hubport,id=net{index},hubid={index}", "-device",
                  f"virtio-net-pci,netdev=net{index},id=nic{index},mac={network.mac},romfile="]
    return found + other_devices(part.vm)


async def _tried(part: Part, deadline_s: float, becomes: tuple[str, ...]) -> str | None:
    """Empty: it takes it. None: it did not come to an end."""
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments(part, becomes), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
    except OSError as failure:
        return str(failure)
    try:
        _, said = await told(process, ASK_TO_END, deadline_s=deadline_s)
    except TimeoutError:
        return None
    return _complaint(said.decode(errors="replace")) if process.returncode else ""


def _complaint(said: str) -> str:
    """Its last line that is no warning; it names itself before each."""
    lines = [line.removeprefix(f"{BINARY}: ").strip() for line in said.splitlines()]
    told = [line for line in lines if line and not line.startswith("warning:")]
    return told[0] if told else "it ended without a word"
