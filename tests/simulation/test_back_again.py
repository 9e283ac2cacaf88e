"""A daemon that comes back, and what it may say before it has joined."""

from tests.simulation.hardware import Hardware
from tests.simulation.test_simulation import web_on_a_follower
from tests.simulation.world import World

STEP_S = 0.0005


def test_nobody_is_answered_before_it_knows_its_own_guests() -> None:
    """To a survey they would be a stranger's: the disks in use, the next apply refused."""
    with World(1, hardware=Hardware()) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        host.kill_daemon()
        host.start_daemon()
        while not world.network.hears(here, "api", host.daemon):
            world.run(STEP_S)
        assert host.node is not None
        assert [each.package for each in host.node.worker.guests()] == ["web"]
