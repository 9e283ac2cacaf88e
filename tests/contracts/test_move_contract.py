"""What every Driver promises in a move, whatever dies or is called off, of QEMU and of the fake."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packages.core.problem import Problem
from packages.vm.driver import Guest, Progress
from tests.contracts.driver_worlds import (
    DEADLINE_S, SLOW_BYTES_S, WORLDS, Events, World, assert_clean, gone, is_code, received, started,
    until_state
)


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.live)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: World = WORLDS[request.param](tmp_path)
    yield made
    await made.close()


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


async def test_a_guest_that_came_by_a_move_is_continued_when_sent_in_vain(world: World) -> None:
    """It is still one that was received, and stands as any source does."""
    move = await begun(world)
    await move.completed()
    assert await move.beta.resume(move.target) is None
    assert await move.alpha.destroy(move.source) is None
    made = await move.alpha.receive(
        world.spec, epoch=3, boot_id=move.target.boot_id, machine=move.target.machine,
        deadline_s=DEADLINE_S)
    assert not isinstance(made, Problem)
    told = Events(move.beta, move.target)
    assert await move.beta.send(
        move.target, socket_path=made[1], downtime_limit_ms=100, bandwidth_bytes_s=None) is None
    await told.until("pre-switchover")
    assert await move.beta.switch(move.target) is None
    await told.until("completed")
    await until_state(move.beta, move.target, lambda seen: seen.state == "postmigrate")
    assert await move.alpha.destroy(made[0]) is None
    assert await move.beta.resume(move.target) is None
    assert (await move.beta.observe(move.target)).state == "running"
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


async def panicked_in_the_copy(world: World) -> Move:
    """At the switch, to which QEMU brings it although its vCPUs stand."""
    move = await begun(world)
    await world.booted(move.source)
    await move.send(SLOW_BYTES_S)
    await world.panic("alpha", move.source)
    await move.told_source.until("panicked")
    await move.told_source.until("stopped")
    assert (await move.alpha.observe(move.source)).state == "panicked"
    assert await move.alpha.tune(
        move.source, downtime_limit_ms=250, bandwidth_bytes_s=10**9) is None
    await move.told_source.until("pre-switchover")
    return move


async def test_a_guest_that_panicked_arrives_so_and_is_never_continued(world: World) -> None:
    move = await panicked_in_the_copy(world)
    assert await move.alpha.switch(move.source) is None
    await move.told_target.until("completed")
    await until_state(move.beta, move.target, lambda seen: seen.state == "panicked")
    assert is_code(await move.beta.resume(move.target), "guest-arrived-ill")
    assert "resumed" not in move.told_target.kinds


async def test_called_off_at_the_switch_a_guest_that_panicked_is_left_standing(
    world: World,
) -> None:
    """And shows that it stood before: a guest that ran would run on by itself."""
    move = await panicked_in_the_copy(world)
    seen = await move.alpha.cancel(move.source)
    assert (seen.state, seen.migration) == ("postmigrate", "cancelled")
    assert "resumed" not in move.told_source.kinds


async def test_a_guest_that_somebody_stopped_in_the_copy_says_so(world: World) -> None:
    move = await begun(world)
    await move.send(SLOW_BYTES_S)
    await world.pause("alpha", move.source)
    await move.told_source.until("stopped")
    assert (await move.alpha.observe(move.source)).state == "paused"
    assert (await move.alpha.cancel(move.source)).state == "paused"
    assert "resumed" not in move.told_source.kinds
