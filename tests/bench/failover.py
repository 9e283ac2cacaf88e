"""From a power cut to the takeover, and to a guest that answers again.

    make bench BENCH=failover
"""

import asyncio
import sys
import time
from datetime import datetime
from typing import Any

from rig.labs import ask, moved, standing_lab
from rig.report import publish, spread, verdict

from cluster.api.client import Client
from cluster.api.messages import GetEvents, GetStatus, UnquarantineNode
from cluster.clock import HostClock
from cluster.config.schema import PROFILES, Profile
from cluster.lab import lab
from cluster.lab.ready import answered, echoes
from cluster.lab.record import LabRecord
from packages.core.problem import Problem

CUTS = 5
"""In each of four cases: twenty in all."""
BEGINS_S: dict[Profile, float] = {"lan": 5.0, "fast": 2.5}
"""A takeover that rests on the lease alone, with no fencing hardware."""
LOOK_S = 0.02
ATTEMPT_S = 0.1
"""A lost SYN is sent again after a second; a fresh attempt finds the guest sooner."""
DEADLINE_S = 60.0

TOLD = [
    "Every process of the node that runs the package is killed at once, its interfaces and its",
    "/run go: a power cut, with no fencing hardware, so that the end of the lease is the proof.",
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
    def __init__(self, profile: Profile, *, coordinator: bool) -> None:
        self.profile, self.coordinator = profile, coordinator
        self.begins_s: list[float] = []
        self.answers_s: list[float] = []

    @property
    def name(self) -> str:
        which = "the coordinator" if self.coordinator else "not the coordinator"
        return f"`{self.profile}`, {which}"


async def main(cuts: int) -> None:
    cases = [
        Case(profile, coordinator=which) for profile in BEGINS_S for which in (False, True)
    ]
    for profile in BEGINS_S:
        async with standing_lab(profile=profile) as (record, client):
            for _ in range(cuts):
                for case in cases:
                    if case.profile == profile:
                        await cut(case, record, client)
    show(cases)


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
        case.begins_s.append((await taken_over_ms(client, began_ms) - began_ms) / 1000)
        started = await lab.start(record.dir, owner)
        assert not isinstance(started, Problem), started
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
                await ask(client, UnquarantineNode(request=HostClock().token(), node=each["name"]))
        nodes = {each["status"] for each in status["nodes"]}
        if nodes == {"up"} and status["cluster"]["leader"] and not status["problems"] and \
                status["packages"][0]["state"] == "running":
            return status
        await asyncio.sleep(LOOK_S)


async def taken_over_ms(client: Client, since_ms: float) -> float:
    while True:
        told = await ask(client, GetEvents(package="p1"))
        for event in told["events"]:
            at_ms = datetime.fromisoformat(event["at"]).timestamp() * 1000
            if event["what"] == "package starting" and at_ms > since_ms:
                return at_ms
        await asyncio.sleep(LOOK_S)


def show(cases: list[Case]) -> None:
    rows = []
    for case in cases:
        begins, answers = spread(case.begins_s, digits=2), spread(case.answers_s, digits=2)
        rows.append([case.name, str(len(case.begins_s)), f"{PROFILES[case.profile].lease_s:g}",
                     f"{begins[0]} ({begins[1]})", f"{answers[0]} ({answers[1]})"])
    aims = []
    for profile, limit_s in BEGINS_S.items():
        worst = max(float(spread(case.begins_s, digits=2)[0]) for case in cases
                    if case.profile == profile)
        aims.append(f"Aim with `{profile}`: a takeover begins within about {limit_s:g} s: "
                    f"{worst:.2f} s, {verdict(worst <= limit_s)}.  ")
    publish("failover", "A power cut", [*TOLD, "", *aims], (
        "profile, node cut", "n", "lease s", "takeover begins s", "guest answers s"), rows)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CUTS))
