"""Two worlds for the driver's contract: real QEMU with the test guest, and the fake fabric.

The real one has its own network namespace, in which the test's thread lives as long as the world:
so do the processes it starts, and its connections reach the guest. Both nodes share the one loop
device and the one bridge, as two hosts share a LUN and a LAN.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from cluster.clock import HostClock
from cluster.lab import guest_image
from cluster.lab.disk_log import LogReport, check
from packages.core.allowed import Accounts, Allowed
from packages.core.model import DiskSpec, NetworkSpec, PackageSpec, VmSpec
from packages.core.problem import Problem
from packages.core.values import changed
from packages.vetting import Vetting
from packages.vm.driver import Driver, Guest, GuestEvent, Observation
from packages.vm.fake import FakeDriver, FakeFabric
from packages.vm.processes import find
from packages.vm.qemu.driver import QemuDriver

DEADLINE_S = 20.0
LIFE = "00000000000000aa"
DISK_BYTES = 16 << 20
SLOW_BYTES_S = 50_000
"""At this pace the copy of either world's guest takes so long that a test can act within it."""

CLONE_NEWNET = 0x40000000
GUEST_MAC = "52:54:0a:42:00:65"
GUEST_ADDRESS = "10.66.0.101"


class World(Protocol):
    spec: PackageSpec

    def driver(self, node: str) -> Driver:
        """Of that node; a new one after `restart`."""

    async def restart(self, node: str) -> Driver:
        """As a daemon that comes back."""

    async def booted(self, guest: Guest) -> None:
        """Returns when the guest's own program runs."""

    async def deafen(self, guest: Guest) -> None:
        """Make the guest one that does not hear the power button."""

    async def orphan(self, node: str, guest: Guest) -> None:
        """As after an order whose outcome was lost: it runs, and nobody holds or records it."""

    def is_alive(self, node: str, guest: Guest) -> bool: ...
    async def power_off(self, node: str, guest: Guest) -> None: ...
    async def panic(self, node: str, guest: Guest) -> None: ...

    async def pause(self, node: str, guest: Guest) -> None:
        """As a debugger or an administrator does, through a monitor of his own."""

    def kill(self, node: str, guest: Guest) -> None: ...

    async def kill_and_wait(self, node: str, guest: Guest) -> None:
        """Until it is gone: the kernel takes its time for a process of this size."""

    def freeze(self, node: str, guest: Guest) -> None: ...
    def thaw(self, node: str, guest: Guest) -> None: ...

    def disk_report(self) -> LogReport | None:
        """What the guest's log proves; None where there is no disk."""

    def grow_disk(self, size_bytes: int) -> None:
        """On the storage, as every node sees it."""

    async def disk_bytes(self, node: str, guest: Guest) -> int | None:
        """What the guest takes its first disk for; None where it was never told."""

    async def close(self) -> None: ...


