"""What an agent does when the record, the lease or a guest changes while it waits for something."""

from cluster.core import entries
from packages.core.model import PhaseTimeouts
from packages.core.problem import Problem, problem
from packages.vm.fake_guest import FakeGuest
from packages.worker import Worker
from tests.core.test_apply import ILL, package
from tests.scenarios.agents_rig import PATIENCE_S, Rig


async def test_a_start_that_the_record_took_back_on_the_way_never_runs() -> None:
    """A host that slept in the middle of a start: called dead, joined anew, its lease is good, and
    the package runs elsewhere. The guest that is made now must not run for a moment."""
    async with Rig("n1", "n2", "n3") as rig:
        ran = []

        async def slept() -> Problem | None:
            guest = rig.fabric.guest("n1", "p1")
            assert guest is not None
            guest.listeners.append(lambda event: ran.append(event.kind))
            await rig.fail("n1")
            await rig.say(entries.NodeJoined, node="n1", incarnation="i2", version="0.2.0")
            await rig.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2")
            return None

        rig.nodes["n1"].guard = slept
        await rig.assign(package(), "n1")
        rig.nodes["n1"].begin()
        await rig.until(lambda: rig.record.epoch == 2 and rig.state("n1") == "gone")
        assert "resumed" not in ran


async def test_the_guardian_is_told_of_a_detached_guest_whatever_its_agent_waits_for() -> None:
    """The daemon may be gone the next moment, and the guest would be frozen with the lease."""
    async with Rig("n1", "n2", "n3") as rig:
        around = rig.nodes["n1"].agent.around
        worker, told = Worker(around), list[str]()
        around.guests_changed = lambda: told.append(",".join(
            each.package for each in worker.guarded()))
        worker.begin()
        try:
            await rig.assign(package(), "n1")
            await rig.until(lambda: rig.record.state == "running")
            assert told[-1] == "p1"
            rig.fabric.freeze("n1", "p1")  # its agent waits seconds for an answer from here on
            worker.agents["p1"].wake()
            await rig.say(entries.NodeHalted, node="n1", detach=True)
            assert told[-1] == ""
        finally:
            await worker.close()


async def test_a_target_that_nobody_guards_is_not_moved_to() -> None:
    """After the commit its guest would outlive its lease, as one that was started unguarded."""
    async with Rig("n1", "n2", "n3") as rig:
        async def absent() -> Problem | None:
            return problem("guardian-unreachable", "guardian", what="-", because="-", fix="-")

        rig.nodes["n2"].guard = absent
        for node in rig.nodes.values():
            node.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.state("n1") == "running"


async def test_a_copy_given_back_is_kept_while_the_guardian_has_it_frozen() -> None:
    """It does not answer, and it is the last of the memory."""
    async with Rig("n1", "n2", "n3") as rig:
        source = rig.nodes["n1"]
        await committed(rig)
        rig.fabric.freeze("n1", "p1")
        source.has_lease = False
        rig.fabric.kill("n2", "p1")
        await rig.say(entries.MoveReturned, move="m1", package="p1")
        await source.agent._once()
        rig.fabric.thaw("n1", "p1")
        source.has_lease = True
        source.begin()
        await rig.until(lambda: rig.state("n1") == "running")
        assert (rig.record.state, rig.record.epoch, rig.record.boot_id) == ("running", 3, "b1")


async def test_a_target_that_can_never_be_continued_gives_the_guest_back() -> None:
    """Its hypervisor says no each time, for example because a disk cannot be opened there: it is
    known not to have run, and the source still has everything."""
    async with Rig("n1", "n2", "n3") as rig:
        await committed(rig)
        target = rig.fabric.guest("n2", "p1")
        assert target is not None
        target.state = "switchover"  # the fake refuses to continue it, and says so
        for node in rig.nodes.values():
            node.begin()
        await rig.until(lambda: not rig.record.moving and rig.state("n1") == "running")
        assert (rig.record.owner, rig.record.boot_id) == ("n1", "b1")
        assert rig.state("n2") == "gone"


