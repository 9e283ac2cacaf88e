"""The profile is changed, and a new leader's own file has another lease than the one that a node,
cut off at that moment, was granted.

One daemon is restarted after the change, so that its file has the new profile; then the leader's
is, and the owner of the package is cut off in the same instant: it knows of no other lease than the
old one. Whoever is elected waits for the end of that, or two copies run.
"""

from cluster.api import messages as ask
from cluster.config.load import dump
from cluster.config.schema import Profile
from cluster.core import leases
from packages.core.values import changed
from tests.simulation.host import Build, Host
from tests.simulation.takeovers import applied, leading, owner
from tests.simulation.world import World

CUT_S = 15.0
"""Longer than the longest lease of the simulated profiles, with its margin."""


def changed_and_cut(
    seed: int, before: Profile, after: Profile, *, build: Build | None = None, wait_s: float = 3.0,
) -> World:
    """The world afterwards; raises Broken."""
    with World(seed, build=build, profile=before) as world:
        led, owning, other = _set_up(world)
        text = dump(changed(world.config, profile=after))
        world.desk.begin(_apply(world, other.name, text))
        world.until(lambda: _profile(led) == after, within_s=5.0, what="the profile is agreed upon")
        _restart(other)
        world.run(wait_s)
        if leading(world) is not led:
            return world  # an election of its own: nothing is shown by this seed
        _restart(led)
        for one, another in ((owning.name, each) for each in world.hosts if each != owning.name):
            world.network.cut(one, another)
            world.network.cut(another, one)
        world.run(CUT_S)
        assert owner(world) not in (None, owning.name), "it was taken over"
        world.network.heal()
        world.until_settled(within_s=60.0)
        world.until(lambda: _is_taken(world), within_s=30.0, what="everybody has the new lease")
        return world


def _set_up(world: World) -> tuple[Host, Host, Host]:
    """The leader, the package's owner, and the third."""
    world.until(world.leader, within_s=5.0, what="an election")
    world.run(2.0)
    led = leading(world)
    owning, other = (each for each in world.hosts.values() if each is not led)
    world.desk.begin(applied(world, led.name, (owning.name, other.name, led.name)))
    world.until(lambda: owner(world) == owning.name, within_s=10.0, what="it runs")
    world.run(3.0)
    assert leading(world) is led, "nothing has gone wrong yet"
    return led, owning, other


async def _apply(world: World, node: str, text: str) -> None:
    await world.asker.ask(node, ask.ApplyCluster(request="c", text=text), deadline_s=20.0)


def _restart(host: Host) -> None:
    host.kill_daemon()
    host.start_daemon()


def _profile(host: Host) -> str:
    last = leases.newest(host.node.ledger.state) if host.node is not None else None
    return last.profile if last is not None else ""


def _is_taken(world: World) -> bool:
    led = world.leader()
    return led is not None and led.node is not None and len(led.node.ledger.state.leases) == 1
