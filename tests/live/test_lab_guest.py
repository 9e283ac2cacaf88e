"""The test guest itself: its log keeps every life, goes round, and betrays two writers."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.lab import guest_image
from cluster.lab.disk_log import LOG_START_SECTOR, SECTOR_BYTES, LogReport
from packages.core.model import KernelSpec, PackageSpec
from packages.core.problem import Problem
from packages.core.values import changed
from packages.vm.driver import Driver, Guest
from tests.contracts.driver_worlds import (
    DEADLINE_S, GUEST_ADDRESS, Events, QemuWorld, run, until_state, until_true
)

pytestmark = pytest.mark.live

SMALL_SLOTS = 24


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[QemuWorld]:
    made = QemuWorld(tmp_path)
    yield made
    await made.close()


async def started(
    world: QemuWorld, *, node: str = "alpha", epoch: int = 1, spec: PackageSpec | None = None,
) -> Guest:
    guest = await world.driver(node).start(
        spec or world.spec, epoch=epoch, boot_id=f"{epoch:016x}", deadline_s=DEADLINE_S,
    )
    assert isinstance(guest, Guest), guest
    return guest


async def counted(world: QemuWorld, least: int) -> None:
    """Until the guest says that so many records are durable."""
    async def enough() -> bool:
        found = re.search(r"counter=(\d+)", await world.ask("/"))
        return found is not None and int(found[1]) >= least

    await until_true(enough)


async def logged(world: QemuWorld, least: int) -> None:
    """Until the disk holds so many records."""
    async def enough() -> bool:
        return sum(life.records for life in report(world).lives) >= least

    await until_true(enough)


def report(world: QemuWorld) -> LogReport:
    return world.disk_report()


def kinds(world: QemuWorld) -> set[str]:
    return {finding.kind for finding in report(world).findings}


def without_locks(spec: PackageSpec) -> PackageSpec:
    """As on two real hosts, where no lock keeps two copies apart."""
    disks = tuple(changed(disk, locking="off") for disk in spec.vm.disks)
    return changed(spec, vm=changed(spec.vm, disks=disks, networks=()))


async def test_every_life_is_kept_and_has_an_identity_of_its_own(world: QemuWorld) -> None:
    for epoch in (1, 2, 3):
        guest = await started(world, epoch=epoch)
        await counted(world, 5)
        await world.driver("alpha").destroy(guest)
    lives = report(world).lives
    assert report(world).is_clean
    assert len({life.boot_id for life in lives}) == 3
    assert all(life.first_counter == 1 and life.last_counter >= 5 for life in lives)


async def test_what_the_guest_names_is_on_the_disk(world: QemuWorld) -> None:
    guest = await started(world)
    await counted(world, 8)
    said = await world.ask("/")
    world.kill("alpha", guest)
    named = re.search(r"boot=(\w+) .*counter=(\d+)", said)
    assert named is not None
    life = report(world).lives[0]
    assert life.boot_id == named[1] and life.last_counter >= int(named[2])


async def test_a_reset_is_a_new_life(world: QemuWorld) -> None:
    await started(world)
    await counted(world, 3)
    await world.ask("/r")
    await until_true(lambda: _has_lives(world, 2))
    assert report(world).is_clean


async def _has_lives(world: QemuWorld, count: int) -> bool:
    return len(report(world).lives) >= count


async def test_a_log_that_goes_round_is_clean_and_its_end_is_found_again(
    world: QemuWorld,
) -> None:
    os.truncate(world.folder / "lun", (LOG_START_SECTOR + SMALL_SLOTS) * SECTOR_BYTES)
    run("losetup", "--set-capacity", str(world.device))
    image = guest_image.build(Path("/tmp/vmsg-guest-cache"))
    guest_image.write(image, world.device)
    # The firmware does not boot from a disk as small as that.
    kernel = KernelSpec(image=str(image.with_name("nano.elf")))
    spec = changed(world.spec, vm=changed(world.spec.vm, kernel=kernel))
    for epoch in (1, 2, 3):
        guest = await started(world, epoch=epoch, spec=spec)
        await counted(world, SMALL_SLOTS // 2 + epoch)
        await world.driver("alpha").destroy(guest)
    log = guest_image.read_records(world.device)
    assert log.slots == len(log.records) == SMALL_SLOTS
    assert log.records[-1].boots == 3
    assert report(world).is_clean, report(world)


async def test_two_lives_at_once_are_betrayed_by_the_log(world: QemuWorld) -> None:
    spec = without_locks(world.spec)
    await started(world, epoch=1, spec=spec)
    await logged(world, 5)
    await started(world, node="beta", epoch=2, spec=spec)
    await logged(world, 40)
    assert "overlap" in kinds(world)


async def test_two_copies_of_one_life_are_betrayed_by_the_log(world: QemuWorld) -> None:
    """The source goes on after the target was let run: what a move must never do."""
    spec = without_locks(world.spec)
    alpha, beta = world.driver("alpha"), world.driver("beta")
    source = await started(world, spec=spec)
    await logged(world, 5)
    target = await moved(spec, source, alpha, beta)
    assert report(world).is_clean
    assert await alpha.resume(source) is None
    assert (await beta.observe(target)).state == "running"
    await logged(world, 60)
    assert {"overlap", "repeated"} & kinds(world)


async def moved(spec: PackageSpec, source: Guest, alpha: Driver, beta: Driver) -> Guest:
    made = await beta.receive(
        spec, epoch=2, boot_id=source.boot_id, machine=source.machine, deadline_s=DEADLINE_S,
    )
    assert not isinstance(made, Problem), made
    target, path = made
    told = Events(alpha, source)
    assert await alpha.send(
        source, socket_path=path, downtime_limit_ms=100, bandwidth_bytes_s=None,
    ) is None
    await told.until("pre-switchover")
    assert await alpha.switch(source) is None
    await until_state(alpha, source, lambda seen: seen.state == "postmigrate")
    assert await beta.resume(target) is None
    return target


async def test_it_runs_on_both_machine_types_and_in_little_and_much_memory(
    world: QemuWorld,
) -> None:
    for epoch, (machine, memory_mib) in enumerate([("pc", 16), ("q35", 128), ("q35", 16)], 1):
        vm = changed(world.spec.vm, machine=machine, memory_mib=memory_mib)
        guest = await started(world, epoch=epoch, spec=changed(world.spec, vm=vm))
        await counted(world, 3)
        await world.ask("/d50000")
        await counted(world, 20)
        assert await world.driver("alpha").halt(guest, deadline_s=DEADLINE_S) is None
        seen = await world.driver("alpha").observe(guest)
        assert seen.exit is not None and seen.exit.powered_off, seen
    assert report(world).is_clean


async def test_the_echo_keeps_up_with_a_client_that_does_not_wait(world: QemuWorld) -> None:
    await started(world)
    await counted(world, 1)
    content = os.urandom(300_000)
    reader, writer = await asyncio.open_connection(GUEST_ADDRESS, 7)
    writer.write(content)
    writer.write_eof()
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read(-1) == content
    writer.close()


async def test_it_can_be_told_to_be_unwell(world: QemuWorld) -> None:
    await started(world)
    await counted(world, 1)
    assert (await world.ask("/")).startswith("HTTP/1.0 200")
    assert (await world.ask("/f")).startswith("HTTP/1.0 503")
    assert (await world.ask("/")).startswith("HTTP/1.0 503")
    assert (await world.ask("/o")).startswith("HTTP/1.0 200")


async def test_writing_the_image_empties_the_log(world: QemuWorld) -> None:
    guest = await started(world)
    await counted(world, 2)
    await world.driver("alpha").destroy(guest)
    guest_image.write(guest_image.build(Path("/tmp/vmsg-guest-cache")), world.device)
    assert guest_image.read_records(world.device).records == ()


async def test_many_who_build_it_at_once_all_get_a_whole_one(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    built = await asyncio.gather(*(
        asyncio.to_thread(guest_image.build, folder) for _ in range(4)))
    assert len(set(built)) == 1
    assert built[0].stat().st_size == guest_image.IMAGE_BYTES
    assert [each.name for each in folder.iterdir()] == [built[0].parent.name]
