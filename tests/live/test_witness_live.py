"""Two nodes and a witness: whichever of the three is lost, the package runs, and runs once."""

import pytest
import pytest_asyncio

from cluster.api.messages import ApplyPackages, MovePackage, NamedText
from cluster.lab import guests, lab
from packages.core.values import changed
from tests.live.live_cluster import LiveCluster, live_cluster, one, token

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

NODES, WITNESS = ("n1", "n2"), "n3"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def farm(tmp_path_factory):
    async with live_cluster(
        tmp_path_factory.mktemp("witness") / "lab", nodes=2, witness=True, profile="fast",
    ) as farm:
        yield farm


async def lose(farm: LiveCluster, name: str) -> None:
    farm.away.add(name)
    assert await lab.kill(farm.record.dir, name) is None


async def test_the_witness_votes_and_takes_no_package(farm: LiveCluster) -> None:
    shown = (await farm.status())["nodes"]
    assert {each["name"]: (each["role"], each["votes"]) for each in shown} == {
        "n1": ("voter", True), "n2": ("voter", True), WITNESS: ("witness", True)}
    package = changed(farm.package("p1"), nodes=(*NODES, WITNESS))
    text = guests.package_text(farm.plan, package, farm.record.disks["p1"])
    said = await farm.ask(ApplyPackages(
        request=token(), files=(NamedText(name="package.yaml", text=text),)))
    assert [each.code for each in said.problems] == ["node-is-witness"]
    said = await farm.ask(MovePackage(request=token(), package="p1", node=WITNESS))
    assert "node-not-eligible" in {each.code for each in said.problems}


@pytest.mark.parametrize("lost", [WITNESS, *NODES])
async def test_each_of_the_three_is_lost_in_turn(farm: LiveCluster, lost: str) -> None:
    before = await farm.shown()
    await lose(farm, lost)
    survivors = set(NODES) - {lost}
    status = await farm.until(lambda status: (
        status["cluster"]["quorum"] and status["cluster"]["leader"] not in (None, lost)
        and one(status)["state"] == "running" and one(status)["node"] in survivors
    ))
    after = one(status)
    if before["node"] == lost:
        assert after["epoch"] == before["epoch"] + 1 and after["proof"]["kind"] == "lease"
    else:
        assert after["boot_id"] == before["boot_id"]
    await farm.one_copy()
    if lost == WITNESS:  # nothing that an operator may want is kept from him
        there = next(name for name in NODES if name != after["node"])
        assert (await farm.moved(there))["result"] == "completed"
    await farm.start_node(lost)
    await farm.until(lambda status: all(each["status"] == "up" for each in status["nodes"]))
