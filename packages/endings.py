"""What an owner says of its guest's end: failed, gone, released.

*Released* lets another node start the package. So it is said only of a guest whose process was seen
to end, or that is not to be found on this host: not by its name, whatever folder it was started
from, nor among those that have its disks open. What must never happen here: "I do not remember it"
taken for "it is not there".
"""

import logging

from cluster.core import entries
from cluster.core.duties import AnyDuty, Keep, Send, Start
from packages import access
from packages.core.means import OF_THE_NODE
from packages.core.model import PackageSpec
from packages.core.move_recovery import may_have_switched
from packages.core.problem import Problem, problem
from packages.surroundings import Surroundings

log = logging.getLogger(__name__)


async def against_release(around: Surroundings, spec: PackageSpec) -> Problem | None:
    """End what is left of the package's guests here, and say what cannot be ended."""
    refused = await around.driver.end_remains(spec.name)
    if refused is not None:
        return refused
    for each in await around.strangers.find({disk.path for disk in spec.vm.disks}):
        if each.disks:
            return problem(
                "guest-not-released", f"package:{spec.name}",
                what=f"Package {spec.name} is not given to another node yet.",
                because=f"Process {each.pid} on {around.node}, {each.name or 'without a name'}, "
                        f"has {', '.join(each.disks)} open.",
                fix=f"End process {each.pid} on {around.node}, which nobody here has started; the "
                    "rest follows by itself.",
            )
    return None


class Answers:
    """One package's on one node. A release that is refused is tried again with the next look."""

    def __init__(self, around: Surroundings, package: str) -> None:
        self._around, self._package = around, package
        self.refused: Problem | None = None
        """Why it is not released although it should be."""

    async def failed(
        self, duty: AnyDuty, failure: Problem, *, switching: bool = False, blameless: bool = False,
    ) -> None:
        await self._around.ledger.say(
            entries.GuestFailed, failure.what, package=self._package, epoch=duty.epoch,
            node=self._around.node, problem=failure, switching=switching, blameless=blameless,
        )

    async def not_started(self, duty: Start, failure: Problem) -> None:
        """What its node lacks is no failure of the package: it is started elsewhere."""
        short = failure.code in OF_THE_NODE
        await self._around.ledger.say(
            entries.GuestFailed, failure.what, package=self._package, epoch=duty.epoch,
            node=self._around.node, problem=failure, short=short,
        )

    async def gone(self, duty: Keep | Send, because: str, *, blameless: bool) -> None:
        """The daemon's earlier life may have ordered the switch of a move: then the target may
        hold the whole memory, and is asked. Not while a copy of it is here that nobody holds."""
        self.refused = await self._around.driver.end_remains(self._package)
        if self.refused is not None:
            log.error("%s: %s %s", self._package, self.refused.what, self.refused.because)
            return
        gone = problem(
            "guest-gone", f"package:{self._package}", what="The guest's process is gone.",
            because=because, fix="The package is restarted; nothing needs to be done.",
        )
        switching = isinstance(duty, Send) and may_have_switched(duty.move.stage, "gone", "none")
        await self.failed(duty, gone, switching=switching, blameless=blameless)

    async def released(self, duty: AnyDuty, *, powered_off: bool = False) -> None:
        self.refused = await against_release(self._around, duty.spec)
        if self.refused is not None:
            log.error("%s: %s %s", self._package, self.refused.what, self.refused.because)
            return
        await self._around.ledger.say(
            entries.GuestReleased, f"gone from {self._around.node}", package=self._package,
            epoch=duty.epoch, node=self._around.node, powered_off=powered_off,
        )
        await access.give_up(self._around, duty.spec, duty.epoch)
