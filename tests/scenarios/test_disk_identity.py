"""A path that means another LUN from one moment to the next, at every step of a guest's life."""

from cluster.core import entries
from packages.core.known_disks import KnownDisk
from packages.core.problem import Problem
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig

PATH = package().vm.disks[0].path


async def running(rig: Rig) -> None:
    for node in rig.nodes.values():
        node.begin()
    await rig.assign(package(), "n1")
    await rig.until(lambda: rig.record.state == "running")


def known(rig: Rig) -> list[tuple[str, str]]:
    return [(each.path, each.identity) for each in rig.record.disks]


async def test_what_a_guest_has_open_is_in_the_record_from_its_first_start() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        rig.nodes["n1"].driver.means[PATH] = "lun-a"
        await running(rig)
        assert known(rig) == [(PATH, "lun-a")]
        assert (rig.record.disks[0].device, rig.record.disks[0].node) == ("fake:lun-a", "n1")


async def test_a_path_changed_while_the_disk_is_opened_never_runs() -> None:
    """The first start: the record knows nothing yet."""
    async with Rig("n1", "n2", "n3") as rig:
        ran = []

        async def changes() -> Problem | None:
            guest = rig.fabric.guest("n1", "p1")
            assert guest is not None
            guest.listeners.append(lambda event: ran.append(event.kind))
            rig.nodes["n1"].driver.means[PATH] = "lun-b"
            return None

        rig.nodes["n1"].driver.means[PATH] = "lun-a"
        rig.nodes["n1"].guard = changes
        rig.nodes["n1"].begin()
        await rig.assign(package(service_restart=0), "n1")
        await rig.until(lambda: rig.record.failures_ms != ())
        assert "resumed" not in ran
        await rig.until(lambda: rig.record.owner is None)
        assert rig.record.disks == () and "another one" in rig.record.because


async def test_a_known_disk_opened_as_another_never_runs() -> None:
    """As if the path had been changed after every check, right before it was opened."""
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.say(entries.PackageHalted, package="p1")
        await rig.until(lambda: rig.record.owner is None)
        rig.nodes["n2"].driver.means[PATH] = "lun-b"
        await rig.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2",
                      operator=True)
        await rig.until(lambda: rig.record.failures_ms != ())
        assert "lun-b" in rig.record.because and PATH in rig.record.because
        assert known(rig) == [(PATH, PATH)]


async def test_a_target_with_another_lun_is_never_given_memory() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        rig.nodes["n2"].driver.means[PATH] = "lun-c"
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: not rig.record.moving)
        move = rig.record.move
        assert move is not None and move.result == "failed" and move.problem is not None
        assert "n2" in move.problem.because
        assert not rig.nodes["n2"].agent.body.waits.is_set()
        assert rig.record.owner == "n1" and rig.state("n1") == "running"


async def test_a_path_that_the_source_lost_does_not_keep_its_guest_from_moving() -> None:
    """The guest has the right disk open, and so has the target."""
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        rig.nodes["n1"].driver.means[PATH] = "lun-b"
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n2" and known(rig) == [(PATH, PATH)]
        await rig.until(lambda: rig.record.disks[0].node == "n2")


async def test_a_guest_found_again_is_held_against_the_record() -> None:
    """Its path means another LUN by now: no matter. Another device in its process does."""
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        node = rig.nodes["n1"]
        node.driver.means[PATH] = "lun-b"
        node.agent._alone = None  # as a new daemon's agent begins
        node.agent.wake()
        await rig.until(lambda: node.agent._alone is not None)
        assert rig.record.state == "running" and rig.record.epoch == 1
        guest = rig.fabric.guest("n1", "p1")
        assert guest is not None
        guest.luns = ("lun-x",)
        node.agent._alone = None
        node.agent.wake()
        await rig.until(lambda: rig.record.failures_ms != ())
        assert rig.record.disks == (KnownDisk(
            path=PATH, identity=PATH, size_bytes=1 << 30, sector_bytes=512,
            device=f"fake:{PATH}", node="n1"),)


async def test_a_lun_that_has_grown_is_the_same_and_is_told() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.say(entries.PackageHalted, package="p1")
        await rig.until(lambda: rig.record.owner is None)
        rig.nodes["n2"].probe.bytes[PATH] = 2 << 30
        await rig.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2",
                      operator=True)
        await rig.until(lambda: rig.record.state == "running")
        assert rig.record.disks[0].size_bytes == 2 << 30
