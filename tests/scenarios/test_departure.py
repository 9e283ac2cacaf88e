"""The order of things in a switch, each of which somebody's safety rests on, and in a start."""

import asyncio

from cluster.core import entries
from packages.core.problem import Problem, problem
from packages.vm.driver import GuestEvent
from packages.vm.fake_guest import FakeGuest
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig


async def runs(rig: Rig) -> FakeGuest:
    for each in rig.nodes.values():
        each.begin()
    await rig.assign(package(), "n1")
    await rig.until(lambda: rig.record.state == "running")
    guest = rig.fabric.guest("n1", "p1")
    assert guest is not None
    return guest


async def opened(rig: Rig) -> None:
    await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")


def told(guest: FakeGuest) -> list[str]:
    kinds: list[str] = []
    guest.listeners.append(lambda event: kinds.append(event.kind))
    return kinds


async def passes(rig: Rig, time_s: float) -> None:
    until_s = rig.clock.boottime_s() + time_s
    await rig.until(lambda: rig.clock.boottime_s() > until_s)


async def test_a_guest_that_nobody_would_guard_never_runs() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        kinds: list[str] = []

        async def absent() -> Problem | None:
            guest = rig.fabric.guest("n1", "p1")
            assert guest is not None
            guest.listeners.append(lambda event: kinds.append(event.kind))
            return problem("guardian-unreachable", "guardian", what="-", because="-", fix="-")

        rig.nodes["n1"].guard = absent
        rig.nodes["n1"].begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: "gone" in kinds)
        assert "resumed" not in kinds


async def test_no_guest_is_made_without_a_lease() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        rig.nodes["n1"].has_lease = False
        rig.nodes["n1"].begin()
        await rig.assign(package(), "n1")
        await passes(rig, 0.3)
        assert rig.state("n1") == "gone" and rig.record.state == "starting"


async def test_monitors_are_suspended_when_the_source_stands_for_its_switch() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        source = await runs(rig)
        watch, seen = rig.nodes["n1"].agent.watch, dict[str, str]()
        assert watch is not None
        await opened(rig)
        source.listeners.append(  # behind the agent's own, or asked once more by the next event
            lambda event: seen.update({event.kind: watch.status().monitoring}))
        await rig.until(lambda: rig.record.owner == "n2")
        assert seen["pre-switchover"] == "suspended"


async def test_nothing_is_switched_before_the_record_knows_of_the_freeze() -> None:
    """Its round shows that the log answers, and everybody that monitoring is off."""
    async with Rig("n1", "n2", "n3") as rig:
        source = await runs(rig)
        kinds = told(source)

        def cut(event: GuestEvent) -> None:
            if event.kind == "stopped":
                rig.network.cut("n1")

        source.listeners.insert(0, cut)
        await opened(rig)
        await rig.until(lambda: "resumed" in kinds)
        assert "device" not in kinds
        rig.network.heal()
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.record.boot_id == "b1"


async def test_nothing_is_switched_while_the_target_does_not_answer() -> None:
    """After the commit nobody else could let the guest run."""
    async with Rig("n1", "n2", "n3") as rig:
        source = await runs(rig)
        kinds = told(source)
        around = rig.nodes["n1"].agent.around
        ready = around.target_ready

        async def silent_when_it_stands(
            target: str, name: str, move: str, loaded: bool,
        ) -> str:
            return "silent" if "stopped" in kinds else await ready(target, name, move, loaded)

        around.target_ready = silent_when_it_stands
        await opened(rig)
        await rig.until(lambda: not rig.record.moving)
        assert "device" not in kinds and "resumed" in kinds
        assert rig.record.owner == "n1"


async def test_nothing_is_committed_while_the_target_does_not_say_that_it_is_whole() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        source = await runs(rig)
        kinds = told(source)
        around = rig.nodes["n1"].agent.around
        ready = around.target_ready

        async def silent_in_the_end(target: str, name: str, move: str, loaded: bool) -> str:
            return "silent" if loaded else await ready(target, name, move, loaded)

        around.target_ready = silent_in_the_end
        await opened(rig)
        await rig.until(lambda: not rig.record.moving)
        assert "completed" in kinds and rig.record.owner == "n1"
        assert rig.record.epoch == 1 and rig.state("n1") == "running"


async def test_nothing_is_committed_before_the_source_has_given_everything_up() -> None:
    """QEMU tells the end of a migration a moment before its run state says so."""
    async with Rig("n1", "n2", "n3") as rig:
        source = await runs(rig)
        loop, at_commit = asyncio.get_running_loop(), list[str]()

        def settle() -> None:
            source.state = "postmigrate"

        def lags(event: GuestEvent) -> None:
            if event.kind == "completed":
                source.state = "switchover"
                loop.call_later(0.1, settle)

        def look() -> None:
            if rig.record.owner == "n2" and not at_commit:
                at_commit.append(source.state)

        source.listeners.append(lags)
        rig.nodes["n1"].ledger.watch(look)
        await opened(rig)
        await rig.until(lambda: bool(at_commit))
        assert at_commit == ["postmigrate"]


async def test_a_switch_that_was_ordered_is_called_off_only_when_that_is_agreed() -> None:
    """A target could be given the memory while the source runs on."""
    async with Rig("n1", "n2", "n3") as rig:
        source = await runs(rig)
        stages: list[str] = []

        def hangs(event: GuestEvent) -> None:
            if event.kind == "device":
                rig.fabric.freeze("n2", "p1")
            if event.kind == "resumed":
                assert rig.record.move is not None
                stages.append(rig.record.move.stage)

        source.listeners.append(hangs)
        await opened(rig)
        await rig.until(lambda: not rig.record.moving)
        assert stages == ["aborting"] and rig.record.owner == "n1"
