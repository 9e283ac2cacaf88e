"""A site loses its power four times in a row: no failure of its guests, and none of one node.

Two packages stay where they are, a third is in the middle of its move each time. Hosts come back in
turn, and the last of them later than the others' patience lasts.
"""

from collections.abc import Callable

import pytest

from cluster.api import messages as ask
from cluster.core.model import MoveRecord, MoveStage, NodeRecord, PackageRecord
from tests.simulation.test_part_loss import state
from tests.simulation.test_simulation import ask_and_wait
from tests.simulation.world import World, file_of, package

LOSSES = 4
NODES = ("ape", "bee", "cat")
HOMES = {"web": NODES, "db": ("cat", "ape", "bee"), "app": ("bee", "cat", "ape")}
UP_S = 60.0


def packages(world: World) -> list[PackageRecord]:
    return [each for _, each in sorted(state(world).packages.items())]


def all_run(world: World) -> Callable[[], bool]:
    return lambda: world.leader() is not None and all(
        each.state == "running" and not each.moving for each in packages(world))


def set_up(world: World) -> None:
    world.until(world.leader, within_s=5.0, what="an election")
    files = tuple(
        ask.NamedText(name=name, text=file_of(package(name, nodes, service_restart=0)))
        for name, nodes in HOMES.items())
    assert ask_and_wait(world, "bee", ask.ApplyPackages(request="a", files=files)).verdict == "done"
    world.until(all_run(world), within_s=20.0, what="all packages up")


def lose_site(world: World, number: int, stage: MoveStage) -> None:
    """Every host at one instant, in this stage of a move."""
    target = next(each for each in HOMES["app"] if each != state(world).packages["app"].owner)
    order = ask.MovePackage(request=f"m{number}", package="app", node=target)

    def strike(move: MoveRecord) -> None:
        if move.stage == stage and world.leader() is not None:
            world.timeline.after(0.01, power_off, world)

    world.judge.moved = strike
    world.desk.begin(world.asker.ask("ape", order, deadline_s=2.0))
    world.until(lambda: not any(each.has_power for each in world.hosts.values()), within_s=20.0,
                what=f"a move in {stage}")
    world.judge.moved = lambda move: None


def power_off(world: World) -> None:
    for host in world.hosts.values():
        if host.has_power:
            host.lose_power()


def power_on(world: World, *, between_s: float) -> None:
    for number, host in enumerate(world.hosts.values()):
        world.run(between_s if number else 0.0)
        host.boot()
        host.start_daemon()


def blamed(each: NodeRecord) -> bool:
    return (each.state, each.failures_ms, each.quarantined_until_ms) != ("running", (), None)


@pytest.mark.parametrize("stage", ["opened", "copy", "frozen", "committed"])
@pytest.mark.parametrize("dark_s,between_s", [(0.3, 0.1), (20.0, 9.0)])
def test_four_losses_of_the_sites_power_leave_every_package_up(
    dark_s: float, between_s: float, stage: MoveStage,
) -> None:
    with World(1) as world:
        set_up(world)
        for number in range(LOSSES):
            lose_site(world, number, stage)
            world.run(dark_s)
            power_on(world, between_s=between_s)
            world.until(all_run(world), within_s=UP_S, what=f"all up after loss {number + 1}")
            world.until_settled(within_s=UP_S)
            for record in packages(world):
                assert (record.failures_ms, record.avoid, record.auto_run) == ((), (), True), record
            nodes = state(world).nodes
            assert not [each for each in nodes.values() if blamed(each)], nodes
