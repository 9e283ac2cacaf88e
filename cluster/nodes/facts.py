"""Gathers what preflight wants to know of this host.

Asking never fails: what could not be found out is left at "not there", and the rules refuse on
it. What cannot change while the program file stays the same (QEMU's machine types) is asked once.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from cluster.clock import Clock
from cluster.config.schema import ClusterConfig
from cluster.nodes.networks import own_networks, vswitches
from cluster.nodes.programs import output_of
from cluster.nodes.room import rooms_of
from cluster.nodes.shared import Shared
from packages.core.facts import DiskFacts, FileKind, NodeFacts, Wanted
from packages.core.problem import Problem
from packages.core.room import Folder, Room
from packages.core.values import Value
from packages.storage.probe import Probe
from packages.vetting import Vetting, why_foreign

# Looked at together they share one look at all processes' open files; each costs a thread.
DISKS_AT_ONCE = 64

# What programs and trials say of the host, for a flood of questions; memory and disks are looked at
# each time.
KEPT_S = 0.25
KVM_SHARE = 0.8
"""Of the time for everything that the trial of KVM may have."""
ASKED_S = 10.0

NO_FOLDERS: Mapping[Folder, Path] = {}


class Qemu(Value):
    version: str = ""
    machines: tuple[str, ...] = ()


class Host(Value):
    """What is asked once for all who ask at the same time."""

    kvm_works: bool
    qemu: Qemu
    vswitches: dict[str, str]
    vswitches_unknown: str
    networks: tuple[str, ...]
    rooms: tuple[Room, ...]


class Cpu(Value):
    vendor: str = ""
    family: int = 0
    model: int = 0
    features: tuple[str, ...] = ()


class HostFacts:
    """Facts of the host this runs on, as the node `name`; `version` is this product's.

    `kvm_works` is the hypervisor's own answer (packages/vm/qemu/accelerators.py): a device node
    proves nothing.
    """

    def __init__(
        self, *, name: str, version: str, probe: Probe, clock: Clock,
        kvm_works: Callable[[], Awaitable[bool]], qemu: str = "qemu-system-x86_64",
        proc: Path = Path("/proc"), folders: Mapping[Folder, Path] = NO_FOLDERS,
        vetting: Vetting | None = None,
    ) -> None:
        self._vetting = vetting or Vetting()
        self._name = name
        self._version = version
        self._probe = probe
        self._clock = clock
        self._qemu_program = qemu
        self._proc = proc
        self._folders = folders
        self._kvm_works = kvm_works
        self._declared: dict[str, str] = {}
        self._asked_qemu: dict[tuple[str, int], Qemu] = {}
        self._turns = asyncio.Semaphore(DISKS_AT_ONCE)
        self._host: Shared[Host] = Shared(self._asked_host, kept_s=KEPT_S)

    async def gather(
        self, config: ClusterConfig, disks: Iterable[str], *, deadline_s: float = 10.0,
    ) -> NodeFacts:
        """Facts of now, with each of these disk paths examined."""
        declared = {vswitch.name: vswitch.subnet for vswitch in config.vswitches}
        if declared != self._declared:
            self._declared, self._host = declared, Shared(self._asked_host, kept_s=KEPT_S)
        host, examined = await asyncio.gather(
            self._host.answer(deadline_s=deadline_s), self._disks(disks, deadline_s))
        cpu = cpu_of((self._proc / "cpuinfo").read_text())
        memory_mib = memory_of((self._proc / "meminfo").read_text())
        return NodeFacts(
            name=self._name, version=self._version,
            cpu_vendor=cpu.vendor, cpu_family=cpu.family, cpu_model=cpu.model,
            cpu_features=cpu.features, kvm_works=host.kvm_works,
            machines=host.qemu.machines, qemu_version=host.qemu.version,
            memory_free_mib=memory_mib.get("MemAvailable", 0),
            memory_total_mib=memory_mib.get("MemTotal", 0),
            vswitches=host.vswitches, vswitches_unknown=host.vswitches_unknown,
            networks=host.networks,
            disks=examined,
            migration_shared=self._migration_shared(config),
            taken_at_ms=self._clock.wall_ms(),
            rooms=host.rooms,
        )

    async def _asked_host(self, deadline_s: float) -> Host:
        kvm_works, qemu, switches, rooms, networks = await asyncio.gather(
            self._kvm_in_time(KVM_SHARE * deadline_s), self._qemu(deadline_s),
            vswitches(self._declared, deadline_s=deadline_s), self.rooms(),
            own_networks(deadline_s=deadline_s))
        return Host(
            kvm_works=kvm_works, qemu=qemu, rooms=rooms, networks=networks,
            vswitches={} if isinstance(switches, Problem) else switches,
            vswitches_unknown=f"{switches.what}: {switches.because}"
            if isinstance(switches, Problem) else "")

    async def _kvm_in_time(self, within_s: float) -> bool:
        """Where KVM works, the first trial since the host's boot takes a moment. Where it hangs,
        it takes seconds, and its end some more: what else there is to tell does not wait for it."""
        try:
            async with asyncio.timeout(within_s):
                return await self._kvm_works()
        except TimeoutError:
            return False

    async def hypervisor(self) -> tuple[str, tuple[str, ...]]:
        """Its version and the machine types it knows; asked again when the program is another."""
        qemu = await self._qemu(ASKED_S)
        return qemu.version, qemu.machines

    async def rooms(self) -> tuple[Room, ...]:
        """What is left in the node's folders."""
        return await asyncio.to_thread(rooms_of, self._folders)

    async def files(self, paths: Iterable[str], *, deadline_s: float) -> dict[str, FileKind]:
        """What these paths are; `other` also for what a file system did not tell in time."""
        seen = await asyncio.gather(*(
            self._probe.named(each, deadline_s=deadline_s) for each in dict.fromkeys(paths)))
        return {each.path: file_kind(each) for each in seen}

    async def not_ours(self, wanted: Wanted, *, deadline_s: float) -> dict[str, str]:
        """Of the wanted files, those that this node would not use, with the reason. What a file
        system did not tell in time is told by `files`."""
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.to_thread(self._not_ours, wanted)
        except TimeoutError:
            return {}

    def _not_ours(self, wanted: Wanted) -> dict[str, str]:
        found = {path: self._vetting.against_image(path) if path in wanted.images
                 else why_foreign(path) for path in wanted.files}
        return {path: because for path, because in found.items() if because is not None}

    async def _disks(self, paths: Iterable[str], deadline_s: float) -> tuple[DiskFacts, ...]:
        async def examined(path: str) -> DiskFacts:
            try:
                async with asyncio.timeout(deadline_s), self._turns:
                    return await self._probe.examine(path, deadline_s=deadline_s)
            except TimeoutError:
                # It waited all the time for the turn of disks that hang.
                return DiskFacts(path=path, kind="other")

        return tuple(await asyncio.gather(*(examined(path) for path in paths)))

    async def _qemu(self, deadline_s: float) -> Qemu:
        program = shutil.which(self._qemu_program)
        if program is None:
            return Qemu()
        key = (program, os.stat(program).st_mtime_ns)
        if key not in self._asked_qemu:
            version, machines = await asyncio.gather(
                output_of(program, "--version", deadline_s=deadline_s),
                output_of(program, "-machine", "help", deadline_s=deadline_s),
            )
            if isinstance(version, Problem) or isinstance(machines, Problem):
                return Qemu()
            self._asked_qemu = {
                key: Qemu(version=version_in(version), machines=machines_in(machines)),
            }
        return self._asked_qemu[key]

    def _migration_shared(self, config: ClusterConfig) -> bool:
        return any(
            node.migration_address in (None, node.address)
            for node in config.nodes if node.name == self._name
        )


