"""An agent whose every look ends in an exception says so, and what it holds up has a way out."""

import pytest

from cluster.core import entries
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.stuck import LIMIT
from tests.core.test_apply import package
from tests.scenarios.agents_rig import PATIENCE_S, Rig


async def broken(_: PackageSpec) -> list[Problem]:
    raise ValueError("filedescriptor out of range in select()")


async def test_a_start_that_raises_again_and_again_is_one_that_fails() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        node = rig.nodes["n1"]
        node.agent.around.against_start = broken
        node.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state != "starting" or rig.record.epoch > 1)
        assert rig.record.owner != "n1" or "n1" in rig.record.avoid


async def test_a_thaw_that_raises_again_and_again_is_one_that_fails() -> None:
    """The package is the target's since the commit: nobody else could let it run."""
    async with Rig("n1", "n2", "n3") as rig:
        for each in rig.nodes.values():
            each.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")

        def raises() -> bool:
            raise ValueError("out of range")

        rig.nodes["n2"].agent.around.may_run = raises
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: rig.record.owner == "n2")
        await rig.until(lambda: rig.record.move is not None and rig.record.move.stage == "done")
        assert rig.record.move is not None and rig.record.move.result == "failed"


async def test_a_move_whose_source_raises_again_and_again_is_ended() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        for each in rig.nodes.values():
            each.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        carrier = rig.nodes["n1"].agent.around.carrier

        async def raises(move: str, **_: object) -> str:
            raise ValueError("out of range")

        carrier.launch = raises  # type: ignore[method-assign]
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.state("n1") == "running"


@pytest.mark.timeout(4 * PATIENCE_S)
async def test_an_agent_that_does_not_get_on_says_so_and_keeps_its_guest() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        node = rig.nodes["n1"]
        node.begin()
        await rig.assign(package(), "n1")
        await rig.until(lambda: rig.record.state == "running")
        works = node.agent.around.may_run

        def raises() -> bool:
            raise ValueError("out of range")

        node.agent.around.may_run = raises
        node.agent.wake()
        await rig.until(lambda: node.agent.stuck is not None)
        assert node.agent.stuck is not None and node.agent.stuck.code == "agent-stuck"
        assert str(LIMIT) in node.agent.stuck.because
        assert rig.state("n1") == "running" and rig.record.state == "running"
        node.agent.around.may_run = works
        node.agent.wake()
        await rig.until(lambda: node.agent.stuck is None)
