"""A package is released only when its guest was seen dead, or is not to be found on its host."""

from cluster.core import entries
from packages.core.sightings import Stranger
from packages.vm.fake_guest import FakeGuest
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig


async def forgotten(rig: Rig) -> FakeGuest:
    """p1 runs on n1 by the record, and n1's daemon was replaced by one that knows nothing of it."""
    rig.nodes["n1"].begin()
    await rig.assign(package(), "n1")
    await rig.until(lambda: rig.record.state == "running")
    found = rig.fabric.guest("n1", "p1")
    assert found is not None
    await rig.nodes["n1"].pause()
    rig.fabric.orphan("n1", "p1")
    rig.nodes["n1"].agent.body.guest = None
    return found


async def stays(rig: Rig, *states: str) -> None:
    until_s = rig.clock.boottime_s() + 0.5
    await rig.until(lambda: rig.clock.boottime_s() > until_s)
    assert rig.record.owner == "n1" and rig.record.state in states


async def test_a_guest_that_is_not_remembered_ends_before_its_package_goes_on() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        guest = await forgotten(rig)
        rig.nodes["n1"].begin()
        await rig.until(lambda: rig.record.epoch == 2)
        assert guest.exit is not None


async def test_a_guest_that_cannot_be_ended_is_not_released() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        guest = await forgotten(rig)
        guest.cannot_end = True
        rig.nodes["n1"].begin()
        await stays(rig, "running", "failing")
        stuck = rig.nodes["n1"].agent.stuck
        assert stuck is not None and stuck.code == "guest-will-not-end"
        guest.cannot_end = False
        rig.nodes["n1"].agent.wake()
        await rig.until(lambda: rig.record.epoch == 2)
        await rig.until(lambda: rig.nodes["n1"].agent.stuck is None)


async def test_a_package_is_not_released_while_another_hypervisor_has_its_disk_open() -> None:
    """It would be started elsewhere beside it."""
    async with Rig("n1", "n2", "n3") as rig:
        node = rig.nodes["n1"]
        spec = package()
        node.begin()
        await rig.assign(spec, "n1")
        await rig.until(lambda: rig.record.state == "running")
        node.strangers = [Stranger(pid=4711, name="by hand", disks=(spec.vm.disks[0].path,))]
        await rig.say(entries.PackageHalted, package="p1")
        await stays(rig, "halting")
        assert node.agent.stuck is not None and node.agent.stuck.code == "guest-not-released"
        assert "4711" in node.agent.stuck.because
        node.strangers = []
        node.agent.wake()
        await rig.until(lambda: rig.record.state == "halted")


async def test_a_target_that_forgot_its_guest_does_not_give_it_back_while_it_is_there() -> None:
    """The source would be continued beside it."""
    async with Rig("n1", "n2", "n3") as rig:
        for each in rig.nodes.values():
            each.begin()
        rig.nodes["n2"].has_lease = False
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: rig.record.owner == "n2")
        target = rig.fabric.guest("n2", "p1")
        assert target is not None
        target.cannot_end = True
        rig.fabric.orphan("n2", "p1")
        rig.nodes["n2"].agent.body.guest = None
        rig.nodes["n2"].has_lease = True
        rig.nodes["n2"].agent.wake()
        until_s = rig.clock.boottime_s() + 0.5
        await rig.until(lambda: rig.clock.boottime_s() > until_s)
        assert rig.record.moving and rig.state("n1") == "postmigrate"
        target.cannot_end = False
        rig.nodes["n2"].agent.wake()
        await rig.until(lambda: rig.record.owner == "n1" and rig.state("n1") == "running")
        assert target.exit is not None
