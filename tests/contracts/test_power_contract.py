"""What whoever switches a host's power off must do, and what a real agent is asked and believed."""

from pathlib import Path

import pytest

from cluster.config.schema import FenceConfig
from cluster.power.agents import FenceAgents
from cluster.power.fake import FakePowerFence
from cluster.power.levels import switched_off
from packages.core.problem import Problem
from packages.core.values import changed
from tests.contracts.power_worlds import AGENT, PASSWORD, Namespace, fence, make_agent, make_secret
from tests.live.waiting import until


class World:
    """A host that is on, its fence, and one that does not work."""

    def __init__(self, door, good: FenceConfig, bad: FenceConfig, is_off) -> None:
        self.door, self.good, self.bad, self.is_off = door, good, bad, is_off

    def liar(self, folder: Path) -> FenceConfig:
        """Reports success, and does nothing."""
        if isinstance(self.door, FakePowerFence):
            self.door.lying.add("fence_liar")
            return changed(self.good, agent="fence_liar")
        text = AGENT.replace("\noff)\n", "\noff) exit 0;;\nnever)\n")
        return changed(self.good, agent=make_agent(folder, text, name="fence_liar"))

    def mute(self, folder: Path) -> FenceConfig:
        """Switches the host off, and then cannot say how its power stands."""
        if isinstance(self.door, FakePowerFence):
            self.door.blind.add("fence_mute")
            return changed(self.good, agent="fence_mute")
        text = AGENT.replace("\nstatus)", "\nstatus) exit 1;;\nnever)")
        return changed(self.good, agent=make_agent(folder, text, name="fence_mute"))


@pytest.fixture(params=["fake", "agents"])
def world(request, tmp_path):
    if request.param == "fake":
        door = FakePowerFence()
        door.broken.add("fence_broken")
        good = FenceConfig(agent="fence_good", options={"plug": "h1"})
        yield World(door, good, changed(good, agent="fence_broken"),
                    lambda: "h1" in door.without_power)
        return
    with Namespace() as host:
        good = fence(tmp_path, host.name)
        wrong = tmp_path / "wrong"
        wrong.mkdir()
        bad = changed(good, secrets={"password": make_secret(wrong, "guess")})
        yield World(FenceAgents(), good, bad, host.is_off)


async def test_a_host_that_is_switched_off_is_off(world):
    assert await world.door.power(world.good) == "on"
    assert await world.door.switch_off(world.good) is None
    await until(world.is_off)
    assert await world.door.power(world.good) == "off"
    assert await world.door.switch_off(world.good) is None, "twice is the same as once"


async def test_a_fence_that_fails_proves_nothing(world):
    failed = await world.door.switch_off(world.bad)
    assert isinstance(failed, Problem) and failed.code == "fence-failed"
    assert not world.is_off()
    assert isinstance(await world.door.power(world.bad), Problem)


async def test_levels_are_tried_in_order_and_all_of_one_must_succeed(world):
    told = []

    async def failed(why: Problem, level: int) -> None:
        told.append((level, why.code))

    fences = [changed(world.good, level=2), world.bad, world.good]
    done = await switched_off(world.door, fences, failed=failed, may_go_on=lambda: True)
    assert done == f"{world.good.agent} (level 2)" and told == [(1, "fence-failed")]
    await until(world.is_off)


async def test_an_agent_that_reports_success_while_the_host_is_on_has_proven_nothing(
    world, tmp_path,
):
    told = []

    async def failed(why: Problem, level: int) -> None:
        told.append((level, why.code, why.because))

    liar = world.liar(tmp_path)
    fences = [liar, changed(world.good, level=2)]
    done = await switched_off(world.door, fences, failed=failed, may_go_on=lambda: True)
    assert done == f"{world.good.agent} (level 2)"
    assert told == [(
        1, "fence-failed", "It reported success, and then that the power is still on.")]
    await until(world.is_off)


async def test_an_agent_that_cannot_say_how_the_power_stands_has_proven_nothing(world, tmp_path):
    told = []

    async def failed(why: Problem, level: int) -> None:
        told.append((level, why.code))

    mute = world.mute(tmp_path)
    done = await switched_off(world.door, [mute], failed=failed, may_go_on=lambda: True)
    assert done is None and told == [(1, "fence-failed")]


async def test_a_host_that_goes_off_slowly_is_waited_for():
    door = FakePowerFence()
    door.late_looks = 2

    async def failed(why: Problem, level: int) -> None:
        raise AssertionError(why)

    good = FenceConfig(agent="fence_good", options={"plug": "h1"})
    done = await switched_off(door, [good], failed=failed, may_go_on=lambda: True)
    assert done == "fence_good (level 1)"


async def test_no_level_is_tried_any_more_once_it_may_not_go_on(world):
    async def failed(why: Problem, level: int) -> None:
        raise AssertionError(why)

    done = await switched_off(
        world.door, [world.good], failed=failed, may_go_on=lambda: False)
    assert done is None and not world.is_off()


async def test_its_check_finds_nothing_wrong_with_a_good_one(world):
    assert await world.door.check(world.good) == []


# what only real agents can get wrong


@pytest.fixture
def agents(tmp_path: Path) -> tuple[FenceAgents, FenceConfig]:
    return FenceAgents(), fence(tmp_path, "nowhere")


def said(found: list[Problem]) -> list[tuple[str, str]]:
    return [(each.code, each.what) for each in found]


async def test_parameters_are_held_against_the_agents_own_metadata(agents):
    door, good = agents
    wrong = changed(good, options={"plgu": "n1", "passwd": "old name"})
    assert [code for code, _ in said(await door.check(wrong))] == [
        "fence-parameter-unknown", "fence-parameter-missing"]


@pytest.mark.parametrize("text", [
    "#!/bin/sh\necho not XML\n", "#!/bin/sh\nexit 1\n", "#!/no/such/interpreter\n",
    AGENT.replace('<action name="off"/>', ""),
])
async def test_an_agent_that_makes_no_sense_is_found_by_its_check(agents, tmp_path, text):
    door, good = agents
    made = make_agent(tmp_path, text, name="fence_senseless")
    assert [code for code, _ in said(await door.check(changed(good, agent=made)))] == [
        "fence-failed"]


async def test_an_agent_that_is_not_installed_is_said(agents):
    door, good = agents
    gone = changed(good, agent="fence_of_nobody")
    assert (await door.switch_off(gone)).code == "program-missing"


async def test_an_agent_that_hangs_is_ended_with_all_it_started(agents, tmp_path):
    door, good = agents
    mark = tmp_path / "child"
    made = make_agent(tmp_path, f"#!/bin/sh\nsleep 600 &\necho $! >{mark}\nwait\n", name="fence_x")
    failed = await door.switch_off(changed(good, agent=made, timeout_s=0.3))
    assert failed.code == "fence-failed" and "0.3 s" in failed.because
    await until(lambda: not Path(f"/proc/{int(mark.read_text())}/stat").exists())


async def test_a_secret_that_others_may_read_is_complained_of_and_never_told(agents, tmp_path):
    door, good = agents
    (tmp_path / "password").chmod(0o644)
    assert [each.code for each in await door.check(good)] == ["key-file-exposed"]
    gone = changed(good, secrets={"password": str(tmp_path / "gone")})
    assert "gone" in (await door.switch_off(gone)).because
    made = make_agent(tmp_path, "#!/bin/sh\nexit 1\n", name="fence_no")
    told = await door.switch_off(changed(good, agent=made))
    assert PASSWORD not in str(told)
