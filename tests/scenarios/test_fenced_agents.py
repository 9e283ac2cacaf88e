"""What agents ask of the storage, and what becomes of a guest that was shut out."""

from cluster.core import entries
from packages.core.fencing import registrant
from packages.core.model import FenceSpec
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig

FENCED = package(fence=FenceSpec(kind="scsi_reservation"))
DISK = FENCED.vm.disks[0].path


def let_in(rig: Rig) -> set[tuple[str, int]]:
    return {(each.node, each.epoch) for each in rig.storage.lists[DISK]}


async def running(rig: Rig) -> None:
    for node in rig.nodes.values():
        node.begin()
    await rig.assign(FENCED, "n1")
    await rig.until(lambda: rig.record.state == "running")


async def fence(rig: Rig, node: str) -> None:
    assert await rig.say(
        entries.FenceOrdered, package="p1", epoch=rig.record.epoch, victim=rig.record.owner,
        node=node, term=0) is None


async def test_a_guest_has_its_disks_from_its_start_to_its_end() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        rig.storage.lists[DISK].add(registrant("n3", 0))  # left behind by somebody
        await running(rig)
        assert let_in(rig) == {("n1", 1)}
        await rig.say(entries.PackageHalted, package="p1")
        await rig.until(lambda: rig.record.state == "halted")
        await rig.until(lambda: let_in(rig) == set())


async def test_a_node_that_is_not_let_in_does_not_start_the_guest() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        rig.storage.deaf_to = {"n1"}
        for node in rig.nodes.values():
            node.begin()
        await rig.assign(FENCED, "n1")
        await rig.until(lambda: rig.record.state == "relocate_wait")
        assert "does not reach the storage" in rig.record.because
        assert let_in(rig) == set()


async def test_a_move_leaves_the_target_alone_with_the_disks() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n2"
        await rig.until(lambda: let_in(rig) == {("n2", 2)})


async def test_a_target_that_could_not_shut_its_source_out_does_so_when_it_can() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: ("n2", 2) in let_in(rig))
        rig.storage.deaf_to = {"n1", "n2"}
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n2" and ("n1", 1) in let_in(rig)
        rig.storage.deaf_to = set()
        await rig.until(lambda: let_in(rig) == {("n2", 2)})


async def test_a_move_that_fails_takes_nothing_from_its_source() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        rig.storage.deaf_to = {"n2"}
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.record.move is not None
        assert rig.record.move.problem is not None
        assert "does not reach the storage" in rig.record.move.problem.because
        assert let_in(rig) == {("n1", 1)}


async def test_the_silent_owner_is_shut_out_before_the_package_is_free() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.nodes["n1"].end()  # it hangs, and its guest runs on
        await fence(rig, "n2")
        await rig.until(lambda: rig.record.owner is None)
        assert not rig.storage.may_write(DISK, "n1", 1)
        assert rig.record.proof is not None and rig.record.proof.kind == "storage"
        await rig.say(entries.PackageAssigned, package="p1", node="n3", boot_id="b2")
        await rig.until(lambda: rig.record.state == "running")
        assert let_in(rig) == {("n3", 2)}, "the one that fenced is off the list again"


async def test_the_one_that_fenced_and_takes_over_is_on_the_list_once() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await rig.nodes["n1"].end()
        await fence(rig, "n2")
        await rig.until(lambda: rig.record.owner is None)
        await rig.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2")
        await rig.until(lambda: rig.record.state == "running")
        assert let_in(rig) == {("n2", 2)}


async def test_one_that_was_shut_out_and_lives_ends_its_guest_and_may_own_again() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        await fence(rig, "n2")
        await rig.until(lambda: rig.state("n1") == "gone")
        await rig.say(entries.PackageAssigned, package="p1", node="n1", boot_id="b2")
        await rig.until(lambda: rig.record.state == "running")
        assert let_in(rig) == {("n1", 2)}


async def test_a_fence_that_is_not_answered_by_the_storage_frees_nothing() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        rig.storage.deaf_to = {"n2"}
        await fence(rig, "n2")
        await rig.until(lambda: rig.record.fencing is not None
                        and rig.record.fencing.problem is not None)
        assert (rig.record.owner, rig.state("n1")) == ("n1", "running")
        assert rig.storage.may_write(DISK, "n1", 1)


async def test_a_fencer_that_dies_before_its_answer_does_it_again() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        await running(rig)
        fencer = rig.nodes["n2"]
        await fencer.end()
        await fence(rig, "n2")
        # Struck, and the daemon gone before it could say so.
        fences = rig.storage.fences("n2")
        assert await fences.register(FENCED, "n2", 1) is None
        assert await fences.fence(FENCED, "n2", 1) is None
        fencer.begin()
        await rig.until(lambda: rig.record.owner is None)
        assert rig.record.proof is not None and rig.record.proof.kind == "storage"
