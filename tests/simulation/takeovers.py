"""How long from a power cut until a takeover begins, in simulated time.

    python -m tests.simulation.takeovers --seeds 500      from the project's root

Nothing else goes wrong in these runs, so that what is left of the dice is when the cut comes, how
long messages take, and how the survivors elect. A second that is lost here is lost by the rules.
"""

import argparse
import statistics
import sys
from typing import NamedTuple

from cluster.api import messages as ask
from packages.core.model import FenceSpec
from tests.simulation.hardware import Hardware
from tests.simulation.host import Host
from tests.simulation.world import World, file_of, package

NO_FENCE = FenceSpec()
DISK_FENCE = FenceSpec(kind="scsi_reservation")


class Takeover(NamedTuple):
    """Seconds from the cut."""

    elected_s: float
    begun_s: float


def taken_over(seed: int, *, coordinator: bool, fence: FenceSpec = NO_FENCE) -> Takeover:
    """One cut of the node that runs the package: the coordinator, or another."""
    with World(seed, hardware=Hardware(fence=fence)) as world:
        world.until(world.leader, within_s=5.0, what="an election")
        world.run(2.0)  # all have joined
        led = leading(world)
        others = [name for name in world.hosts if name != led.name]
        order = (led.name, *others) if coordinator else (*others, led.name)
        world.desk.begin(applied(world, led.name, order))
        world.until(lambda: owner(world) == order[0], within_s=10.0, what="it runs")
        world.run(world.timeline.dice.uniform(2.0, 4.0))
        assert leading(world) is led, "nothing has gone wrong yet"
        cut_s = world.timeline.now_s
        world.hosts[order[0]].lose_power()
        elected_s = 0.0
        while owner(world) in (None, order[0]):
            world.run(0.01)
            if not elected_s and world.leader() is not None:
                elected_s = world.timeline.now_s - cut_s
        return Takeover(elected_s, world.timeline.now_s - cut_s)


async def applied(world: World, node: str, order: tuple[str, ...]) -> None:
    text = file_of(package("web", order, fence=world.hardware.fence))
    files = (ask.NamedText(name="web", text=text),)
    await world.asker.ask(node, ask.ApplyPackages(request="a", files=files), deadline_s=20.0)


def leading(world: World) -> Host:
    found = world.leader()
    assert found is not None
    return found


def owner(world: World) -> str | None:
    """Whose it is by the leader's record."""
    led = world.leader()
    record = led.node.ledger.package("web") if led is not None and led.node is not None else None
    return None if record is None else record.owner


def said(name: str, seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return (
        f"{name}: median {statistics.median(ordered):.2f} s, one in twenty above "
        f"{ordered[len(ordered) * 19 // 20]:.2f}, worst {ordered[-1]:.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.takeovers")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    for fence in (NO_FENCE, DISK_FENCE):
        for coordinator in (False, True):
            found = [taken_over(seed, coordinator=coordinator, fence=fence) for seed in seeds]
            which = "the coordinator" if coordinator else "another"
            print(f"{which} cut, fence {fence.kind}")
            print(said("  elected", [each.elected_s for each in found]))
            print(said("  begun", [each.begun_s for each in found]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
