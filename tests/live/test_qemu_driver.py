"""What only real QEMU can show: a hung main loop, real taps, a real connection through a move."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.clock import HostClock
from packages.accounts import Account, account_of_process
from packages.core.allowed import Accounts, Allowed
from packages.core.model import PackageSpec, VmSpec
from packages.core.problem import Problem
from packages.core.values import changed
from packages.vetting import Vetting
from packages.vm.driver import Guest
from packages.vm.processes import command_line, find
from packages.vm.qemu import accelerators
from packages.vm.qemu.driver import QemuDriver
from packages.vm.qemu.records import GuestFolder
from packages.vm.relay_carrier import RelayCarrier
from tests.contracts.driver_worlds import (
    DEADLINE_S, GUEST_ADDRESS, Events, QemuWorld, run, until_state, until_true
)
from tests.live.certificates import make_authority, make_node

pytestmark = pytest.mark.live

TICKS_PER_SECOND = 50
LIFE = "00000000000000aa"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[QemuWorld]:
    made = QemuWorld(tmp_path)
    yield made
    await made.close()


async def started(world: QemuWorld) -> Guest:
    guest = await world.driver("alpha").start(
        world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S,
    )
    assert isinstance(guest, Guest), guest
    await world.booted(guest)
    return guest


async def received(world: QemuWorld, source: Guest) -> tuple[Guest, str]:
    made = await world.driver("beta").receive(
        world.spec, epoch=2, boot_id=LIFE, machine=source.machine, deadline_s=DEADLINE_S,
    )
    assert not isinstance(made, Problem), made
    return made


async def ticks(world: QemuWorld) -> int:
    """Of the guest's own clock; 0 while it does not answer."""
    found = re.search(r"ticks=(\d+)", await world.ask("/"))
    return int(found[1]) if found else 0


def taps() -> list[str]:
    lines = run("ip", "-o", "link", "show", "type", "tun").splitlines()
    return [line.split()[1].rstrip(":") for line in lines]


