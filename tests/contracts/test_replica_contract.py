"""What every Replica promises, asked of the real one on loopback sockets and of the fake."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.raft.replica import MAX_COMMAND_BYTES
from packages.core.problem import Problem, is_problem
from tests.contracts.replica_worlds import FakeWorld, SocketWorld, World, until, until_led

NAMES = ("ape", "bee", "cat")
KINDS = {"sockets": SocketWorld, "fake": FakeWorld}


@pytest.fixture(params=sorted(KINDS))
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    world = KINDS[request.param](NAMES, tmp_path)
    for name in NAMES:
        await world.start(name)
    yield world
    for name in list(world.replicas):
        await world.stop(name)


def others(world: World, leader: str) -> list[str]:
    return [name for name in world.replicas if name != leader]


async def agreed(world: World, name: str, command: bytes) -> None:
    """Propose until it is decided; elections may come in between on a starved machine."""
    for _ in range(200):
        if await world.replicas[name].propose(command, deadline_s=10) == b"applied " + command:
            return
        await world.pass_time()
    raise AssertionError(f"{command!r} was never decided")


async def test_one_leads_and_everybody_knows_who(world: World) -> None:
    leader = await until_led(world)
    assert {each.leader() for each in world.replicas.values()} == {leader}
    assert [name for name, each in world.replicas.items() if each.is_leader()] == [leader]
    assert len({each.term() for each in world.replicas.values()}) == 1


async def test_commands_of_all_are_applied_by_all_in_one_order(world: World) -> None:
    await until_led(world)
    for number in range(10):
        for name in NAMES:
            await agreed(world, name, f"{name} {number}".encode())
    await until(world, lambda: all(len(m.commands) >= 30 for m in world.machines.values()))
    first, second, third = (machine.commands for machine in world.machines.values())
    assert first == second == third
    applied = {each.applied() for each in world.replicas.values()}
    assert len(applied) == 1


async def test_confirm_makes_what_was_decided_elsewhere_visible(world: World) -> None:
    leader = await until_led(world)
    for number, name in enumerate(NAMES * 5):
        command = b"%d" % number
        await agreed(world, leader, command)
        if await world.replicas[name].confirm(deadline_s=10) is None:
            assert command in world.machines[name].commands


async def test_a_minority_decides_nothing_and_says_so(world: World) -> None:
    leader = await until_led(world)
    for name in others(world, leader):
        await world.stop(name)
    alone = world.replicas[leader]
    await until(world, lambda: not alone.is_leader())
    found = await alone.propose(b"alone", deadline_s=0.3)
    assert isinstance(found, Problem) and found.code in ("no-quorum", "timed-out")
    unconfirmed = await alone.confirm(deadline_s=0.3)
    assert unconfirmed is not None and unconfirmed.code == "no-quorum"
    await until(world, lambda: alone.leader() is None)
    later = await alone.propose(b"alone", deadline_s=0.1)
    assert isinstance(later, Problem) and later.code == "no-quorum"
    assert alone.quorum_at_s() == alone.elected_at_s() == 0.0


async def test_two_of_three_go_on_and_the_third_catches_up(world: World) -> None:
    leader = await until_led(world)
    away = others(world, leader)[0]
    await agreed(world, leader, b"before")
    await world.stop(away)
    for number in range(20):
        await agreed(world, leader, b"meanwhile %d" % number)
    await world.start(away)
    await until(world, lambda: world.machines[away].commands == world.machines[leader].commands)
    assert world.machines[away].commands[:2] == [b"before", b"meanwhile 0"]


async def test_when_the_leader_goes_another_leads_in_a_later_term(world: World) -> None:
    leader = await until_led(world)
    term, elected_at_s = world.replicas[leader].term(), world.replicas[leader].elected_at_s()
    await agreed(world, leader, b"first")
    await world.stop(leader)
    second = await until_led(world)
    assert second != leader
    assert world.replicas[second].term() > term
    assert world.replicas[second].elected_at_s() > elected_at_s
    await agreed(world, second, b"second")
    assert world.machines[second].commands == [b"first", b"second"]


async def test_what_was_acknowledged_survives_a_stop_of_all(world: World) -> None:
    await until_led(world)
    for name in NAMES:
        await agreed(world, name, name.encode())
    for name in NAMES:
        await world.stop(name)
    for name in NAMES:
        await world.start(name)
    await until_led(world)
    await until(world, lambda: all(len(m.commands) == 3 for m in world.machines.values()))
    assert {tuple(m.commands) for m in world.machines.values()} == {(b"ape", b"bee", b"cat")}


async def test_the_leader_knows_how_fresh_its_majority_is(world: World) -> None:
    leader = world.replicas[await until_led(world)]
    await until(world, leader.is_leader)
    before_s = leader.quorum_at_s()
    assert 0 < leader.elected_at_s() <= before_s
    assert 0 < leader.earlier_until_s() <= leader.elected_at_s()
    await until(world, lambda: leader.quorum_at_s() > before_s)
    for replica in world.replicas.values():
        assert replica.heard_at_s() > 0
        if not replica.is_leader():
            assert replica.quorum_at_s() == replica.elected_at_s() == 0.0
            assert replica.earlier_until_s() == 0.0


async def test_heard_stands_still_without_a_leader(world: World) -> None:
    leader = await until_led(world)
    alone, gone = others(world, leader)
    await world.stop(gone)
    await world.stop(leader)
    await until(world, lambda: world.replicas[alone].leader() is None)
    heard_at_s = world.replicas[alone].heard_at_s()
    for _ in range(20):
        await world.pass_time()
    assert world.replicas[alone].heard_at_s() == heard_at_s > 0


async def test_watchers_are_told_of_entries_and_of_leadership(world: World) -> None:
    leader = await until_led(world)
    follower = others(world, leader)[0]
    told: list[tuple[str | None, int]] = []
    replica = world.replicas[follower]
    replica.watch(lambda: told.append((replica.leader(), replica.applied())))
    await agreed(world, leader, b"news")
    await until(world, lambda: told and world.machines[follower].commands == [b"news"])
    await until(world, lambda: told[-1][1] == replica.applied())
    await world.stop(leader)
    await until(world, lambda: told[-1][0] not in (leader, None))


async def test_too_large_a_command_is_refused(world: World) -> None:
    leader = await until_led(world)
    for name in (leader, others(world, leader)[0]):
        found = await world.replicas[name].propose(bytes(MAX_COMMAND_BYTES + 1), deadline_s=5)
        assert isinstance(found, Problem) and found.code == "bad-request"


async def test_a_closed_replica_answers_with_problems(world: World) -> None:
    leader = await until_led(world)
    replica = world.replicas[leader]
    await world.stop(leader)
    assert is_problem(await replica.propose(b"late", deadline_s=0.2))
    assert is_problem(await replica.confirm(deadline_s=0.2))
    assert not replica.is_leader() and replica.leader() is None


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_one_node_alone_is_a_cluster(kind: str, tmp_path: Path) -> None:
    world = KINDS[kind](["ape"], tmp_path)
    await world.start("ape")
    assert await until_led(world) == "ape"
    await agreed(world, "ape", b"one")
    assert await world.replicas["ape"].confirm(deadline_s=5) is None
    await world.stop("ape")
    await world.start("ape")
    await until(world, lambda: world.machines["ape"].commands == [b"one"])
    await agreed(world, "ape", b"two")
    await world.stop("ape")