async def test_a_move_after_one_that_failed_is_not_taken_for_it() -> None:
    """Its target is ready before the source looks, whose hypervisor still tells of the first."""
    async with Rig("n1", "n2", "n3") as rig:
        for node in rig.nodes.values():
            node.begin()
        await rig.assign(package(migration_bandwidth_mib_s=1), "n1")
        await rig.until(lambda: rig.record.state == "running")
        guest = rig.fabric.guest("n1", "p1")
        assert guest is not None
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: guest.migration == "active")
        guest.fail("failed")
        await rig.until(lambda: not rig.record.moving and rig.state("n2") == "gone")
        await rig.nodes["n1"].pause()
        await rig.say(entries.MoveOpened, move="m2", package="p1", target="n2")
        await rig.until(lambda: rig.record.move is not None and rig.record.move.stage == "copy")
        rig.nodes["n1"].begin()
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n2"


async def test_a_move_ordered_on_a_node_whose_clock_is_slow_has_its_time() -> None:
    """Two hosts' wall clocks are compared nowhere where it matters."""
    async with Rig("n1", "n2", "n3") as rig:
        rig.nodes["n1"].begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        long_ago_ms = rig.clock.wall_ms() - 600_000
        await rig.say(
            entries.MoveOpened, move="m1", package="p1", target="n2", at_ms=long_ago_ms)
        slow_until_s = rig.clock.boottime_s() + 1.0
        await rig.until(lambda: rig.clock.boottime_s() > slow_until_s)
        rig.nodes["n2"].begin()
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n2"


async def orphaned(rig: Rig, *, patience_s: float = 0.5) -> FakeGuest:
    """n1's copy is lost in the switch; n2's, which is returned, has not said anything yet, and is
    waited for so long."""
    rig.nodes["n1"].begin()
    rig.nodes["n2"].begin()
    await rig.assign(package(phase_timeouts=PhaseTimeouts(frozen_s=patience_s)), "n1")
    await rig.until(lambda: rig.record.state == "running")
    await rig.nodes["n1"].end()
    await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
    await rig.until(lambda: rig.record.move is not None and rig.record.move.stage == "copy")
    await rig.nodes["n2"].end()
    await rig.say(entries.MoveFrozen, move="m1", package="p1", stopped_at_ms=5.0, until_ms=9)
    rig.fabric.kill("n1", "p1")
    await rig.say(
        entries.GuestFailed, package="p1", epoch=1, node="n1", problem=ILL, switching=True)
    found = rig.fabric.guest("n2", "p1")
    assert found is not None and found.state == "incoming"
    return found


async def test_a_target_that_is_still_loading_what_it_was_sent_may_say_so() -> None:
    """The source died right after the last byte: the memory is here in a moment."""
    async with Rig("n1", "n2", "n3") as rig:
        target = await orphaned(rig, patience_s=PATIENCE_S)
        rig.nodes["n2"].begin()
        loaded_s = rig.clock.boottime_s() + 0.2
        await rig.until(lambda: rig.clock.boottime_s() > loaded_s)
        target.state, target.has_ended_well = "paused", True
        await rig.until(lambda: not rig.record.moving)
        assert (rig.record.owner, rig.record.boot_id) == ("n2", "b1")


async def test_a_target_behind_a_broken_channel_gives_its_memory_up() -> None:
    """Its source's guest may have run on by itself before it was lost."""
    async with Rig("n1", "n2", "n3") as rig:
        target = await orphaned(rig)
        rig.nodes["n2"].begin()
        target.state = "paused"
        await rig.until(lambda: not rig.record.moving)
        assert (rig.record.state, rig.state("n2")) == ("relocate_wait", "gone")


async def test_a_target_that_never_says_anything_again_is_given_up() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await orphaned(rig)
        rig.fabric.freeze("n2", "p1")
        rig.nodes["n2"].begin()
        await rig.until(lambda: not rig.record.moving)
        assert (rig.record.state, rig.state("n2")) == ("relocate_wait", "gone")


async def committed(rig: Rig) -> None:
    """p1 is n2's by the record, loaded there and not let run; the agents stand still."""
    for node in rig.nodes.values():
        node.begin()
    rig.nodes["n2"].has_lease = False
    await rig.assign(package(), "n1")
    await rig.until(lambda: rig.record.state == "running")
    await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
    await rig.until(lambda: rig.record.owner == "n2")
    await rig.until(lambda: rig.state("n1") == "postmigrate")
    for node in rig.nodes.values():
        await node.end()
    rig.nodes["n2"].has_lease = True
