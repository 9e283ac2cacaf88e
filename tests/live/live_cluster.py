"""A lab in a test's hands: asks like an operator, harms like fate, and checks what must hold.

What must hold is checked from outside of the product: the guests' processes as the kernel shows
them, the guest's own words over the network, and the log on its disk.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cluster.api.client import Client
from cluster.api.messages import (
    AnyRequest, ApplyPackages, GetEvents, GetMove, GetStatus, MovePackage, NamedText, Reply,
    RunPackage, UnquarantineNode
)
from cluster.config.keys import load_node_folder
from cluster.lab import guests, lab, processes, ready
from cluster.lab.disk_log import check
from cluster.lab.groups import NodeGroup, state_of
from cluster.lab.guest_image import read_records
from cluster.lab.plan import LabOptions, NodePlan, PackagePlan
from cluster.lab.record import LabRecord
from cluster.sockets import keys_of
from packages.core.values import from_json, plain
from tests.live.cuts import cut_agreement
from tests.live.evidence import Place, evidence, standing
from tests.live.guest_processes import Copy, copy_of, parent_of, running_of, until_gone
from tests.live.guest_side import GuestPage, page
from tests.live.halts import Joining, take_back_halts
from tests.live.phases import reached

WITHIN_S = 40.0
"""For whatever takes a takeover at the most, on a starved machine."""
LOOK_S = 0.02


class LiveCluster:
    """One lab that is up. `away` are nodes whose daemon is not asked, because the test has
    stopped or killed it."""

    def __init__(self, record: LabRecord) -> None:
        self.record = record
        self.plan = record.plan
        self.away: set[str] = set()
        self._returned: set[str] = set()
        self.joining = Joining()
        self.acknowledged: dict[str, dict[str, int]] = defaultdict(dict)
        """Of each package: by life, what its guest called durable."""
        self._stopped: set[int] = set()
        self._daemons = {name: pids.daemon for name, pids in record.pids.items()}
        folder = load_node_folder(Path(self.plan.nodes[0].folder, "etc"))
        keys = keys_of(folder.operator_secret)
        self._clients = {
            each.name: Client([ready.endpoint(each, folder)], keys) for each in self.plan.nodes
        }

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.plan.nodes]

    def node(self, name: str) -> NodePlan:
        found = self.plan.node(name)
        assert isinstance(found, NodePlan)
        return found

    def package(self, name: str = "p1") -> PackagePlan:
        return next(each for each in self.plan.packages if each.name == name)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    # asking, as an operator does

    async def ask(self, request: AnyRequest, *, node: str | None = None) -> Reply:
        """The answer of that node, else of one that is there; one that was away lately, and may not
        have caught up, is asked last."""
        self._returned |= self.away
        there = [each for each in self.names if each not in self.away]
        name = node or min(there, key=lambda each: each in self._returned)
        end = time.monotonic() + WITHIN_S
        while True:
            answer = await self._clients[name].ask(request, deadline_s=WITHIN_S)
            if isinstance(answer, Reply):
                return answer
            # Nobody listens yet: nothing was asked.
            assert answer.code == "no-cluster" and time.monotonic() < end, f"{name}: {answer}"
            await asyncio.sleep(LOOK_S)

    async def done(self, request: AnyRequest, *, node: str | None = None) -> Any:
        """The result of a request that must not be refused."""
        reply = await self.ask(request, node=node)
        assert reply.verdict == "done", reply.problems
        return reply.result

    async def status(self, *, node: str | None = None) -> dict[str, Any]:
        return await self.done(GetStatus(verbose=True), node=node)

    async def settled_status(self) -> dict[str, Any]:
        """As a majority has it: a node that stood still a moment ago knows the past."""
        end = time.monotonic() + WITHIN_S
        while (reply := await self.ask(GetStatus(verbose=True, current=True))).verdict != "done":
            assert time.monotonic() < end, reply.problems
            await asyncio.sleep(LOOK_S)
        return dict(reply.result)

    async def shown(self, package: str = "p1") -> dict[str, Any]:
        """A package as `vmsg status -v` shows it."""
        return one(await self.status(), package)

    async def until(
        self, holds: Callable[[dict[str, Any]], object], *, within_s: float = WITHIN_S,
        settled: bool = False,
    ) -> dict[str, Any]:
        """The first status for which this holds; settled: not one node's own idea."""
        end = time.monotonic() + within_s
        while True:
            status = await (self.settled_status() if settled else self.status())
            if holds(status):
                return status
            assert time.monotonic() < end, f"in vain for {within_s} s; last: {status}"
            await asyncio.sleep(LOOK_S)

    async def until_running(self, package: str = "p1") -> dict[str, Any]:
        """Wait until the package runs by the record, and no move of it is under way."""
        def runs(status: dict[str, Any]) -> bool:
            found = one(status, package)
            return found["state"] == "running" and found["move"] is None
        return one(await self.until(runs, settled=True), package)

    async def leader(self) -> str:
        status = await self.until(lambda status: status["cluster"]["leader"])
        return str(status["cluster"]["leader"])

    async def set_policy(
        self, package: str = "p1", *, monitor: str = "", **policy: Any,
    ) -> None:
        """Apply the package's file with these keys added, and one more monitor; restarts on the
        spot are not limited, so that one scenario's failures do not count in the next."""
        text = guests.package_text(self.plan, self.package(package), self.record.disks[package])
        text += f"  - {monitor}\n" if monitor else ""  # its monitors stand last
        lines = {"service_restart": 1000} | policy
        text += "".join(f"{key}: {value}\n" for key, value in lines.items())
        await self.apply(text)

    async def apply(self, text: str) -> None:
        file = NamedText(name="package.yaml", text=text)
        await self.done(ApplyPackages(request=token(), files=(file,)))

    async def events(self, package: str = "p1", *, after: int = 0) -> list[dict[str, Any]]:
        found = await self.done(GetEvents(package=package, after=after))
        return list(found["events"])

    # moves

    async def open_move(
        self, target: str, *, package: str = "p1", node: str | None = None,
    ) -> str:
        """Begin a move; its id."""
        asked = MovePackage(request=token(), package=package, node=target)
        return str((await self.done(asked, node=node))["id"])

    async def move(self, package: str = "p1") -> dict[str, Any]:
        return dict(await self.done(GetMove(package=package)))

    async def end_of_move(self, package: str = "p1") -> dict[str, Any]:
        end = time.monotonic() + WITHIN_S
        while (found := await self.move(package))["result"] is None:
            assert time.monotonic() < end, f"the move has no end: {found}"
            await asyncio.sleep(LOOK_S)
        return found

    async def moved(self, target: str, *, package: str = "p1") -> dict[str, Any]:
        """Move it there, and wait for the end, whichever it is."""
        await self.open_move(target, package=package)
        return await self.end_of_move(package)

    async def step(self, node: str, move: str, step: str) -> None:
        """Wait until the source's agent says in its log that it takes this step of the move."""
        log = Path(self.node(node).folder, "log", "daemon.log")
        await reached(log, move, step, within_s=WITHIN_S)

    def relay(self, node: str, move: str) -> int:
        """The process id of this move's relay on a node."""
        record = Path(self.node(node).run, "relays", f"{move}.json").read_bytes()
        return int(from_json(record, dict)["pid"])

    # harm

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def stop(self, *pids: int) -> None:
        for pid in pids:
            self._stopped.add(pid)
            os.kill(pid, signal.SIGSTOP)

    def go_on(self, *pids: int) -> None:
        for pid in pids:
            self._stopped.discard(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def is_stopped(self, pid: int) -> bool:
        """Whether it was stopped by this test, and not killed since."""
        return pid in self._stopped

    def daemon(self, node: str) -> int:
        return self._daemons[node]

    def kill_daemon(self, node: str) -> None:
        self.away.add(node)
        self._stopped.discard(self.daemon(node))
        self.kill(self.daemon(node))

    async def end_daemon(self, node: str) -> None:
        """As systemd would, for an upgrade."""
        self.away.add(node)
        os.kill(self.daemon(node), signal.SIGTERM)
        await until_gone(self.daemon(node))

    async def kill_guardian(self, name: str) -> None:
        """It is started again at once by the lab, as systemd would."""
        pid = self.guardian(name)
        self.kill(pid)
        async with asyncio.timeout(WITHIN_S):
            while self.guardian(name) == pid:
                await asyncio.sleep(LOOK_S)

    def guardian(self, node: str) -> int:
        return int(processes.guardian_file(self.node(node)).read_text())

    async def lose_guardian(self, name: str) -> None:
        """One that cannot be started again: the lab's supervisor goes with it."""
        pid = self.guardian(name)
        self.kill(parent_of(pid))
        self.kill(pid)
        await until_gone(pid)

    async def start_guardian(self, name: str) -> None:
        assert isinstance(await processes.start_guardian(self.node(name)), int)

    def stop_daemons(self, *nodes: str) -> None:
        self.away |= set(nodes)
        self.stop(*(self.daemon(each) for each in nodes))

    def continue_daemons(self, *nodes: str) -> None:
        self.away -= set(nodes)
        self.go_on(*(self.daemon(each) for each in nodes))

    async def cut_agreement(self, *, cut: bool) -> None:
        """Let nobody agree on anything, while all else goes through; or heal that."""
        for node in self.plan.nodes:
            await cut_agreement(node, cut=cut)

    async def start_daemon(self, name: str) -> None:
        """The daemon alone, as systemd would start it again."""
        node = self.node(name)
        await until_gone(self.daemon(name))
        pid = await processes.start_daemon(node)
        assert isinstance(pid, int), pid
        self.started(name, pid)

    def started(self, name: str, pid: int) -> None:
        """This process is its daemon from now on."""
        self._daemons[name] = pid
        self.joining.begins(Path(self.node(name).folder, "log", "daemon.log"))
        self._returned.add(name)
        self.away.discard(name)

    async def start_node(self, name: str) -> None:
        """Power on again after `lab.kill`."""
        record = await lab.start(self.record.dir, name)
        assert isinstance(record, LabRecord), record
        self.started(name, record.pids[name].daemon)

    # what must hold

    def copies(self, package: str = "p1") -> list[Copy]:
        """Every process of the package's guests, on all nodes."""
        return [
            copy for node in self.plan.nodes for pid in NodeGroup(node).members()
            if (copy := copy_of(node.name, pid, package)) is not None
        ]

    def freezes(self, node: str) -> int:
        """How often the guardian there has frozen guests, by its own log."""
        log = Path(self.node(node).folder, "log", "guardian.log").read_text()
        return log.count("vmsg-guard: frozen ")

    def copy_on(self, node: str, package: str = "p1") -> Copy:
        [found] = [each for each in self.copies(package) if each.node == node]
        return found

    async def said(self, order: str = "", *, package: str = "p1") -> GuestPage:
        """The guest's page; what it claims to be durable is held against its disk later."""
        found = await page(self.package(package).guest_address, order)
        if found.counter:
            known = self.acknowledged[package]
            known[found.boot_id] = max(found.counter, known.get(found.boot_id, 0))
        return found

    async def one_copy(self, package: str = "p1") -> dict[str, Any]:
        """Wait until the package has settled, and check that exactly one copy of it runs, where
        the record says, and that its disk has seen one writer."""
        end = time.monotonic() + WITHIN_S
        while True:
            shown = await self.until_running(package)
            running = await running_of(self.copies(package))
            again = one(await self.settled_status(), package)
            same = (again["node"], again["epoch"], again["state"]) == (
                shown["node"], shown["epoch"], "running")
            if same and [each.node for each in running] == [shown["node"]]:
                break
            assert time.monotonic() < end, f"running: {running}; by the record: {again}"
            await asyncio.sleep(LOOK_S)
        assert running[0].boot_id == shown["boot_id"]
        assert running[0].epoch <= shown["epoch"]
        seen = await self.said(package=package)
        assert seen.write_errors == 0
        self.check_disk(package)
        return shown

    def check_disk(self, package: str = "p1") -> None:
        log = read_records(Path(self.record.disks[package]))
        report = check(log, acknowledged=self.acknowledged[package])
        assert report.is_clean, [plain(each) for each in report.findings]

    async def in_order(self) -> dict[str, Any]:
        """Mend all harm: every node up, the package running; how the next scenario begins."""
        self.go_on(*tuple(self._stopped))
        for node in self.plan.nodes:
            assert await lab.heal(self.record.dir, node.name) is None
            if not NodeGroup(node).members():
                await self.start_node(node.name)
            else:
                if state_of(self.guardian(node.name)) in "ZX":
                    await self.start_guardian(node.name)
                if state_of(self.daemon(node.name)) in "ZX":
                    await self.start_daemon(node.name)
        self.away.clear()
        await self.joining.over()
        await take_back_halts(self.until, self.done)
        await self.until(lambda status: all(
            each["status"] == "up" and each["state"] in ("running", "quarantined")
            for each in status["nodes"]))
        for each in (await self.status())["nodes"]:
            if each["quarantined_until"]:  # one scenario's failures do not count in the next
                await self.done(UnquarantineNode(request=token(), node=each["name"]))
        for package in self.plan.packages:
            if (await self.shown(package.name))["state"] in ("halted", "failed"):
                await self.done(RunPackage(request=token(), package=package.name))
            await self.one_copy(package.name)
            # A node that came back has joined once it has ended what is not its own.
            async with asyncio.timeout(WITHIN_S):
                while len(self.copies(package.name)) > 1:
                    await asyncio.sleep(LOOK_S)
        self._returned.clear()
        return await self.status()

    def evidence(self) -> str:
        """What goes with the lab, and a failure wants."""
        return f"{evidence_of(self.record)}\ncopies: {self.copies()}"


def evidence_of(record: LabRecord) -> str:
    return evidence(
        Place(node.name, Path(node.folder, "etc"), Path(node.run), tuple(
            Path(node.folder, "log", f"{name}.log") for name in ("daemon", "guardian")))
        for node in record.plan.nodes)


def token() -> str:
    """A request's own id."""
    return secrets.token_hex(8)


def one(status: dict[str, Any], package: str = "p1") -> dict[str, Any]:
    return next(each for each in status["packages"] if each["name"] == package)


@asynccontextmanager
async def live_cluster(folder: Path, **options: Any) -> AsyncIterator[LiveCluster]:
    record = await lab.up(LabOptions(dir=str(folder), **options))
    assert isinstance(record, LabRecord), record
    cluster = LiveCluster(record)
    try:
        with standing(cluster.evidence):
            yield cluster
    finally:
        cluster.close()
        assert await lab.down(folder) is None
