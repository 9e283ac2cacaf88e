"""Many packages at once: the loop has its turns, and each hears of the others' disks."""

import asyncio
from types import SimpleNamespace
from typing import Any

from cluster.answers.apply_survey import ApplySurvey
from cluster.answers.survey import NodeAnswer, Survey
from cluster.api.messages import AnyRequest, Reply
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.core.model import NodeRecord, State
from packages.core.facts import DiskFacts, NodeFacts
from packages.core.model import DiskSpec, PackageSpec, VmSpec
from packages.core.values import Map, changed, plain

CONFIG = ClusterConfig(name="c", nodes=tuple(
    NodeConfig(name=name, address="10.0.0.1") for name in ("n1", "n2")))


class Telling:
    """A node that sees every disk it is asked for, by an identity of its number modulo `luns`."""

    def __init__(self, luns: int) -> None:
        self._luns = luns

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply:
        disks = tuple(
            DiskFacts(path=path, kind="whole", size_bytes=1 << 30, sector_bytes=512,
                      identity=f"serial:lun{int(path.rpartition('d')[2]) % self._luns}")
            for path in getattr(request, "disks"))
        return Reply(result=plain(NodeAnswer(facts=NodeFacts(
            name="n2", version="1", disks=disks))))


def survey(luns: int) -> Survey:
    rest: Any = None
    state = State(nodes=Map({"n2": NodeRecord(name="n2", state="running")}))
    ledger: Any = SimpleNamespace(state=state, package=state.packages.get)
    return Survey(node="n1", config=CONFIG, ledger=ledger, host=rest, peers={"n2": Telling(luns)},
                  worker=rest, fences=rest)


def packages(number: int) -> list[PackageSpec]:
    return [
        PackageSpec(name=f"p{each}", nodes=("n2",), vm=VmSpec(
            memory_mib=64, disks=(DiskSpec(path=f"/dev/d{each}"),)))
        for each in range(number)]


async def turns_while(work: "asyncio.Task[Any]") -> int:
    turns = 0
    while not work.done():
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_the_loop_has_a_turn_for_each_package() -> None:
    judging = asyncio.ensure_future(ApplySurvey(survey(1000), packages(50), {}).problems())
    assert await turns_while(judging) >= 50
    assert "disk-in-use" not in {each.code for each in await judging}


async def test_two_of_one_request_with_one_lun_are_refused() -> None:
    found = await ApplySurvey(survey(4), packages(5), {}).problems()
    assert {each.subject for each in found if each.code == "disk-in-use"} == {
        "package:p0", "package:p4"}


async def test_two_of_one_request_with_one_path_are_refused() -> None:
    first, second = packages(2)
    found = await ApplySurvey(
        survey(9), [first, changed(second, vm=first.vm)], {}).problems()
    assert {each.subject for each in found if each.code == "disk-in-use"} == {
        "package:p0", "package:p1"}