def opened_by(pid: int | str) -> dict[int, str]:
    """What a process has open, by number, as far as it is still open when asked."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found[int(entry.name)] = os.readlink(entry)
    return found


async def test_a_source_whose_main_loop_hangs_is_freed_by_the_yank(world: QemuWorld) -> None:
    """Much is left at the switch and the target takes nothing: QEMU hangs in a write, with the
    guest stopped, and only the second monitor hears."""
    alpha, beta = world.driver("alpha"), world.driver("beta")
    source = await started(world)
    await world.ask("/d40000")
    begun = await ticks(world)

    async def memory_is_full() -> bool:
        return await ticks(world) > begun + TICKS_PER_SECOND

    await until_true(memory_is_full)
    target, path = await received(world, source)
    told = Events(alpha, source)
    assert await alpha.send(
        source, socket_path=path, downtime_limit_ms=100_000, bandwidth_bytes_s=5_000_000,
    ) is None
    await told.until("pre-switchover")
    world.freeze("beta", target)
    await alpha.switch(source, deadline_s=0.3)
    await until_state(alpha, source, lambda seen: seen.state == "unanswered")
    assert isinstance(await alpha.progress(source, deadline_s=0.2), Problem)
    seen = await alpha.cancel(source, deadline_s=10.0)
    assert seen.state == "running"
    assert await beta.destroy(target) is None
    stood = await ticks(world)

    async def runs_on() -> bool:
        return await ticks(world) > stood

    await until_true(runs_on)
    report = world.disk_report()
    assert report.is_clean, report


async def test_a_guest_that_is_still_booting_is_asked_again_to_shut_down(world: QemuWorld) -> None:
    alpha = world.driver("alpha")
    guest = await alpha.start(world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)
    assert isinstance(guest, Guest), guest
    assert await alpha.halt(guest, deadline_s=DEADLINE_S) is None
    seen = await alpha.observe(guest)
    assert seen.exit is not None and seen.exit.powered_off, "it would have needed its whole time"


async def test_a_connection_lives_through_a_move_over_tls(
    world: QemuWorld, tmp_path: Path,
) -> None:
    alpha, beta = world.driver("alpha"), world.driver("beta")
    authority = make_authority(tmp_path / "authority")
    carriers = {
        name: RelayCarrier(make_node(authority, tmp_path / f"etc-{name}", name),
                           world.runs / name, "127.0.0.1", HostClock())
        for name in ("alpha", "beta")
    }
    source = await started(world)
    reader, writer = await asyncio.open_connection(GUEST_ADDRESS, 7)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    target, landing_path = await received(world, source)
    landing = await carriers["beta"].land("m", socket_path=landing_path, source="alpha")
    assert not isinstance(landing, Problem), landing
    path = await carriers["alpha"].launch("m", landing=landing, target="beta")
    assert isinstance(path, str), path
    told_source, told_target = Events(alpha, source), Events(beta, target)
    assert await alpha.send(
        source, socket_path=path, downtime_limit_ms=100, bandwidth_bytes_s=None,
    ) is None
    await told_source.until("pre-switchover")
    writer.write(b"within")
    assert await alpha.switch(source) is None
    await told_source.until("completed")
    await told_target.until("completed")
    assert await beta.resume(target) is None
    await beta.announce(target)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.readexactly(6) == b"within"
    assert await alpha.destroy(source) is None
    writer.write(b"after")
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.readexactly(5) == b"after"
    writer.close()
    for carrier in carriers.values():
        await carrier.close()
    report = world.disk_report()
    assert report.is_clean and len(report.lives) == 1, report


async def test_taps_come_and_go_with_the_guest(world: QemuWorld) -> None:
    assert taps() == []
    guest = await started(world)
    assert len(taps()) == 1
    await world.driver("alpha").destroy(guest)
    assert taps() == []


async def test_a_bridge_that_is_missing_is_said_and_nothing_is_left(world: QemuWorld) -> None:
    network = changed(world.spec.vm.networks[0], vswitch="vs9")
    spec = changed(world.spec, vm=changed(world.spec.vm, networks=(network,)))
    refusal = await world.driver("alpha").start(spec, epoch=1, boot_id=LIFE, deadline_s=5)
    assert isinstance(refusal, Problem) and refusal.code == "vswitch-unusable"
    assert taps() == []


async def test_a_disk_another_process_has_is_refused_in_qemus_words(world: QemuWorld) -> None:
    await started(world)
    refusal = await world.driver("beta").start(world.spec, epoch=1, boot_id="b", deadline_s=5)
    assert isinstance(refusal, Problem) and refusal.code == "package-start-failed"
    assert "lock" in refusal.because
    assert len(taps()) == 1


async def test_the_process_holds_nothing_of_the_daemons(world: QemuWorld) -> None:
    guest = await started(world)
    opened = opened_by(guest.pid)
    assert opened[0] == opened[1] == os.devnull
    ours = {target for target in opened_by("self").values() if "[" in target}
    assert not ours & set(opened.values()) - {"anon_inode:[eventfd]", "anon_inode:[eventpoll]"}
    assert os.getsid(guest.pid) == guest.pid


async def test_a_guest_without_a_record_is_found_by_its_command_line(world: QemuWorld) -> None:
    guest = await started(world)
    await world.driver("alpha").close()
    GuestFolder(world.runs / "alpha", "web").clear_record()
    alpha = await world.restart("alpha")
    assert await alpha.adopt() == [guest]
    assert (await alpha.observe(guest)).state == "running"


async def test_a_guest_whose_folder_was_lost_is_reached_all_the_same(world: QemuWorld) -> None:
    """Somebody has cleaned up below /run: its monitors' sockets have no names any more."""
    guest = await started(world)
    await world.driver("alpha").close()
    shutil.rmtree(world.runs / "alpha" / "web")
    alpha = await world.restart("alpha")
    assert await alpha.adopt() == [guest]
    assert (await alpha.observe(guest)).state == "running"
    assert await (await world.restart("alpha")).adopt() == [guest]  # its record is there again
    alpha = world.driver("alpha")
    assert await alpha.halt(guest, deadline_s=DEADLINE_S) is None
    seen = await alpha.observe(guest)
    assert seen.exit is not None and seen.exit.powered_off


async def test_a_daemon_with_another_run_folder_takes_up_its_nodes_guests(
    world: QemuWorld,
) -> None:
    guest = await started(world)
    await world.driver("alpha").close()
    elsewhere = QemuDriver(
        world.runs / "elsewhere", HostClock(), counts_process=lambda pid: pid == guest.pid)
    assert await elsewhere.adopt() == [guest]
    assert (await elsewhere.observe(guest)).state == "running"
    assert await elsewhere.destroy(guest) is None
    assert find(guest.pid, guest.start_ticks) is None
    await elsewhere.close()


