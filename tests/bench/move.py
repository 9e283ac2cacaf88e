"""The product's move beside the same migration driven by hand over QMP, in turns.

    make bench BENCH=move

Two guests of one lab: p1 is the product's, p2 is halted in the cluster and its LUN is given to
tests/bench/rig/by_hand.py. Each pair is one product move and one by hand, between the same two
nodes; whichever came first the last time comes second now.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rig.by_hand import HandGuest, first_guest, moved_by_hand
from rig.labs import ask, moved, standing_lab
from rig.report import publish, spread, verdict

from cluster.api.client import Client
from cluster.api.messages import GetStatus, HaltPackage
from cluster.clock import HostClock
from cluster.config.package_file import packages_from_text
from cluster.lab.plan import PackagePlan
from cluster.lab.ready import answered, echoes
from cluster.lab.record import LabRecord
from packages.core.model import PackageSpec
from packages.core.move_policy import FIRST_LIMIT_MS

PAIRS = 10
TOTAL_RATIO, FREEZE_RATIO, FREEZE_MORE_MS = 1.15, 1.25, 10.0
"""What the product may cost beyond the migration itself."""

TOLD = [
    "Median (smallest to largest) of the product's move and of the same migration driven by hand:",
    "the same guest image, QEMU command line, disk kind, network namespaces, migration parameters",
    "and TLS relays; the target's QEMU is started within the measured time. By hand there is no",
    "agreement, no monitor, no preflight and no way back. *Total* is from the decision (the move's",
    "entry; by hand the script's first line) until the guest runs at the target, *with preflight*",
    "from the client's request. *Freeze* is from the source's STOP to the target's RESUME, by",
    "QEMU's own stamps. The bare socket (one unix socket from QEMU to QEMU, no TLS, no relays) is",
    "only there to show what the relays cost; two hosts could not be joined by it.",
]


class Figures:
    def __init__(self) -> None:
        self.requested_ms: list[float] = []
        self.total_ms: list[float] = []
        self.freeze_ms: list[float] = []


class Bench:
    def __init__(self, record: LabRecord, client: Client, spec: PackageSpec) -> None:
        self.nodes, self.client, self.spec = record.plan.nodes[:2], client, spec
        self.ours, self.hand, self.bare = Figures(), Figures(), Figures()
        self.guest: HandGuest = first_guest(spec, self.nodes[0])

    async def product(self) -> None:
        owner = (await ask(self.client, GetStatus()))["packages"][0]["node"]
        target = next(each.name for each in self.nodes if each.name != owner)
        began_ms = time.time() * 1000
        move = await moved(self.client, "p1", target)
        opened_ms = datetime.fromisoformat(move["opened_at"]).timestamp() * 1000
        self.ours.requested_ms.append(opened_ms + move["total_ms"] - began_ms)
        self.ours.total_ms.append(move["total_ms"])
        self.ours.freeze_ms.append(move["freeze_ms"])

    async def by_hand(self) -> None:
        self._move_by_hand(self.hand, through_relays=True)

    async def on_bare_socket(self) -> None:
        """There and back, so that the guest by hand keeps step with the product's."""
        for _ in range(2):
            self._move_by_hand(self.bare, through_relays=False)

    def _move_by_hand(self, figures: Figures, *, through_relays: bool) -> None:
        node = self.nodes[1 - self.nodes.index(self.guest.node)]
        self.guest, total_ms, freeze_ms = moved_by_hand(
            self.spec, self.guest, node, limit_ms=min(FIRST_LIMIT_MS, self.spec.freeze_budget_ms),
            through_relays=through_relays)
        figures.total_ms.append(total_ms)
        figures.freeze_ms.append(freeze_ms)


async def main(pairs: int) -> None:
    async with standing_lab(packages=2) as (record, client):
        await ask(client, HaltPackage(package="p2", request=HostClock().token()))
        bench = Bench(record, client, spec_of(record, "p2"))
        try:
            await until_it_answers(record.plan.packages[1])
            for turn in range(-1, pairs):
                if turn == 0:  # the first pair warms caches on both sides
                    bench.ours, bench.hand, bench.bare = Figures(), Figures(), Figures()
                sides = [bench.product, bench.by_hand]
                for side in (sides if turn % 2 else sides[::-1]) + [bench.on_bare_socket]:
                    await side()
                    await until_it_answers(*record.plan.packages)
        finally:
            bench.guest.end()
    show(bench)


def spec_of(record: LabRecord, package: str) -> PackageSpec:
    path = Path(record.dir, "packages", f"{package}.yaml")
    specs, problems = packages_from_text(path.read_text(), source=str(path))
    assert not problems, problems
    return specs[0]


async def until_it_answers(*packages: PackagePlan) -> None:
    for each in packages:
        while not await answered(echoes(each.guest_address)):
            await asyncio.sleep(0.02)


def show(bench: Bench) -> None:
    median: Callable[[list[float]], float] = lambda values: float(spread(values, digits=3)[0])
    rows = [
        row("product", bench.ours), row("by hand, the same relays", bench.hand),
        row("by hand, bare socket", bench.bare),
    ]
    total, hand_total = median(bench.ours.total_ms), median(bench.hand.total_ms)
    freeze, hand_freeze = median(bench.ours.freeze_ms), median(bench.hand.freeze_ms)
    freeze_aim = max(FREEZE_RATIO * hand_freeze, hand_freeze + FREEZE_MORE_MS)
    aims = (
        f"Aims: total at most {TOTAL_RATIO} times by hand: {total / hand_total:.2f}, "
        f"{verdict(total <= TOTAL_RATIO * hand_total)}; freeze at most {FREEZE_RATIO} times or "
        f"{FREEZE_MORE_MS:.0f} ms more: {freeze / hand_freeze:.2f} times, "
        f"{freeze - hand_freeze:+.1f} ms, {verdict(freeze <= freeze_aim)}."
    )
    print(aims)
    publish("move", "A move, and the same by hand", [*TOLD, "", aims], (
        "", "n", "total ms", "with preflight ms", "freeze ms"), rows)


def row(name: str, figures: Figures) -> list[str]:
    def cell(values: list[float]) -> str:
        middle, around = spread(values)
        return f"{middle} ({around})" if values else "-"

    return [name, str(len(figures.total_ms)), cell(figures.total_ms), cell(figures.requested_ms),
            cell(figures.freeze_ms)]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS))