def file_kind(seen: DiskFacts) -> FileKind:
    """Of a path that has just been looked at, so that asking once more does not hang."""
    if seen.kind != "file":
        return "missing" if seen.kind == "missing" else "other"
    if not os.access(seen.path, os.R_OK):
        return "other"
    return "program" if os.access(seen.path, os.X_OK) else "file"


def cpu_of(cpuinfo: str) -> Cpu:
    """The first processor of /proc/cpuinfo; hosts with different ones are not built."""
    first = cpuinfo.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    said = {key.strip(): value.strip() for key, _, value in pairs}
    return Cpu(
        vendor=said.get("vendor_id", ""),
        family=_number(said.get("cpu family", "")),
        model=_number(said.get("model", "")),
        features=tuple(sorted(said.get("flags", "").split())),
    )


def memory_of(meminfo: str) -> dict[str, int]:
    """The lines of /proc/meminfo that are in kB, in MiB."""
    found = re.findall(r"^(\w+):\s+([0-9]+) kB$", meminfo, re.MULTILINE)
    return {name: int(kib) // 1024 for name, kib in found}


def machines_in(output: str) -> tuple[str, ...]:
    """The first word of each line of `-machine help`, its heading left out."""
    lines = [line.split() for line in output.splitlines()[1:]]
    return tuple(sorted(words[0] for words in lines if words))


def version_in(output: str) -> str:
    found = re.search(r"version ([0-9][0-9.]*)", output)
    return found[1] if found else ""


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
