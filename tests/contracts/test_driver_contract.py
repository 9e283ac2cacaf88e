"""What every Driver promises of one guest, asked of real QEMU with a real guest and of the fake.

What it promises of two, in a move, stands in test_move_contract.py.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packages.core.problem import Problem
from packages.vm.driver import Guest
from tests.contracts.driver_worlds import (
    DEADLINE_S, DISK_BYTES, LIFE, WORLDS, Events, World, gone, is_code, started, until_state,
    with_disk
)


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.live)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: World = WORLDS[request.param](tmp_path)
    yield made
    await made.close()


async def test_a_started_guest_runs_and_says_what_it_is(world: World) -> None:
    guest = await started(world)
    assert (await world.driver("alpha").observe(guest)).state == "running"
    assert (guest.package, guest.epoch, guest.boot_id, guest.incoming) == ("web", 1, LIFE, False)
    assert guest.accel == "tcg"
    assert guest.machine.startswith("pc-q35-")


async def test_starting_the_same_life_again_is_harmless(world: World) -> None:
    guest = await started(world)
    assert await started(world) == guest


async def test_another_life_of_the_package_is_refused(world: World) -> None:
    await started(world)
    refusal = await world.driver("alpha").start(
        world.spec, epoch=2, boot_id="bb", deadline_s=DEADLINE_S,
    )
    assert is_code(refusal, "guest-already-here")


async def test_a_start_that_fails_says_why_and_leaves_nothing(world: World) -> None:
    alpha = world.driver("alpha")
    broken = with_disk(world.spec, "/dev/missing")
    refusal = await alpha.start(broken, epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)
    assert isinstance(refusal, Problem) and refusal.code == "package-start-failed"
    assert "/dev/missing" in refusal.because
    assert await alpha.adopt() == []
    await started(world)


async def test_a_new_driver_adopts_the_guest_and_its_events(world: World) -> None:
    guest = await started(world)
    alpha = await world.restart("alpha")
    assert await alpha.adopt() == [guest]
    assert (await alpha.observe(guest)).state == "running"
    told = Events(alpha, guest)
    await world.power_off("alpha", guest)
    await told.until("gone")
    assert "powered-off" in told.kinds


async def test_a_later_epoch_is_remembered(world: World) -> None:
    guest = await started(world)
    relabelled = await world.driver("alpha").relabel(guest, epoch=5)
    assert isinstance(relabelled, Guest) and relabelled.epoch == 5
    alpha = await world.restart("alpha")
    assert await alpha.adopt() == [relabelled]
    assert (await alpha.observe(relabelled)).state == "running"


async def test_a_guest_is_told_that_its_disk_has_grown(world: World) -> None:
    guest = await started(world)
    assert await world.disk_bytes("alpha", guest) in (None, DISK_BYTES)
    world.grow_disk(2 * DISK_BYTES)
    told = await world.driver("alpha").resize_disk(guest, 0, size_bytes=2 * DISK_BYTES)
    assert told is None
    assert await world.disk_bytes("alpha", guest) == 2 * DISK_BYTES


async def test_halt_presses_the_power_button(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    assert await alpha.halt(guest, deadline_s=DEADLINE_S) is None
    seen = await alpha.observe(guest)
    assert seen.state == "gone" and seen.exit is not None and seen.exit.powered_off


async def test_halt_ends_a_guest_that_does_not_listen(world: World) -> None:
    guest = await started(world)
    await world.deafen(guest)
    alpha = world.driver("alpha")
    assert await alpha.halt(guest, deadline_s=0.5) is None
    seen = await alpha.observe(guest)
    assert seen.state == "gone" and seen.exit is not None and not seen.exit.powered_off


async def test_destroy_ends_it_at_once_and_may_be_repeated(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    told = Events(alpha, guest)
    assert await alpha.destroy(guest) is None
    assert (await alpha.observe(guest)).state == "gone"
    assert told.kinds[-1] == "gone" and "powered-off" not in told.kinds
    assert await alpha.destroy(guest) is None
    assert await alpha.adopt() == []


async def test_a_guest_that_powers_off_is_told_apart_from_a_failure(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    told = Events(alpha, guest)
    await world.power_off("alpha", guest)
    await told.until("gone")
    assert told.kinds.index("powered-off") < told.kinds.index("gone")
    seen = await alpha.observe(guest)
    assert seen.exit is not None and seen.exit.powered_off


async def test_a_power_off_nobody_watched_is_still_one(world: World) -> None:
    guest = await started(world)
    alpha = await world.restart("alpha")
    await world.power_off("alpha", guest)
    await alpha.adopt()
    seen = await gone(alpha, guest)
    assert seen.exit is not None and seen.exit.powered_off


async def test_a_killed_process_is_a_failure(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    told = Events(alpha, guest)
    world.kill("alpha", guest)
    await told.until("gone")
    seen = await alpha.observe(guest)
    assert seen.state == "gone" and seen.exit is not None and not seen.exit.powered_off
    assert "signal 9" in seen.exit.because


async def test_whoever_asks_a_guest_that_dies_hears_of_its_end_at_once(world: World) -> None:
    """And does not wait for an answer that nobody is left to give."""
    guest = await started(world)
    alpha = world.driver("alpha")
    told, asking = Events(alpha, guest), []
    world.kill("alpha", guest)
    while "gone" not in told.kinds:
        asking.append(asyncio.create_task(alpha.observe(guest, deadline_s=10 * DEADLINE_S)))
        await asyncio.sleep(0.0005)
    async with asyncio.timeout(DEADLINE_S):
        seen = await asyncio.gather(*asking)
    # Its connections may end a moment before its process does.
    assert {each.state for each in seen} <= {"unanswered", "gone"}
    assert (await alpha.observe(guest)).state == "gone"


async def test_a_death_nobody_watched_is_a_failure(world: World) -> None:
    guest = await started(world)
    alpha = await world.restart("alpha")
    await world.kill_and_wait("alpha", guest)
    assert await alpha.adopt() == []
    seen = await alpha.observe(guest)
    assert seen.state == "gone" and seen.exit is not None and not seen.exit.powered_off
    await started(world)


async def test_a_panic_is_told_and_stands(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    told = Events(alpha, guest)
    await world.panic("alpha", guest)
    await told.until("panicked")
    await until_state(alpha, guest, lambda seen: seen.state == "panicked")


async def test_a_frozen_guest_is_unanswered_and_still_ours(world: World) -> None:
    guest = await started(world)
    world.freeze("alpha", guest)
    seen = await world.driver("alpha").observe(guest, deadline_s=0.3)
    assert seen.state == "unanswered"
    alpha = await world.restart("alpha")
    assert await alpha.adopt() == [guest]
    world.thaw("alpha", guest)
    await until_state(alpha, guest, lambda seen: seen.state == "running")


async def test_a_freeze_tells_whether_it_ran(world: World) -> None:
    """So that one which somebody continued is noticed."""
    guest = await started(world)
    alpha = world.driver("alpha")
    assert await alpha.freeze(guest)
    async with asyncio.timeout(10):
        while await alpha.freeze(guest):
            await asyncio.sleep(0.01)
    world.thaw("alpha", guest)
    assert await alpha.freeze(guest)
    await alpha.unfreeze(guest)
    await until_state(alpha, guest, lambda seen: seen.state == "running")


async def test_a_frozen_guest_can_be_destroyed(world: World) -> None:
    guest = await started(world)
    world.freeze("alpha", guest)
    assert await world.driver("alpha").destroy(guest) is None


async def test_questions_about_a_guest_that_is_not_here_are_problems(world: World) -> None:
    guest = await started(world)
    beta = world.driver("beta")
    assert (await beta.observe(guest)).state == "gone"
    for answer in await asyncio.gather(
        beta.resume(guest), beta.switch(guest), beta.progress(guest), beta.tune(guest),
        beta.relabel(guest, epoch=2), beta.resize_disk(guest, 0, size_bytes=2 * DISK_BYTES),
        beta.send(guest, socket_path="/none", downtime_limit_ms=1, bandwidth_bytes_s=None),
    ):
        assert is_code(answer, "guest-gone")
    assert await beta.halt(guest, deadline_s=1) is None


async def test_what_nobody_holds_is_not_gone_and_is_ended_by_its_name(world: World) -> None:
    """A release rests on this: not to remember a guest is not to have seen it end."""
    guest = await started(world)
    alpha = world.driver("alpha")
    await world.orphan("alpha", guest)
    assert (await alpha.observe(guest)).state == "unanswered"
    assert await alpha.end_remains("other") is None
    assert world.is_alive("alpha", guest)
    assert await alpha.end_remains("web") is None
    assert not world.is_alive("alpha", guest)
    assert (await alpha.observe(guest)).state == "gone"


async def test_whoever_is_told_to_end_what_nobody_holds_ends_it(world: World) -> None:
    alpha = world.driver("alpha")
    guest = await started(world)
    await world.orphan("alpha", guest)
    assert await alpha.destroy(guest) is None
    assert not world.is_alive("alpha", guest)
    guest = await started(world)
    await world.orphan("alpha", guest)
    world.freeze("alpha", guest)
    assert await alpha.halt(guest, deadline_s=1.0) is None
    assert not world.is_alive("alpha", guest)


async def test_no_life_begins_beside_one_that_nobody_holds(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    await world.orphan("alpha", guest)
    again = await alpha.start(world.spec, epoch=2, boot_id="bb", deadline_s=DEADLINE_S)
    assert isinstance(again, Guest) and (await alpha.observe(again)).state == "running"
    assert not world.is_alive("alpha", guest)


async def test_a_new_driver_takes_up_what_nobody_held(world: World) -> None:
    guest = await started(world)
    await world.orphan("alpha", guest)
    alpha = await world.restart("alpha")
    assert await alpha.adopt() == [guest]
    assert (await alpha.observe(guest)).state == "running"


async def test_a_guest_that_is_held_is_none_of_the_remains(world: World) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    assert await alpha.end_remains() is None
    assert await world.driver("beta").end_remains() is None
    assert (await alpha.observe(guest)).state == "running"
