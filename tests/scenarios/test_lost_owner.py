"""What a node does with a guest that it may have again, or that its own guardian ended."""

from cluster.core import entries
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig


async def running(rig: Rig) -> None:
    rig.nodes["n1"].begin()
    await rig.assign(package(nodes=("n1",)), "n1")
    await rig.until(lambda: rig.record.state == "running")


async def test_a_guest_that_nobody_was_given_is_left_alone_and_goes_on() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        node = rig.nodes["n1"]
        life = rig.fabric.guest("n1", "p1")
        node.has_lease = False
        rig.fabric.freeze("n1", "p1")
        await rig.fail("n1")
        await rig.until(lambda: node.agent.watch is None)
        assert rig.fabric.guest("n1", "p1") is life, "it was ended, and nobody else had it"
        guest = entries.GuestReport(package="p1", epoch=1, boot_id="b1")
        await rig.say(
            entries.NodeJoined, node="n1", incarnation="i2", version="0.2.0", guests=(guest,))
        node.has_lease = True
        rig.fabric.thaw("n1", "p1")
        await rig.until(lambda: node.agent.watch is not None)
        assert (rig.record.state, rig.record.owner, rig.record.epoch) == ("running", "n1", 1)
        assert rig.fabric.guest("n1", "p1") is life


async def test_a_guest_whose_package_was_given_away_meanwhile_is_ended() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.fail("n1")
        await rig.say(entries.PackageApplied, spec=package(nodes=("n1", "n2")))
        await rig.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2")
        await rig.until(lambda: rig.state("n1") == "gone")


async def test_a_guest_that_ends_without_a_lease_has_not_failed() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        node = rig.nodes["n1"]
        node.has_lease = False
        rig.fabric.kill("n1", "p1")
        node.agent.wake()
        await rig.until(lambda: rig.record.state == "relocate_wait")
        assert (rig.record.failures_ms, rig.record.preferred) == ((), "n1")


async def test_a_guest_that_ends_under_its_lease_has_failed() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        rig.fabric.kill("n1", "p1")
        rig.nodes["n1"].agent.wake()
        await rig.until(lambda: rig.record.epoch == 2)
        assert len(rig.record.failures_ms) == 1