class Events:
    """What one guest told, for waiting on."""

    def __init__(self, driver: Driver, guest: Guest) -> None:
        self.kinds: list[str] = []
        self._news = asyncio.Event()
        self.stop = driver.listen(guest, self._heard)

    def _heard(self, event: GuestEvent) -> None:
        self.kinds.append(event.kind)
        self._news.set()

    async def until(self, kind: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while kind not in self.kinds:
                self._news.clear()
                await self._news.wait()


async def until_state(
    driver: Driver, guest: Guest, wanted: Callable[[Observation], bool],
) -> Observation:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            seen = await driver.observe(guest, deadline_s=0.5)
            if wanted(seen):
                return seen
            await asyncio.sleep(0.01)


async def until_true(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await question():
            await asyncio.sleep(0.05)


async def started(world: World, node: str = "alpha") -> Guest:
    guest = await world.driver(node).start(
        world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S,
    )
    assert isinstance(guest, Guest), guest
    await world.booted(guest)
    return guest


async def received(world: World, source: Guest) -> tuple[Guest, str]:
    made = await world.driver("beta").receive(
        world.spec, epoch=source.epoch + 1, boot_id=LIFE, machine=source.machine,
        deadline_s=DEADLINE_S,
    )
    assert not isinstance(made, Problem), made
    return made


def is_code(answer: object, code: str) -> bool:
    return isinstance(answer, Problem) and answer.code == code


async def gone(driver: Driver, guest: Guest) -> Observation:
    return await until_state(driver, guest, lambda seen: seen.state == "gone")


def assert_clean(world: World) -> None:
    report = world.disk_report()
    assert report is None or (report.lives and report.is_clean), report


class FakeWorld:
    def __init__(self, folder: Path) -> None:
        self.fabric = FakeFabric()
        disk = DiskSpec(path="/dev/fake")
        self.spec = _spec(disk)
        self.fabric.missing_disks.add("/dev/missing")
        self._drivers: dict[str, FakeDriver] = {}

    def driver(self, node: str) -> Driver:
        if node not in self._drivers:
            self._drivers[node] = FakeDriver(node, self.fabric, HostClock())
        return self._drivers[node]

    async def restart(self, node: str) -> Driver:
        await self._drivers.pop(node).close()
        return self.driver(node)

    async def booted(self, guest: Guest) -> None:
        return None

    async def deafen(self, guest: Guest) -> None:
        for there in self.fabric.nodes.values():
            there[guest.package].hears_power_button = False

    async def orphan(self, node: str, guest: Guest) -> None:
        self.fabric.orphan(node, guest.package)

    def is_alive(self, node: str, guest: Guest) -> bool:
        there = [*self.fabric.remains[node], *self.fabric.nodes[node].values()]
        return any(each.guest.pid == guest.pid and each.exit is None for each in there)

    async def power_off(self, node: str, guest: Guest) -> None:
        self.fabric.power_off(node, guest.package)

    async def panic(self, node: str, guest: Guest) -> None:
        self.fabric.break_guest(node, guest.package, "panicked")

    async def pause(self, node: str, guest: Guest) -> None:
        self.fabric.break_guest(node, guest.package, "paused")

    def kill(self, node: str, guest: Guest) -> None:
        self.fabric.kill(node, guest.package)

    async def kill_and_wait(self, node: str, guest: Guest) -> None:
        self.kill(node, guest)

    def freeze(self, node: str, guest: Guest) -> None:
        self.fabric.freeze(node, guest.package)

    def thaw(self, node: str, guest: Guest) -> None:
        self.fabric.thaw(node, guest.package)

    def disk_report(self) -> LogReport | None:
        return None

    def grow_disk(self, size_bytes: int) -> None:
        return None

    async def disk_bytes(self, node: str, guest: Guest) -> int | None:
        return self.fabric.nodes[node][guest.package].disk_bytes.get(0)

    async def close(self) -> None:
        for driver in self._drivers.values():
            await driver.close()


AS_GUESTS = Vetting(Allowed(accounts=Accounts(guests="64123:64124")))


class QemuWorld:
    """Its guests are nobody's on this machine; so its run folders lie where others may pass, which
    a test's own folder does not let them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = Path(tempfile.mkdtemp(prefix="vmsg-driver-", dir="/run"))
        self.runs.chmod(0o711)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _check(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET))
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "vs0", "type", "bridge", "stp_state", "0", "forward_delay", "0",
            "mcast_snooping", "0")
        run("ip", "addr", "add", "10.66.0.1/24", "dev", "vs0")
        run("ip", "link", "set", "vs0", "up")
        self.device = make_disk(folder)
        self.spec = _spec(DiskSpec(path=str(self.device)))
        self._drivers: dict[str, QemuDriver] = {}

    def driver(self, node: str) -> QemuDriver:
        if node not in self._drivers:
            self._drivers[node] = QemuDriver(self.runs / node, HostClock(), vetting=AS_GUESTS)
        return self._drivers[node]

    async def restart(self, node: str) -> QemuDriver:
        await self._drivers.pop(node).close()
        return self.driver(node)

    async def booted(self, guest: Guest) -> None:
        async def answers() -> bool:
            return bool(await self.ask("/"))

        await until_true(answers)

    async def ask(self, path: str) -> str:
        """The guest's page, or nothing while nobody answers."""
        try:
            async with asyncio.timeout(1.5):
                reader, writer = await asyncio.open_connection(GUEST_ADDRESS, 80)
                writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                said = await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            return ""
        return said.decode()

    async def deafen(self, guest: Guest) -> None:
        await self.ask("/x")
        await until_true(self._is_silent)

    async def _is_silent(self) -> bool:
        return not await self.ask("/")

    async def orphan(self, node: str, guest: Guest) -> None:
        lives = self.driver(node)._lives
        await lives._instances.pop(guest.package).close()
        lives.folder(guest.package).clear_record()

    def is_alive(self, node: str, guest: Guest) -> bool:
        process = find(guest.pid, guest.start_ticks)
        if process is not None:
            process.close()
        return process is not None

    async def power_off(self, node: str, guest: Guest) -> None:
        await self.ask("/p")

    async def panic(self, node: str, guest: Guest) -> None:
        await self.ask("/P")

    async def pause(self, node: str, guest: Guest) -> None:
        instance = self.driver(node)._lives.of(guest)
        assert instance is not None
        await instance.monitor.ask("stop")

    def kill(self, node: str, guest: Guest) -> None:
        os.kill(guest.pid, signal.SIGKILL)

    async def kill_and_wait(self, node: str, guest: Guest) -> None:
        process = find(guest.pid, guest.start_ticks)
        assert process is not None
        assert await process.kill(deadline_s=DEADLINE_S)
        process.close()

    def freeze(self, node: str, guest: Guest) -> None:
        os.kill(guest.pid, signal.SIGSTOP)

    def thaw(self, node: str, guest: Guest) -> None:
        os.kill(guest.pid, signal.SIGCONT)

    def disk_report(self) -> LogReport | None:
        return check(guest_image.read_records(self.device))

    def grow_disk(self, size_bytes: int) -> None:
        os.truncate(self.folder / "lun", size_bytes)
        run("losetup", "--set-capacity", str(self.device))

    async def disk_bytes(self, node: str, guest: Guest) -> int | None:
        instance = self.driver(node)._lives.of(guest)
        assert instance is not None
        (disk,) = [each for each in await instance.monitor.ask("query-block")
                   if each["qdev"].endswith("device0/virtio-backend")]
        size: int = disk["inserted"]["image"]["virtual-size"]
        return size

    async def close(self) -> None:
        for driver in self._drivers.values():
            for guest in await driver.adopt():
                await driver.destroy(guest)
            await driver.close()
        shutil.rmtree(self.runs)
        run("losetup", "--detach", str(self.device))
        library = ctypes.CDLL(None, use_errno=True)
        _check(library.setns(self._home, CLONE_NEWNET))
        os.close(self._home)


WORLDS = {"qemu": QemuWorld, "fake": FakeWorld}


def make_disk(folder: Path) -> Path:
    """A loop device that boots the test guest."""
    image = guest_image.build(Path("/tmp/vmsg-guest-cache"))
    backing = folder / "lun"
    backing.touch()
    os.truncate(backing, DISK_BYTES)
    device = Path(run("losetup", "--find", "--show", str(backing)).strip())
    guest_image.write(image, device)
    return device


def run(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def with_disk(spec: PackageSpec, path: str) -> PackageSpec:
    return changed(spec, vm=changed(spec.vm, disks=(DiskSpec(path=path),)))


def _spec(disk: DiskSpec) -> PackageSpec:
    vm = VmSpec(
        memory_mib=32, disks=(disk,), accel="tcg",
        networks=(NetworkSpec(vswitch="vs0", mac=GUEST_MAC),),
    )
    return PackageSpec(name="web", nodes=("alpha", "beta"), vm=vm)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
