"""What one caller's flood costs everybody else: leases, elections, memory, others' answers.

    make bench BENCH=floods

A lab of three nodes with a guest. The leader is flooded, from another node's network, by a key of
each role in turn; then honest large work. What it must not come to stands below.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from rig.costs import resident_mib
from rig.labs import ask, standing_lab
from rig.report import publish, verdict

from cluster.api.client import Client
from cluster.api.messages import AddOperator, ApplyPackages, GetStatus, NamedText, Preflight, Reply
from cluster.clock import HostClock
from cluster.config.keys import NodeFolder, load_node_folder
from cluster.config.schema import PROFILES
from cluster.lab import ready
from cluster.lab.record import LabRecord
from cluster.sockets import keys_of, make_keys

SECONDS = 60.0
ROLES = ("monitor", "package-admin", "full-admin")
PACKAGES, PREFLIGHTS = 1000, 100
LOOK_S, ASKED_EVERY_S, SETTLE_S = 0.05, 0.2, 3.0
LEASE_SHARE, MOST_MIB, ANSWER_S = 0.5, 300.0, 1.0
ROOT = Path(__file__).parents[2]

TOLD = [
    "A lab of three nodes and one guest. Each role's key floods the leader for a minute, sixty",
    "requests under way without a pause, all that the role may ask among them (orders as dry runs,",
    "but switching, with reasons of 500 characters; descriptions of 60 KiB of hostile YAML). Then",
    "honest work: 1,000 packages applied in one request, and 100 preflights at once. *Least lease*",
    "is the least that was left of any node's lease of 3.5 s, every 50 ms, by the guardian's own",
    "file, which may be half a second behind: 2.2 s is usual. *Others* is what another",
    "operator's `status` took, at each node in turns, five times a second.",
]


class Seen(NamedTuple):
    """While something went on."""

    took_s: float
    least_s: float
    elections: int
    failed: int
    """Nodes that were called dead."""
    mib: float
    answers_ms: list[float]
    unanswered: int
    told: str


class Watch:
    """Looks at a lab from outside until it is told that it is enough."""

    def __init__(self, record: LabRecord, clients: dict[str, Client]) -> None:
        self._record, self._clients = record, clients
        self._daemons = [its.daemon for its in record.pids.values()]
        self._is_over = asyncio.Event()
        self.least_s, self.mib, self.unanswered = float("inf"), 0.0, 0
        self.answers_ms: list[float] = []
        self._terms: set[int] = set()
        self._down: set[str] = set()

    async def over(self, title: str, work: Awaitable[str]) -> Seen:
        looking = asyncio.gather(self._look(), self._ask())
        began_s = time.monotonic()
        told = await work
        took_s = time.monotonic() - began_s
        self._is_over.set()
        await looking
        print(title, told, flush=True)
        return Seen(
            took_s=took_s, least_s=self.least_s, elections=max(self._terms) - min(self._terms),
            failed=len(self._down), mib=self.mib, answers_ms=self.answers_ms,
            unanswered=self.unanswered, told=told)

    async def _look(self) -> None:
        while not self._is_over.is_set():
            now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
            for node in self._record.plan.nodes:
                kept = json.loads(Path(node.run, "guardian.json").read_text())
                self.least_s = min(self.least_s, kept["lease"]["expiry_s"] - now_s)
            self.mib = max([self.mib, *map(resident_mib, self._daemons)])
            await asyncio.sleep(LOOK_S)

    async def _ask(self) -> None:
        while True:
            for client in self._clients.values():
                began_s = time.monotonic()
                answer = await client.ask(GetStatus(), deadline_s=10.0)
                self.answers_ms.append((time.monotonic() - began_s) * 1000)
                if isinstance(answer, Reply) and answer.verdict == "done":
                    self._terms.add(answer.result["cluster"]["term"])
                    self._down |= {
                        each["name"] for each in answer.result["nodes"] if each["status"] != "up"}
                else:
                    self.unanswered += 1
                if self._is_over.is_set():
                    return
                await asyncio.sleep(ASKED_EVERY_S / len(self._clients))


class Attack:
    """A lab, its folders, and who floods it."""

    def __init__(self, record: LabRecord, client: Client) -> None:
        self._record, self._client = record, client
        folder = load_node_folder(Path(record.plan.nodes[0].folder, "etc"))
        assert isinstance(folder, NodeFolder)
        self._folder = folder
        keys = keys_of(folder.operator_secret)
        assert keys is not None
        self.clients = {
            each.name: Client([ready.endpoint(each, folder)], keys) for each in record.plan.nodes}

    async def leader(self) -> str:
        return str((await ask(self._client, GetStatus()))["cluster"]["leader"])

    async def flood(self, role: str, seconds: float) -> str:
        keys, name = make_keys(), f"flood-{role}"
        await ask(self._client, AddOperator(
            name=name, key=keys.public, role=role, request=HostClock().token()))  # type: ignore
        victim = await self.leader()
        it = next(each for each in self._folder.config.nodes if each.name == victim)
        place = next(each for each in self._record.plan.nodes if each.name != victim)
        orders = {
            "address": f"tcp://{it.address}:{it.api_port}", "secret": keys.secret, "role": role,
            "server_key": self._folder.keys.nodes[victim], "package": "p1", "node": victim,
            "seconds": seconds}
        process = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", place.netns, sys.executable,
            str(Path(__file__).with_name("rig") / "flooder.py"), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
        found, _ = await process.communicate(json.dumps(orders).encode())
        assert process.returncode == 0
        counts = json.loads(found)
        return f"{sum(counts.values())} answers: " + ", ".join(
            f"{count} {word}" for word, count in sorted(counts.items()))

    async def apply(self) -> str:
        kernel = Path(self._record.dir, "kernel")
        kernel.write_bytes(b"no kernel")
        names = [f"b{number}" for number in range(PACKAGES)]
        text = "---\n".join(
            f"name: {name}\nnodes: [n1, n2, n3]\nauto_run: false\nvm:\n  memory_mib: 16\n"
            f"  disks: []\n  kernel: {{image: {kernel}}}\n" for name in names)
        reply = await self._client.ask(ApplyPackages(
            files=(NamedText(name="many.yaml", text=text),), request=HostClock().token(),
        ), deadline_s=120.0)
        assert isinstance(reply, Reply), reply
        refused = [each.code for each in reply.problems if each.severity == "refuse"]
        return f"{reply.verdict} {sorted(set(refused))}"

    async def preflights(self) -> str:
        replies = await asyncio.gather(*(
            each.ask(Preflight(package="p1"), deadline_s=60.0)
            for each in self.clients.values() for _ in range(PREFLIGHTS // 3 + 1)))
        done = sum(isinstance(each, Reply) and each.verdict == "done" for each in replies)
        return f"{done} of {len(replies)} done"

    def close(self) -> None:
        for each in self.clients.values():
            each.close()


async def main(seconds: float) -> None:
    rows: dict[str, Seen] = {}
    async with standing_lab() as (record, client):
        attack = Attack(record, client)
        works: dict[str, Callable[[], Awaitable[str]]] = {
            **{f"a {role}'s flood": lambda role=role: attack.flood(role, seconds)  # type: ignore
               for role in ROLES},
            f"{PREFLIGHTS} preflights at once": attack.preflights,
            f"{PACKAGES} packages applied": attack.apply,
        }
        for title, work in works.items():
            await asyncio.sleep(SETTLE_S)
            rows[title] = await Watch(record, attack.clients).over(title, work())
        attack.close()
    show(rows)


def show(rows: dict[str, Seen]) -> None:
    lease_s = PROFILES["lan"].lease_s
    lines, is_held = [], True
    for title, seen in rows.items():
        ordered = sorted(seen.answers_ms)
        median_ms, worst_ms = ordered[len(ordered) // 2], ordered[-1]
        holds = (
            seen.least_s >= LEASE_SHARE * lease_s and not seen.elections and not seen.failed
            and seen.mib < MOST_MIB and worst_ms < ANSWER_S * 1000 and not seen.unanswered)
        is_held = is_held and holds
        lines.append([
            title, f"{seen.took_s:.0f}", seen.told, f"{seen.least_s:.2f}", str(seen.elections),
            str(seen.failed), f"{seen.mib:.0f}", f"{median_ms:.0f}", f"{worst_ms:.0f}",
            verdict(holds)])
    publish("floods", "A flood", [*TOLD, "", (
        f"Aim: no election, no node called dead, no lease with less than half of it left, no "
        f"daemon above {MOST_MIB:.0f} MiB, everybody else answered within {ANSWER_S:.0f} s: "
        f"{verdict(is_held)}.")], (
        "what", "s", "came to", "least lease s", "elections", "dead", "MiB", "others ms",
        "at most ms", "aim"), lines)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
