"""The simulated cluster: one told story, runs known by their seeds, and fresh ones in every run.

`make search SECONDS=3600` goes on for as long as one likes. A run that fails prints its seed and
the command that replays it; what it has found is mended, and the seed kept in FOUND: it is never a
reason to look less.
"""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cluster.api import messages as ask
from packages.core.model import FenceSpec
from packages.core.problem import Problem
from tests.simulation.hardware import Hardware
from tests.simulation.search import command_for, run, search
from tests.simulation.world import World, file_of, package

FRESH_S = 60.0
"""For seeds that nobody has run before, in every run of the suite."""

FIRST = range(1, 101)
"""They meet every change anew."""

FOUND = (159, 171, 601, 5000154, 6000030, 1795443710315, 1795455050713, 12000051, 14000245,
         14000763, 6960019, 6960346, 6950942, 1795771345140, 60000244, 103000113, 103000232,
         1796057390172, 1796057390173, 5000090,
         1796059763987, 1796058446133, 1796058446321, 1796058446371,
         1796061352048, 1796061352455, 1796061352583,
         1796065254535, 1796074407266, 771273645227, 1796089466324)
"""Runs that have found something in the product or in the simulation."""


def ask_and_wait(world: World, node: str, request: ask.AnyRequest) -> ask.Reply:
    answers: list[ask.Reply | Problem] = []

    async def asking() -> None:
        answers.append(await world.asker.ask(node, request, deadline_s=20.0))

    begun: Coroutine[Any, Any, None] = asking()
    world.desk.begin(begun)
    world.until(lambda: answers, within_s=25.0, what="an answer")
    assert isinstance(answers[0], ask.Reply), answers[0]
    return answers[0]


def owner(world: World) -> str | None:
    leader = world.leader()
    record = leader.node.ledger.package("web") if leader and leader.node else None
    return record.owner if record is not None and record.state == "running" else None


def test_a_package_starts_moves_and_survives_its_host() -> None:
    with World(1) as world:
        world.until(world.leader, within_s=5.0, what="an election")
        text = file_of(package("web", ("ape", "bee", "cat")))
        files = (ask.NamedText(name="web", text=text),)
        assert ask_and_wait(world, "bee", ask.ApplyPackages(request="a", files=files)).verdict == (
            "done")
        world.until(lambda: owner(world) == "ape", within_s=10.0, what="web on its primary node")
        order = ask.MovePackage(request="b", package="web", node="cat")
        assert ask_and_wait(world, "ape", order).verdict == "done"
        world.until(lambda: owner(world) == "cat", within_s=10.0, what="web moved")
        world.until_settled(within_s=5.0)
        world.hosts["cat"].lose_power()
        world.until(lambda: owner(world) == "ape", within_s=8.0, what="web taken over")
        world.hosts["cat"].boot()
        world.hosts["cat"].start_daemon()
        world.until_settled(within_s=10.0)


def web_on_a_follower(world: World, **fields: object) -> str:
    """Where it runs; another node coordinates."""
    world.until(world.leader, within_s=5.0, what="an election")
    text = file_of(package("web", ("ape", "bee", "cat"), **fields))
    files = (ask.NamedText(name="web", text=text),)
    assert ask_and_wait(world, "bee", ask.ApplyPackages(request="a", files=files)).verdict == "done"
    world.until(lambda: owner(world) == "ape", within_s=10.0, what="web on its primary node")
    world.until_settled(within_s=5.0)
    leader = world.leader()
    assert leader is not None
    if leader.name == "ape":
        order = ask.MovePackage(request="b", package="web", node="bee")
        assert ask_and_wait(world, "cat", order).verdict == "done"
        world.until_settled(within_s=10.0)
    here = owner(world)
    assert here is not None
    return here


def cut_off(world: World, here: str) -> None:
    for other in world.hosts:
        world.network.cut(here, other)
        world.network.cut(other, here)


def test_a_fenced_package_is_taken_over_a_second_after_the_power_cut() -> None:
    fence = FenceSpec(kind="scsi_reservation")
    with World(1, hardware=Hardware(fence=fence)) as world:
        here = web_on_a_follower(world, fence=fence)
        world.hosts[here].lose_power()
        world.until(lambda: owner(world) not in (None, here), within_s=1.3, what="web taken over")
        assert world.judge.counts["proof storage"] == 1


def test_a_host_that_fell_silent_is_switched_off_before_its_package_starts_elsewhere() -> None:
    with World(1, hardware=Hardware(has_controllers=True)) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        cut_off(world, here)
        world.until(lambda: not world.hosts[here].has_power, within_s=5.0, what="switched off")
        # An answer that comes too late is asked for again after ten seconds.
        world.until(lambda: owner(world) not in (None, here), within_s=20.0, what="web taken over")
        assert world.judge.counts["proof power"] == 1


WATCHED = Hardware(has_watchdogs=True, hosts_hang=True)


def test_a_host_that_hangs_is_reset_before_its_package_starts_elsewhere() -> None:
    with World(1, hardware=WATCHED) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        world.run(3.0)  # until the record has what its guardian pets
        world.hosts[here].hang(30.0)
        world.until(lambda: not world.hosts[here].has_power, within_s=5.0, what="reset")
        world.until(lambda: owner(world) not in (None, here), within_s=12.0, what="web taken over")
        assert world.judge.counts["proof watchdog"] == 1


def test_a_detached_package_is_not_taken_over_by_a_watchdog() -> None:
    with World(1, hardware=WATCHED) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        world.run(3.0)
        leader = world.leader()
        assert leader is not None
        order = ask.HaltNode(request="c", node=here, detach=True)
        assert ask_and_wait(world, leader.name, order).verdict == "done"
        cut_off(world, here)
        world.run(15.0)
        assert world.judge.counts["proof watchdog"] == 0


@pytest.mark.parametrize("seed", (*FIRST, *FOUND))
def test_a_known_seed(seed: int) -> None:
    run(seed)


def test_a_seed_gives_the_same_run_in_every_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation.search", "--seed", "35"], check=True,
            capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=120,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("0", "4711")
    }
    assert len(said) == 1, f"not replayed: {command_for(35)}"


def test_a_search_goes_from_seed_to_seed_and_keeps_no_world() -> None:
    def worlds() -> int:
        gc.unfreeze()  # what is frozen is not listed
        return sum(isinstance(each, World) for each in gc.get_objects())

    before = worlds()
    assert search(1, seconds=600.0, most=3) == (3, [])
    assert worlds() <= before + 1


def test_fresh_seeds() -> None:
    ran, found = search(time.time_ns() // 1_000_000, seconds=FRESH_S)
    assert not found, "\n".join(found)
    assert ran > 0
