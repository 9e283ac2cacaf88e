"""A whole drain in a simulated cluster: twenty packages leave, whoever dies meanwhile."""

from collections.abc import Iterator
from functools import partial

import pytest

from cluster.api import messages as ask
from cluster.core.model import State
from tests.simulation.test_simulation import ask_and_wait
from tests.simulation.world import World, file_of, package

NAMES = tuple(f"p{number:02}" for number in range(1, 21))
DOWN_S = 1.0
"""For which a killed daemon stays away: its node's lease lasts longer, and its guests run on."""


@pytest.fixture
def world() -> Iterator[World]:
    """Twenty packages on ape, of three nodes."""
    with World(1) as world:
        world.until(world.leader, within_s=5.0, what="an election")
        files = tuple(
            ask.NamedText(name=name, text=file_of(package(name, ("ape", "bee", "cat"))))
            for name in NAMES)
        assert ask_and_wait(world, "bee", ask.ApplyPackages(
            request="apply", files=files)).verdict == "done"
        world.until(lambda: len(on(world, "ape")) == 20, within_s=20.0, what="all on ape")
        yield world


def state(world: World) -> State:
    host = next(each for each in world.hosts.values() if each.node is not None)
    leader = world.leader() or host
    assert leader.node is not None
    return leader.node.ledger.state


def on(world: World, node: str) -> list[str]:
    return [name for name, each in sorted(state(world).packages.items())
            if each.owner == node and each.state == "running" and not each.moving]


def lives(world: World) -> dict[str, str]:
    return {name: each.boot_id for name, each in sorted(state(world).packages.items())}


def lose_coordinator(world: World) -> str:
    """Its daemon alone, killed and started again."""
    leader = world.leader()
    assert leader is not None
    leader.kill_daemon()
    world.timeline.after(DOWN_S, leader.start_daemon)
    world.until(lambda: (now := world.leader()) is not None and now is not leader, within_s=5.0,
                what="another coordinator")
    return leader.name


def test_a_drain_of_twenty_goes_on_through_the_deaths_of_its_coordinators(world: World) -> None:
    before, at_once = lives(world), []

    def look() -> bool:
        moving = [each.move for each in state(world).packages.values() if each.moving]
        at_once.append(len(moving))
        assert len({each.target for each in moving if each}) == len(moving), "one on each link"
        return state(world).nodes["ape"].state == "maintenance"

    def leaves(at_most: int) -> bool:
        look()
        return len(on(world, "ape")) <= at_most

    reply = ask_and_wait(world, "cat", ask.DrainNode(request="drain", node="ape"))
    assert reply.verdict == "done" and len(reply.result["moves"]) == 20
    assert len(reply.result["waves"]) == 10
    for left in (15, 8):
        world.until(partial(leaves, left), within_s=60.0, what=f"{left} left")
        lose_coordinator(world)
    world.until(look, within_s=60.0, what="an empty node")
    assert on(world, "ape") == [] and max(at_once) == 2
    assert lives(world) == before, "every guest was moved alive"
    told = [each.what for each in state(world).events.values() if each.subject == "node:ape"]
    assert sum(each.startswith("drain planned: 20 packages in 10 waves") for each in told) == 1

    home = ask.ResumeNode(request="home", node="ape", bring_back=True)
    world.desk.begin(world.asker.ask("bee", home, deadline_s=2.0))
    world.until(lambda: len(on(world, "ape")) >= 5, within_s=60.0, what="five at home")
    lose_coordinator(world)
    world.until(lambda: len(on(world, "ape")) == 20, within_s=60.0, what="all at home")
    world.until(lambda: not state(world).nodes["ape"].returning, within_s=5.0, what="an end")
    assert lives(world) == before
    world.until_settled(within_s=10.0)


def test_a_cancelled_drain_leaves_the_rest_where_it_is(world: World) -> None:
    before = lives(world)
    assert ask_and_wait(
        world, "ape", ask.DrainNode(request="drain", node="ape")).verdict == "done"
    world.until(lambda: len(on(world, "ape")) <= 17, within_s=60.0, what="some have left")
    assert ask_and_wait(
        world, "bee", ask.CancelDrain(request="cancel", node="ape")).verdict == "done"
    world.until(lambda: not state(world).moves, within_s=10.0, what="no move any more")
    stayed = on(world, "ape")
    assert len(stayed) >= 15
    world.run(5.0)
    assert on(world, "ape") == stayed and lives(world) == before
    home = ask.ResumeNode(request="home", node="ape", bring_back=True)
    assert ask_and_wait(world, "cat", home).result["returned"]
    assert len(on(world, "ape")) == 20


def test_moves_past_the_limit_wait_for_their_turn(world: World) -> None:
    targets = ("bee", "bee", "bee", "cat")
    for number, target in enumerate(targets, 1):
        order = ask.MovePackage(request=f"m{number}", package=NAMES[number], node=target)
        answer = ask_and_wait(world, "bee", order)
        assert answer.verdict == "done" and answer.result["id"] == f"m{number}"
        assert answer.result["queued"] == (number in (2, 3))
    refused = ask_and_wait(world, "cat", ask.MovePackage(
        request="m5", package=NAMES[5], node="bee", queue=False))
    assert [each.code for each in refused.problems] == ["move-limit-reached"]
    off = ask_and_wait(world, "cat", ask.AbortMove(request="off", package=NAMES[3]))
    assert off.result["result"] == "aborted" and not off.result["queued"]
    lose_coordinator(world)
    world.until(lambda: not state(world).moves, within_s=20.0, what="the queue's end")
    assert NAMES[2] in on(world, "bee") and NAMES[3] in on(world, "ape")


def test_what_cannot_move_is_restarted_elsewhere_where_that_is_allowed(world: World) -> None:
    spec = package(NAMES[0], ("ape", "bee", "cat"))
    assert ask_and_wait(world, "ape", ask.SetMaintenance(
        request="m", package=spec.name, on=True)).verdict == "done"
    assert ask_and_wait(
        world, "ape", ask.DrainNode(request="drain", node="ape")).verdict == "done"
    world.until(lambda: state(world).nodes["ape"].stuck, within_s=60.0, what="one that is stuck")
    world.until(lambda: on(world, "ape") == [spec.name], within_s=60.0, what="all others away")
    (stuck,) = state(world).nodes["ape"].stuck
    assert (stuck.package, stuck.problem.code) == (spec.name, "package-in-maintenance")
    allowed = ask_and_wait(
        world, "bee", ask.DrainNode(request="again", node="ape", allow_restart=True))
    assert [(each["package"], each["how"]) for each in allowed.result["moves"]] == [
        (spec.name, "restart")]
    world.until(lambda: state(world).nodes["ape"].state == "maintenance", within_s=30.0,
                what="an empty node")
    world.until(lambda: spec.name in on(world, "bee"), within_s=10.0, what="it runs again")
