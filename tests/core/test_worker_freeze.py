"""The daemon stops its guests itself at the end of a lease: all of them, whatever befalls one."""

from packages.core.model import PackageSpec, VmSpec
from packages.vm.driver import Guest
from packages.vm.fake import FakeDriver
from packages.worker import Worker
from tests.scenarios.agents_rig import AgentNode, Rig


class Obstinate(FakeDriver):
    """Cannot stop one of them at first."""

    refusals = 1

    async def freeze(self, guest: Guest) -> bool:
        if guest.package == "a" and self.refusals:
            self.refusals -= 1
            raise PermissionError(1, "not permitted")
        return await super().freeze(guest)


async def with_guests(node: AgentNode, *names: str) -> Worker:
    worker = Worker(node.agent.around)
    for number, name in enumerate(names, 1):
        made = await node.driver.start(
            PackageSpec(name=name, nodes=("n1",), vm=VmSpec(memory_mib=64, disks=())), epoch=number,
            boot_id=name, deadline_s=1.0)
        assert isinstance(made, Guest)
        worker._agent(name).body.guest = made
    return worker


def stands(rig: Rig, name: str) -> bool:
    guest = rig.fabric.guest("n1", name)
    return guest is not None and guest.is_frozen


async def test_what_cannot_be_stopped_lets_nobody_else_run_on():
    async with Rig("n1") as rig:
        node = rig.nodes["n1"]
        node.agent.around.driver = node.driver = Obstinate("n1", rig.fabric, rig.clock)
        worker = await with_guests(node, "a", "b")
        assert await worker.freeze()
        assert not stands(rig, "a") and stands(rig, "b")
        assert await worker.freeze(), "it is tried again"
        assert stands(rig, "a") and len(worker.frozen) == 2
        assert not await worker.freeze()


async def test_what_somebody_continued_is_stopped_again_and_the_guardian_hears_of_it():
    """Both lists: one that is as the last would not be said, and where it was the guardian that
    let the guest go on, under a lease this daemon has not heard of yet, it would stand for ever."""
    async with Rig("n1") as rig:
        node = rig.nodes["n1"]
        worker = await with_guests(node, "a", "b")
        told = []
        node.agent.around.guests_changed = lambda: told.append(worker.frozen)
        assert await worker.freeze()
        assert not await worker.freeze() and not told
        both = worker.frozen
        rig.fabric.thaw("n1", "a")
        assert await worker.freeze(), "whoever asked has the guardian told"
        assert stands(rig, "a") and worker.frozen == both
        assert [len(frozen) for frozen in told] == [1]
        assert not await worker.freeze()
