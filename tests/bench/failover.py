"""From a power cut to the takeover, and to a guest that answers again.

    make bench BENCH=failover
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cluster.api.client import Client
from cluster.api.messages import (
    ApplyCluster, ApplyPackages, GetEvents, GetStatus, HaltPackage, NamedText, RunPackage,
    UnquarantineNode
)
from cluster.clock import HostClock
from cluster.config.load import dump
from cluster.config.schema import PROFILES, Profile
from cluster.lab import lab
from cluster.lab.plan import cluster_config
from cluster.lab.ready import answered, echoes
from cluster.lab.record import LabRecord
from packages.core.problem import Problem
from packages.core.values import changed
from tests.bench.rig.labs import ask, moved, standing_lab
from tests.bench.rig.report import publish, spread, verdict
from tests.contracts.power_worlds import fence
from tests.live.san import San

CUTS = 5
"""In each of the cases."""
LOOK_S = 0.02
ATTEMPT_S = 0.1
"""A lost SYN is sent again after a second; a fresh attempt finds the guest sooner."""
DEADLINE_S = 60.0

Proof = Literal["lease", "storage", "power"]


class Setting(NamedTuple):
    """A lab for the cuts of two cases."""

    profile: Profile
    proof: Proof
    begins_s: float
    """The aim."""


SETTINGS = (
    Setting("lan", "lease", 5.0), Setting("fast", "lease", 2.5), Setting("lan", "storage", 1.2),
    Setting("lan", "power", 1.2),
)

TOLD = [
    "Every process of the node that runs the package is killed at once, its interfaces and its",
    "/run go: a power cut. What proves it is the end of the lease, with no fencing hardware; or a",
    "storage fence, `target_access` at tgt, where the node is taken off the target's list; or a",
    "power fence, an agent whose hosts are network namespaces.",
    "From the command to the entry that gives the package to another node, and until the guest,",
    "booted anew there, returns what it is sent over TCP. The node is then powered on again.",
    "",
    "Beside it, measured earlier on a machine of this kind and not in this run: corosync 3.1.7 and",
    "Pacemaker 2.1.5, three whole stacks in network namespaces, each failure a cut link and",
    "SIGKILL for every process of the node, no fencing, median of six from the loss to the",
    "beginning of the resource's start on a survivor: 8.4 s (the coordinator: 8.5 s) with Debian's",
    "defaults, 2.1 s (2.2 s) with a token of 500 ms.",
]


class Case:
    def __init__(self, setting: Setting, *, coordinator: bool) -> None:
        self.setting, self.coordinator = setting, coordinator
        self.begins_s: list[float] = []
        self.answers_s: list[float] = []

    @property
    def name(self) -> str:
        which = "the coordinator" if self.coordinator else "not the coordinator"
        return f"`{self.setting.profile}`, {which}"


async def main(cuts: int) -> None:
    cases = []
    for setting in SETTINGS:
        pair = [Case(setting, coordinator=which) for which in (False, True)]
        async with lab_for(setting) as (record, client):
            for _ in range(cuts):
                for case in pair:
                    await cut(case, record, client)
        cases += pair
    show(cases)


@asynccontextmanager
async def lab_for(setting: Setting) -> AsyncIterator[tuple[LabRecord, Client]]:
    async with standing_lab(profile=setting.profile) as (record, client):
        with tempfile.TemporaryDirectory(prefix="fence-") as folder:
            san = San(record, Path(folder))
            try:
                if setting.proof == "storage":
                    await with_storage_fence(san, client)
                elif setting.proof == "power":
                    await with_power_fence(record, client, Path(folder))
                yield record, client
            finally:
                san.target.end()


async def with_storage_fence(san: San, client: Client) -> None:
    await san.start()
    await settled(client)
    await ask(client, HaltPackage(request=token(), package="p1"))
    async with asyncio.timeout(DEADLINE_S):
        while (await ask(client, GetStatus()))["packages"][0]["state"] != "halted":
            await asyncio.sleep(LOOK_S)
    file = NamedText(name="package.yaml", text=san.package_text())
    await ask(client, ApplyPackages(request=token(), files=(file,)))
    await ask(client, RunPackage(request=token(), package="p1"))


async def with_power_fence(record: LabRecord, client: Client, folder: Path) -> None:
    config = cluster_config(record.plan)
    netns = {each.name: each.netns for each in record.plan.nodes}
    nodes = tuple(
        changed(each, fences=(fence(folder, netns[each.name]),)) for each in config.nodes)
    await ask(client, ApplyCluster(request=token(), text=dump(changed(config, nodes=nodes))))


def token() -> str:
    return HostClock().token()


async def cut(case: Case, record: LabRecord, client: Client) -> None:
    owner = await placed(case, client)
    [package] = record.plan.packages
    began_s, began_ms = time.monotonic(), time.time() * 1000
    failure = await lab.kill(record.dir, owner)
    assert failure is None, failure
    async with asyncio.timeout(DEADLINE_S):
        while not await answers(package.guest_address):
            await asyncio.sleep(LOOK_S)
        case.answers_s.append(time.monotonic() - began_s)
        began = GetEvents(package="p1")
        begins_ms = await told_ms(client, began, since_ms=began_ms, what="package starting")
        case.begins_s.append((begins_ms - began_ms) / 1000)
        proof = (await ask(client, GetStatus(verbose=True)))["packages"][0]["proof"]
        assert proof["kind"] == case.setting.proof, proof
        started_ms = time.time() * 1000
        started = await lab.start(record.dir, owner)
        assert not isinstance(started, Problem), started
        # It may have been away for less than its lease, and be up in the record all the time.
        await told_ms(client, GetEvents(node=owner), since_ms=started_ms)
        await settled(client)


async def answers(address: str) -> bool:
    try:
        async with asyncio.timeout(ATTEMPT_S):
            return await answered(echoes(address))
    except TimeoutError:
        return False


async def placed(case: Case, client: Client) -> str:
    """The node that is to lose its power, with the package on it."""
    status = await settled(client)
    leader, owner = status["cluster"]["leader"], status["packages"][0]["node"]
    if (owner == leader) == case.coordinator:
        return str(owner)
    names = [each["name"] for each in status["nodes"] if each["name"] != owner]
    target = leader if case.coordinator else names[0]
    await moved(client, "p1", target)
    return await placed(case, client)


async def settled(client: Client) -> Any:
    """The status, once every node is up and the package runs, as before the cut."""
    while True:
        status = await ask(client, GetStatus())
        for each in status["nodes"]:
            if each["state"] == "quarantined":  # cuts are what is measured here
                await ask(client, UnquarantineNode(request=token(), node=each["name"]))
        nodes = {each["status"] for each in status["nodes"]}
        if nodes == {"up"} and status["cluster"]["leader"] and not status["problems"] and \
                status["packages"][0]["state"] == "running":
            return status
        await asyncio.sleep(LOOK_S)


async def told_ms(
    client: Client, asked: GetEvents, *, since_ms: float, what: str = "",
) -> float:
    """When the first such event after that was."""
    while True:
        told = await ask(client, asked)
        for event in told["events"]:
            at_ms = datetime.fromisoformat(event["at"]).timestamp() * 1000
            if what in ("", event["what"]) and at_ms > since_ms:
                return at_ms
        await asyncio.sleep(LOOK_S)


def show(cases: list[Case]) -> None:
    rows = []
    for case in cases:
        begins, answers = spread(case.begins_s, digits=2), spread(case.answers_s, digits=2)
        lease_s = PROFILES[case.setting.profile].lease_s
        proof = f"lease of {lease_s:g} s" if case.setting.proof == "lease" else case.setting.proof
        rows.append([case.name, proof, str(len(case.begins_s)), f"{begins[0]} ({begins[1]})",
                     f"{answers[0]} ({answers[1]})"])
    aims = [aim(setting, [each for each in cases if each.setting is setting])
            for setting in SETTINGS]
    publish("failover", "A power cut", [*TOLD, "", *aims], (
        "profile, node cut", "proof", "n", "takeover begins s", "guest answers s"), rows)


def aim(setting: Setting, cases: list[Case]) -> str:
    """Every single cut counts, not the usual one."""
    worst_s = max(each for case in cases for each in case.begins_s)
    by = "the lease alone" if setting.proof == "lease" else f"a {setting.proof} fence"
    return (f"- `{setting.profile}`, {by}: a takeover begins within {setting.begins_s:g} s: "
            f"at worst {worst_s:.2f} s, {verdict(worst_s <= setting.begins_s)}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CUTS))
