"""Only the link between a node and the coordinator breaks, for long: nobody's guest stands still.

The third node hears both, and passes the node's requests for its lease on.
"""

import pytest

from tests.simulation.takeovers import applied, leading, owner
from tests.simulation.world import World

CUT_S = 25.0
"""Several leases."""


@pytest.mark.parametrize("ways", ["both", "there", "back"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_guest_runs_on(seed: int, ways: str) -> None:
    with World(seed) as world:
        world.until(world.leader, within_s=5.0, what="an election")
        world.run(2.0)
        led = leading(world)
        here = next(name for name in world.hosts if name != led.name)
        rest = [name for name in world.hosts if name != here]
        world.desk.begin(applied(world, led.name, (here, *rest)))
        world.until(lambda: owner(world) == here, within_s=10.0, what="it runs")
        world.run(3.0)
        if ways in ("both", "there"):
            world.network.cut(here, led.name)
        if ways in ("both", "back"):
            world.network.cut(led.name, here)
        frozen = False
        for _ in range(int(CUT_S / 0.1)):
            world.run(0.1)
            guest = world.around.fabric.guest(here, "web")
            assert guest is not None and guest.exit is None
            frozen = frozen or guest.is_frozen
        assert not frozen
        assert owner(world) == here
        world.network.heal()
        world.until_settled(within_s=60.0)
        assert owner(world) == here