class NotedScopes:
    """Who was to have one."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str]] = []

    async def take(self, pid: int, package: str) -> None:
        self.taken.append((pid, package))


async def test_each_guest_is_given_a_scope_when_it_is_started_and_when_it_is_taken_up(
    world: QemuWorld,
) -> None:
    first, second = NotedScopes(), NotedScopes()
    driver = QemuDriver(world.runs / "alpha", HostClock(), scopes=first)
    guest = await driver.start(world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)
    assert isinstance(guest, Guest) and first.taken == [(guest.pid, "web")]
    await driver.close()
    driver = QemuDriver(world.runs / "alpha", HostClock(), scopes=second)
    assert await driver.adopt() == [guest]

    async def is_taken() -> bool:
        return second.taken == [(guest.pid, "web")]

    await until_true(is_taken)
    assert await driver.destroy(guest) is None
    await driver.close()


async def test_a_process_that_took_over_the_id_is_not_ours(world: QemuWorld) -> None:
    guest = await started(world)
    assert find(guest.pid, guest.start_ticks + 1) is None
    assert "vmsg:web:1:" + LIFE in command_line(guest.pid)
    await world.driver("alpha").close()
    folder = GuestFolder(world.runs / "alpha", "web")
    record = folder.read_guest()
    assert record is not None
    folder.write_guest(changed(record, name=f"vmsg:web:9:{LIFE}", guest=changed(guest, epoch=9)))
    assert await (await world.restart("alpha")).adopt() == [guest], "what it is, not what is noted"


async def test_a_run_folder_with_a_long_name_works(world: QemuWorld) -> None:
    folder = world.runs / ("a-long-name-" * 12)
    driver = QemuDriver(folder, HostClock())
    guest = await driver.start(world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)
    assert isinstance(guest, Guest), guest
    assert (await driver.observe(guest)).state == "running"
    assert await driver.destroy(guest) is None
    await driver.close()


async def test_a_storage_error_stops_the_guest_and_is_told(world: QemuWorld) -> None:
    """The LUN loses its far end: the guest stands still instead of writing into nothing."""
    guest = await started(world)
    alpha = world.driver("alpha")
    told = Events(alpha, guest)
    backing = world.folder / "lun"
    os.truncate(backing, 512 * 260)
    await told.until("io-error")
    await until_state(alpha, guest, lambda seen: seen.state == "io-error")


async def test_kvm_is_only_used_where_a_guest_really_runs(tmp_path: Path) -> None:
    """Whatever this host is, the trial ends in time and its answer is kept."""
    async with asyncio.timeout(DEADLINE_S):
        trial = await accelerators.kvm_trial(tmp_path)
    assert trial.because
    assert await accelerators.kvm_trial(tmp_path) == trial
    expected = "kvm" if trial.works else "tcg"
    assert await accelerators.accelerator("auto", tmp_path) == expected


async def test_a_hypervisor_is_nobody_on_its_host(world: QemuWorld) -> None:
    """By the kernel's word, also where it took a guest over; and it can have nobody's files."""
    source = await started(world)
    target, _ = await received(world, source)
    for guest in (source, target):
        assert account_of_process(guest.pid) == Account(uid=64123, gid=64124)
        status = dict(line.split(":", 1) for line in
                      Path(f"/proc/{guest.pid}/status").read_text().splitlines())
        assert status["Groups"].split() in ([], ["64124"])
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    folder = GuestFolder(world.runs / "beta", "web")
    assert folder.arrival.stat().st_uid == 64123
    for kept in (folder.path, world.runs / "beta"):
        seen = kept.stat()
        assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (0, 64124, 0o710)


@pytest.mark.parametrize("words", ["nobody-of-that-name", "root"])
async def test_without_its_account_no_guest_is_started(world: QemuWorld, words: str) -> None:
    """It is root that it would be instead."""
    vetting = Vetting(Allowed(accounts=Accounts(guests=words)))
    driver = QemuDriver(world.runs / "gamma", HostClock(), vetting=vetting)
    found = await driver.start(world.spec, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)
    assert isinstance(found, Problem) and found.code == "account-missing"
    assert words in found.what and "useradd" in found.fix
    (said,) = await driver.refuses(world.spec.vm, deadline_s=DEADLINE_S)
    assert words in said  # also where it is only looked at
    await driver.close()


def test_what_the_host_gives_away_is_given_to_root() -> None:
    """A device of the host is root's there, and QEMU opens it again while the guest runs."""
    vetting = Vetting(Allowed(accounts=Accounts(guests="64123:64124")))
    spec = PackageSpec(name="web", nodes=("a",), vm=VmSpec(
        memory_mib=64, disks=(), devices=("pci:0000:03:00.0",)))
    assert vetting.guests_account(spec.vm) is None
    assert vetting.guests_account(changed(spec.vm, devices=())) == Account(uid=64123, gid=64124)
