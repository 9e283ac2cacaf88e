"""What an agent asks of the storage fence: its own node let in before its guest has the disks, and
given up after the guest is gone; others shut out.

What must never happen here: a guest let at disks that its node is not registered with; a node
registered anew for a guest that runs: one that was shut out would come in again by itself.
"""

import logging

from cluster.core import entries
from cluster.core.duties import Fence, Start
from packages.core.fencing import fenced_by
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.surroundings import Surroundings

log = logging.getLogger(__name__)


async def let_in(around: Surroundings, duty: Start) -> Problem | None:
    """Before a new life: this node alone, whoever left what behind."""
    spec, fences = duty.spec, around.fences
    if not fenced_by(spec):
        return None
    refused = await fences.register(spec, around.node, duty.epoch)
    refused = refused or await fences.fence(spec, around.node, duty.epoch)
    if refused is None:
        # What it had itself: from a fence it carried out, or a life whose end it did not see.
        await give_up(around, spec, duty.epoch - 1)
    return refused


async def let_in_beside(around: Surroundings, spec: PackageSpec, epoch: int) -> Problem | None:
    """Before a guest waits for memory: its source goes on writing."""
    return await around.fences.register(spec, around.node, epoch) if fenced_by(spec) else None


async def alone(around: Surroundings, spec: PackageSpec, epoch: int) -> bool:
    """Whether nobody that had the disks before this node's running guest can write any more."""
    if not fenced_by(spec):
        return True
    refused = await around.fences.fence(spec, around.node, epoch)
    if refused is not None:
        log.warning("%s: %s", spec.name, refused.because)
    return refused is None


async def give_up(around: Surroundings, spec: PackageSpec, epoch: int) -> None:
    """Where that fails the next owner does it, before its guest begins."""
    if fenced_by(spec):
        refused = await around.fences.release(spec, around.node, epoch)
        if refused is not None:
            log.warning("%s: %s", spec.name, refused.because)


async def shut_out(around: Surroundings, duty: Fence) -> None:
    """For the cluster, as one that never owned the package in a later epoch than its victim."""
    spec, fences = duty.spec, around.fences
    refused = await fences.register(spec, around.node, duty.epoch)
    refused = refused or await fences.fence(spec, around.node, duty.epoch)
    because = f"{around.node} has taken it off the list of those that may write to the disks"
    await around.ledger.say(
        entries.FenceAnswered, refused.because if refused else because, package=duty.package,
        order=duty.order, problem=refused,
    )
