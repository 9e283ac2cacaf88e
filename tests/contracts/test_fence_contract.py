"""What every storage fence promises, asked of lists in memory and of real storage alike."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from packages.core.fencing import DiskGuard, Registrant, registrant
from packages.core.problem import Problem
from tests.contracts.fence_worlds import FakeWorld, LioWorld, ScsiWorld, TgtWorld, World
from tests.contracts.scsi_host import ScsiHost
from tests.contracts.tgt_target import TgtTarget, end_netns, own_netns

S = 20.0
REAL = [pytest.param(name, marks=pytest.mark.live) for name in ("tgt", "scsi", "lio")]


@pytest.fixture(scope="module")
def scsi_host() -> Iterator[ScsiHost]:
    with tempfile.TemporaryDirectory(prefix="scsi-") as folder, contextlib.ExitStack() as stack:
        target = TgtTarget(Path(folder), own_netns("scsi"))
        stack.callback(end_netns, target.netns)
        stack.callback(target.end)
        target.start()
        target.admin("--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL")
        host = ScsiHost(Path(folder), target)
        stack.callback(host.close)
        yield host


@pytest.fixture(params=["fake", *REAL])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory(prefix="fence-") as folder:
        made = _made(request, Path(folder))
        try:
            if not isinstance(made, FakeWorld):
                await made.start()
            yield made
        finally:
            await made.close()


def _made(
    request: pytest.FixtureRequest, folder: Path,
) -> FakeWorld | TgtWorld | ScsiWorld | LioWorld:
    if request.param == "fake":
        return FakeWorld()
    if request.param == "tgt":
        return TgtWorld(folder)
    host = request.getfixturevalue("scsi_host")
    return ScsiWorld(host) if request.param == "scsi" else LioWorld(host)


async def registrants(world: World) -> set[Registrant]:
    seen = await world.fence("n1").status(world.disk, deadline_s=S)
    assert isinstance(seen, DiskGuard), seen
    return set(seen.registrants)


async def registered(world: World, node: str, epoch: int) -> None:
    refused = await world.fence(node).register(world.disk, registrant(node, epoch), deadline_s=S)
    assert refused is None, refused


async def test_whoever_is_registered_writes_and_nobody_else(world):
    await registered(world, "n1", 7)
    assert await world.fence("n1").fence(
        world.disk, registrant("n1", 7), deadline_s=S) is None
    assert await (await world.writer("n1", 7)).open()
    assert not await (await world.writer("n2", 8)).open()


async def test_after_the_fence_the_old_copy_cannot_write_and_the_new_owner_can(world):
    await registered(world, "n1", 7)
    old = await world.writer("n1", 7)
    assert await old.open()

    await registered(world, "n2", 7)  # as the one that fences for the cluster
    assert await world.fence("n2").fence(
        world.disk, registrant("n2", 7), deadline_s=S) is None
    assert await old.is_shut_out()

    await registered(world, "n2", 8)
    new = await world.writer("n2", 8)
    assert await new.open()
    assert await old.is_shut_out()
    assert await new.writes()


async def test_a_move_between_two_that_are_let_in_goes_through(world):
    await registered(world, "n1", 7)
    source = await world.writer("n1", 7)
    assert await source.open()
    await registered(world, "n2", 8)
    target = await world.writer("n2", 8)
    assert await target.open()
    assert await source.writes()  # until the switch

    assert await world.fence("n2").fence(
        world.disk, registrant("n2", 8), deadline_s=S) is None
    assert await target.writes()
    assert await source.is_shut_out()
    assert await world.fence("n1").release(
        world.disk, registrant("n1", 7), deadline_s=S) is None
    assert await target.writes()


async def test_a_fenced_node_that_comes_back_cannot_write_before_it_owns_again(world):
    await registered(world, "n1", 7)
    old = await world.writer("n1", 7)
    assert await old.open()
    await registered(world, "n2", 8)
    assert await world.fence("n2").fence(
        world.disk, registrant("n2", 8), deadline_s=S) is None

    assert not await (await world.writer("n1", 7)).open()
    assert registrant("n1", 7) not in await registrants(world)

    await registered(world, "n1", 9)  # the package was given back to it
    assert await (await world.writer("n1", 9)).open()


async def test_a_fence_that_comes_late_does_not_touch_a_later_owner(world):
    await registered(world, "n1", 7)
    await registered(world, "n2", 7)
    await registered(world, "n1", 8)  # started again on the spot meanwhile
    owner = await world.writer("n1", 8)
    assert await owner.open()
    assert await world.fence("n2").fence(
        world.disk, registrant("n2", 7), deadline_s=S) is None
    assert await owner.writes()


async def test_twice_is_as_once_and_what_was_given_up_is_gone(world):
    me = registrant("N_3", 7)
    fence = world.fence("N_3")
    for _ in range(2):
        await registered(world, "N_3", 7)
    assert me in await registrants(world)
    for _ in range(2):
        assert await fence.fence(world.disk, me, deadline_s=S) is None
    assert me in await registrants(world)
    for _ in range(2):
        assert await fence.release(world.disk, me, deadline_s=S) is None
    assert me not in await registrants(world)


async def test_what_an_earlier_owner_left_behind_is_cleared(world):
    for node, epoch in (("n1", 3), ("n2", 5)):
        await registered(world, node, epoch)
    await registered(world, "N_3", 7)
    me = registrant("N_3", 7)
    assert await world.fence("N_3").fence(world.disk, me, deadline_s=S) is None
    assert await registrants(world) == {me}


@pytest.mark.live
async def test_a_target_that_is_gone_proves_nothing(tmp_path):
    world = TgtWorld(tmp_path)
    try:
        me = registrant("n2", 8)
        fence = world.fence("n2")
        for refused in (
            await fence.register(world.disk, me, deadline_s=S),
            await fence.fence(world.disk, me, deadline_s=S),
            await fence.status(world.disk, deadline_s=S),
        ):
            assert isinstance(refused, Problem)
    finally:
        await world.close()


@pytest.mark.live
async def test_a_target_that_is_open_to_all_proves_nothing():
    with tempfile.TemporaryDirectory(prefix="fence-") as folder:
        world = TgtWorld(Path(folder))
        try:
            await world.start()
            world.target.admin("--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL")
            await registered(world, "n2", 8)
            refused = await world.fence("n2").fence(
                world.disk, registrant("n2", 8), deadline_s=S)
            assert refused is not None and "open" in refused.because
        finally:
            await world.close()
