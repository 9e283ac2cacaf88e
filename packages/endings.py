"""What is said of a guest's end: that it is gone, and given up."""

from cluster.core import duties, entries
from cluster.core.duties import AnyDuty
from packages import access
from packages.core.move_recovery import may_have_switched
from packages.core.problem import Problem, problem
from packages.surroundings import Surroundings


def gone(duty: duties.Keep | duties.Send, because: str) -> tuple[Problem, bool]:
    """(what is wrong, whether its target may hold the whole memory). The daemon's earlier life may
    have ordered the switch of a move: then the target is asked."""
    switching = isinstance(duty, duties.Send) and may_have_switched(
        duty.move.stage, "gone", "none")
    return problem(
        "guest-gone", f"package:{duty.package}", what="The guest's process is gone.",
        because=because, fix="The package is restarted; nothing needs to be done.",
    ), switching


async def released(around: Surroundings, duty: AnyDuty, *, powered_off: bool = False) -> None:
    """It was seen gone, for this epoch."""
    await around.ledger.say(
        entries.GuestReleased, f"gone from {around.node}", package=duty.package,
        epoch=duty.epoch, node=around.node, powered_off=powered_off,
    )
    await access.give_up(around, duty.spec, duty.epoch)
