"""A drain beside the sum of its bare moves: twenty simulated packages, four real guests.

    make bench BENCH=drain

The same packages are first moved off the node one by one, each awaited before the next is asked
for, as an operator without `vmsg node drain` would; then they are brought home, and the node is
drained. The simulated cluster runs the product's own nodes on simulated time.
"""

import asyncio
import statistics
import sys
import time
from typing import Any

from cluster.api import messages
from cluster.api.client import Client
from cluster.clock import HostClock
from tests.bench.rig.labs import ask, moved, standing_lab
from tests.bench.rig.report import publish, spread, verdict
from tests.simulation.world import World, file_of, package

GUESTS, FAKES, ROUNDS = 4, 20, 8
MOST_RATIO = 1.0
"""Of the sum of the bare moves: planning and agreement must cost less than what moves save that
run beside one another."""
LOOK_S = 0.02

TOLD = [
    "*One by one* is the sum of the moves' own times, from the entry that opens each until its",
    "guest runs at the target, without what lies between them. *Drain* is from the client's",
    "request until the node is in maintenance: all facts gathered, the plan made and agreed upon,",
    "every move checked again. The limits are the default ones (two moves on a node, one on a",
    "link), the nodes three.",
    "On one machine all guests share its cores, so that two moves at once are not twice as fast.",
]


async def main(rounds: int) -> None:
    bare_s, drains_s = [], []
    async with standing_lab(packages=GUESTS) as (_, client):
        names = [f"p{number}" for number in range(1, GUESTS + 1)]
        await gathered(client, names)
        for _ in range(rounds):
            bare_s.append(await one_by_one(client, names))
            await gathered(client, names)
            drains_s.append(await drained(client))
            await ask(client, messages.ResumeNode(request=token(), node="n1", bring_back=True))
    fake_bare_s, fake_drain_s = simulated()
    rows = [row(f"{GUESTS} real guests", bare_s, drains_s),
            row(f"{FAKES} simulated packages", [fake_bare_s], [fake_drain_s])]
    more_s = statistics.median(drains_s) - statistics.median(bare_s)
    worst = max(float(each[-1]) for each in rows)
    aim = (
        f"Aim: at most {MOST_RATIO:g} times the sum of the bare moves: {worst:.2f}, "
        f"{verdict(worst <= MOST_RATIO)}; with real guests {more_s:+.2f} s.")
    publish("drain", "A drain, and its moves one by one", [*TOLD, "", aim], (
        "", "n", "one by one s", "drain s", "ratio of medians"), rows)


def row(name: str, bare_s: list[float], drains_s: list[float]) -> list[str]:
    bare, drain = spread(bare_s, digits=2), spread(drains_s, digits=2)
    return [name, str(len(drains_s)), f"{bare[0]} ({bare[1]})", f"{drain[0]} ({drain[1]})",
            f"{float(drain[0]) / float(bare[0]):.2f}"]


def token() -> str:
    return HostClock().token()


# real guests


async def gathered(client: Client, names: list[str]) -> None:
    """All of them on n1, running."""
    while True:
        status = await ask(client, messages.GetStatus())
        found = {each["name"]: each for each in status["packages"]}
        away = [name for name in names if found[name]["node"] != "n1"]
        if not away and all(found[name]["state"] == "running" for name in names):
            return
        for name in away:
            if found[name]["state"] == "running":
                await moved(client, name, "n1")
        await asyncio.sleep(LOOK_S)


async def one_by_one(client: Client, names: list[str]) -> float:
    """Seconds of the moves alone, to the nodes a drain would choose."""
    targets = [("n2", "n3")[place % 2] for place in range(len(names))]
    moves = [await moved(client, name, target)
             for name, target in zip(names, targets, strict=True)]
    return sum(move["total_ms"] for move in moves) / 1000


async def drained(client: Client) -> float:
    began_s = time.monotonic()
    await ask(client, messages.DrainNode(request=token(), node="n1"))
    while True:
        status = await ask(client, messages.GetStatus())
        node = next(each for each in status["nodes"] if each["name"] == "n1")
        if node["state"] == "maintenance":
            return time.monotonic() - began_s
        assert not status["problems"], status["problems"]
        await asyncio.sleep(LOOK_S)


# simulated packages


def simulated() -> tuple[float, float]:
    """Simulated seconds: the sum of the bare moves, and the drain."""
    names = [f"p{number:02}" for number in range(1, FAKES + 1)]
    with World(1) as world:
        world.until(world.leader, within_s=5.0, what="an election")
        files = tuple(
            messages.NamedText(name=name, text=file_of(package(name, ("ape", "bee", "cat"))))
            for name in names)
        told(world, messages.ApplyPackages(request="apply", files=files))
        world.until(lambda: placed(world, names) == len(names), within_s=60.0, what="all on ape")
        bare_s = sum(
            simulated_move(world, name, ("bee", "cat")[place % 2])
            for place, name in enumerate(names))
        for name in names:
            simulated_move(world, name, "ape")
        began_s = world.timeline.now_s
        told(world, messages.DrainNode(request="drain", node="ape"))
        world.until(lambda: state(world).nodes["ape"].state == "maintenance", within_s=120.0,
                    what="an empty node")
        return bare_s, world.timeline.now_s - began_s


def state(world: World) -> Any:
    leader = world.leader()
    assert leader is not None and leader.node is not None
    return leader.node.ledger.state


def placed(world: World, names: list[str]) -> int:
    records = [state(world).packages.get(name) for name in names]
    return sum(each is not None and each.owner == "ape" and each.state == "running"
               for each in records)


def told(world: World, request: messages.AnyRequest) -> None:
    """Asked, and answered well."""
    answers: list[Any] = []

    async def asking() -> None:
        answers.append(await world.asker.ask("bee", request, deadline_s=20.0))

    world.desk.begin(asking())
    world.until(lambda: answers, within_s=25.0, what="an answer")
    assert answers[0].verdict == "done", answers[0]


def simulated_move(world: World, name: str, target: str) -> float:
    told(world, messages.MovePackage(request=f"{name}-{target}", package=name, node=target))
    world.until(lambda: not state(world).packages[name].moving, within_s=30.0, what="a move's end")
    move = state(world).packages[name].move
    assert move.result == "completed", move
    return float(move.figures.total_ms) / 1000


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
