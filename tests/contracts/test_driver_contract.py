"""What every Driver promises, asked of real QEMU with a real guest and of the fake."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packages.core.problem import Problem
from packages.vm.driver import Driver, Guest, Observation, Progress
from tests.contracts.driver_worlds import (
    DEADLINE_S, SLOW_BYTES_S, WORLDS, Events, World, until_state, with_disk
)

LIFE = "00000000000000aa"


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.live)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: World = WORLDS[request.param](tmp_path)
    yield made
    await made.close()


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


class Move:
    """A migration from alpha to beta, brought as far as a test wants it."""

    def __init__(self, world: World, source: Guest, target: Guest, path: str) -> None:
        self.world = world
        self.alpha, self.beta = world.driver("alpha"), world.driver("beta")
        self.source, self.target, self.path = source, target, path
        self.told_source = Events(self.alpha, source)
        self.told_target = Events(self.beta, target)

    async def send(self, bandwidth_bytes_s: int | None = None) -> None:
        refusal = await self.alpha.send(
            self.source, socket_path=self.path, downtime_limit_ms=100,
            bandwidth_bytes_s=bandwidth_bytes_s,
        )
        assert refusal is None, refusal
        await self.told_source.until("active")

    async def to_switch(self) -> None:
        await self.send()
        await self.told_source.until("pre-switchover")

    async def completed(self) -> None:
        await self.to_switch()
        assert await self.alpha.switch(self.source) is None
        await self.told_source.until("completed")
        await self.told_target.until("completed")
        await until_state(self.alpha, self.source, lambda seen: seen.state == "postmigrate")

    async def runs_at_source_alone(self) -> None:
        seen = await until_state(self.alpha, self.source, lambda seen: seen.state == "running")
        assert seen.migration in ("failed", "cancelled")
        seen = await until_state(self.beta, self.target, lambda seen: seen.state == "gone")
        assert seen.exit is not None and not seen.exit.powered_off


async def begun(world: World) -> Move:
    source = await started(world)
    return Move(world, source, *await received(world, source))


def is_code(answer: object, code: str) -> bool:
    return isinstance(answer, Problem) and answer.code == code


async def gone(driver: Driver, guest: Guest) -> Observation:
    return await until_state(driver, guest, lambda seen: seen.state == "gone")


def assert_clean(world: World) -> None:
    report = world.disk_report()
    assert report is None or (report.lives and report.is_clean), report


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


async def test_a_death_nobody_watched_is_a_failure(world: World) -> None:
    guest = await started(world)
    alpha = await world.restart("alpha")
    world.kill("alpha", guest)
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


async def test_a_frozen_guest_can_be_destroyed(world: World) -> None:
    guest = await started(world)
    world.freeze("alpha", guest)
    assert await world.driver("alpha").destroy(guest) is None


async def test_a_move_carries_the_life_to_the_other_node(world: World) -> None:
    move = await begun(world)
    await move.completed()
    assert (await move.beta.observe(move.target)).state == "paused"
    assert await move.beta.resume(move.target) is None
    assert (await move.beta.observe(move.target)).state == "running"
    await move.beta.announce(move.target)
    assert await move.alpha.destroy(move.source) is None
    order = [kind for kind in move.told_source.kinds if kind != "active"]
    assert order == ["stopped", "pre-switchover", "device", "completed", "gone"]
    assert move.told_target.kinds[-1] == "resumed"
    await world.booted(move.target)
    assert_clean(world)


async def test_receiving_again_is_harmless_and_another_life_is_refused(world: World) -> None:
    move = await begun(world)
    assert await received(world, move.source) == (move.target, move.path)
    refusal = await move.beta.start(world.spec, epoch=9, boot_id="bb", deadline_s=DEADLINE_S)
    assert is_code(refusal, "guest-already-here")


async def test_a_target_is_never_continued_before_it_is_whole(world: World) -> None:
    move = await begun(world)
    assert is_code(await move.beta.resume(move.target), "guest-not-loaded")
    await move.to_switch()
    assert is_code(await move.beta.resume(move.target), "guest-not-loaded")
    assert await move.alpha.switch(move.source) is None
    await move.told_target.until("completed")
    assert (await move.beta.observe(move.target)).state == "paused"
    assert "resumed" not in move.told_target.kinds


async def test_a_copy_called_off_leaves_the_guest_where_it_was(world: World) -> None:
    move = await begun(world)
    await move.send(SLOW_BYTES_S)
    assert (await move.alpha.cancel(move.source)).state == "running"
    await move.runs_at_source_alone()
    again = Move(world, move.source, *await received(world, move.source))
    await again.completed()


async def test_called_off_at_the_switch_the_guest_runs_on(world: World) -> None:
    move = await begun(world)
    await move.to_switch()
    assert (await move.alpha.observe(move.source)).state == "switchover"
    assert (await move.alpha.cancel(move.source)).state == "running"
    assert "resumed" in move.told_source.kinds
    await move.runs_at_source_alone()
    assert_clean(world)


async def test_called_off_too_late_the_source_says_so(world: World) -> None:
    move = await begun(world)
    await move.completed()
    assert (await move.alpha.cancel(move.source)).state == "postmigrate"
    assert await move.beta.destroy(move.target) is None
    assert await move.alpha.resume(move.source) is None
    assert (await move.alpha.observe(move.source)).state == "running"
    await world.booted(move.source)
    assert_clean(world)


async def test_nothing_to_call_off_changes_nothing(world: World) -> None:
    guest = await started(world)
    assert (await world.driver("alpha").cancel(guest)).state == "running"


async def test_a_target_killed_in_the_copy_fails_the_move_alone(world: World) -> None:
    move = await begun(world)
    await move.send(SLOW_BYTES_S)
    world.kill("beta", move.target)
    await move.told_source.until("failed")
    assert (await move.alpha.observe(move.source)).state == "running"
    assert "stopped" not in move.told_source.kinds


async def test_a_target_killed_at_the_switch_is_noticed_when_called_off(world: World) -> None:
    move = await begun(world)
    await move.to_switch()
    world.kill("beta", move.target)
    await move.told_target.until("gone")
    assert (await move.alpha.observe(move.source)).state == "switchover"
    assert (await move.alpha.cancel(move.source)).state == "running"


async def test_a_target_killed_after_the_switch_leaves_the_guest_at_the_source(
    world: World,
) -> None:
    move = await begun(world)
    await move.to_switch()
    world.freeze("beta", move.target)
    await move.alpha.switch(move.source)
    await move.told_source.until("device")
    world.kill("beta", move.target)
    await move.told_source.until("failed")
    await until_state(move.alpha, move.source, lambda seen: seen.state == "running")
    assert_clean(world)


async def test_a_target_that_hangs_after_the_switch_can_be_called_off(world: World) -> None:
    move = await begun(world)
    await move.to_switch()
    world.freeze("beta", move.target)
    await move.alpha.switch(move.source)
    await move.told_source.until("device")
    assert (await move.alpha.cancel(move.source)).state == "running"
    world.kill("beta", move.target)
    await gone(move.beta, move.target)
    assert (await move.alpha.observe(move.source)).state == "running"
    assert_clean(world)


async def test_a_source_killed_in_the_copy_takes_the_half_copy_with_it(world: World) -> None:
    move = await begun(world)
    await move.send(SLOW_BYTES_S)
    world.kill("alpha", move.source)
    seen = await gone(move.beta, move.target)
    assert seen.exit is not None and not seen.exit.powered_off


async def test_a_source_killed_when_all_was_sent_leaves_a_whole_target(world: World) -> None:
    move = await begun(world)
    await move.completed()
    world.kill("alpha", move.source)
    await gone(move.alpha, move.source)
    assert await move.beta.resume(move.target) is None
    assert (await move.beta.observe(move.target)).state == "running"
    await world.booted(move.target)
    assert_clean(world)


async def test_both_ends_are_adopted_in_the_middle_of_a_move(world: World) -> None:
    move = await begun(world)
    await move.to_switch()
    alpha, beta = await world.restart("alpha"), await world.restart("beta")
    assert await alpha.adopt() == [move.source]
    assert await beta.adopt() == [move.target]
    assert (await alpha.observe(move.source)).migration == "pre-switchover"
    told = Events(beta, move.target)
    assert await alpha.switch(move.source) is None
    await told.until("completed")
    assert await beta.resume(move.target) is None


async def test_the_copy_tells_its_numbers_and_follows_new_limits(world: World) -> None:
    move = await begun(world)
    await move.send(SLOW_BYTES_S)
    numbers = await move.alpha.progress(move.source)
    assert isinstance(numbers, Progress)
    assert numbers.state == "active" and numbers.downtime_limit_ms == 100
    assert 0 < numbers.remaining_bytes <= numbers.total_bytes
    assert await move.alpha.tune(move.source, throttle=True) is None
    assert await move.alpha.tune(
        move.source, downtime_limit_ms=250, bandwidth_bytes_s=10**9,
    ) is None
    await move.told_source.until("pre-switchover")
    numbers = await move.alpha.progress(move.source)
    assert isinstance(numbers, Progress) and numbers.downtime_limit_ms == 250


async def test_sending_where_nobody_listens_fails_and_the_guest_runs_on(
    world: World, tmp_path: Path,
) -> None:
    guest = await started(world)
    alpha = world.driver("alpha")
    told = Events(alpha, guest)
    refusal = await alpha.send(
        guest, socket_path=str(tmp_path / "nobody"), downtime_limit_ms=100, bandwidth_bytes_s=None,
    )
    if refusal is None:
        await told.until("failed")
    assert (await alpha.observe(guest)).state == "running"


async def test_questions_about_a_guest_that_is_not_here_are_problems(world: World) -> None:
    guest = await started(world)
    beta = world.driver("beta")
    assert (await beta.observe(guest)).state == "gone"
    for answer in await asyncio.gather(
        beta.resume(guest), beta.switch(guest), beta.progress(guest), beta.tune(guest),
        beta.relabel(guest, epoch=2),
        beta.send(guest, socket_path="/none", downtime_limit_ms=1, bandwidth_bytes_s=None),
    ):
        assert is_code(answer, "guest-gone")
    assert await beta.halt(guest, deadline_s=1) is None
