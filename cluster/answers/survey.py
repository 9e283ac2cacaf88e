"""Facts of nodes, gathered before anything is decided, and the rules' verdict on them.

Checking changes nothing. A node that does not answer in time is a reason against it, never an
exception.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from cluster.api.messages import AskFacts, Reply
from cluster.api.neighbour import Neighbour
from cluster.config.schema import ClusterConfig
from cluster.core import runs, suspensions
from cluster.core.model import UP, PackageRecord, State
from cluster.ledger import Ledger
from packages.core.claimed_disks import DiskClaims
from packages.core.facts import DiskFacts, FileKind, NodeFacts, Wanted
from packages.core.fencing import ISCSI_SCHEME, DiskGuard, fenced_by, why_unable
from packages.core.known_disks import as_opened, by_path, kept, opened_for
from packages.core.model import FenceSpec, PackageSpec
from packages.core.preflight import (
    Placement, PreflightInput, RunningGuest, apply_rules, host_rules, preflight, start_rules
)
from packages.core.problem import Problem
from packages.core.values import Undecodable, Value, changed, shaped
from packages.fencing.fences import Fences
from packages.identity import local_paths
from packages.storage.probe import Probe
from packages.vm.driver import Guest
from packages.worker import Worker

FACTS_S = 4.0
"""A dead LUN may hang a look for this long; a healthy node answers within 50 ms."""
ATTEMPTS = 3
"""A node that has just started is found again within half a second (cluster/sockets.py), and each
attempt waits 0.4 s for that; it was never asked, so asking again is not asking twice."""
TRIAL_S = 10.0
"""For what a hypervisor says of machines that it is only asked about: a try takes a third of a
second, and there are four of each shape at the most."""

BEHIND_S = 0.5
"""A node hears of what was agreed upon within milliseconds of whoever asks it about that."""

UNFENCED: Mapping[str, FenceSpec] = {}


class Host(Protocol):
    """What tells facts about this host."""

    async def gather(
        self, config: ClusterConfig, disks: Iterable[str], *, deadline_s: float,
    ) -> NodeFacts: ...

    async def hypervisor(self) -> tuple[str, tuple[str, ...]]:
        """Its version and the machine types it knows."""

    async def files(self, paths: Iterable[str], *, deadline_s: float) -> dict[str, FileKind]: ...

    async def not_ours(self, wanted: Wanted, *, deadline_s: float) -> dict[str, str]:
        """Of the wanted files, those that are not to be used, with the reason."""


class NodeAnswer(Value):
    facts: NodeFacts
    guest: Guest | None = None
    guests: dict[str, Guest] = {}
    """Of all that were asked for at once."""
    refused: tuple[tuple[str, ...], ...] = ()
    """What the hypervisor says against each of the wanted shapes."""


class Survey:
    def __init__(
        self, *, node: str, config: ClusterConfig, ledger: Ledger, host: Host,
        peers: Mapping[str, Neighbour], worker: Worker, fences: Fences,
    ) -> None:
        self.node, self.config, self.ledger = node, config, ledger
        self._host, self._peers, self._worker, self._fences = host, peers, worker, fences
        self._indexed: tuple[object, DiskClaims] | None = None

    @property
    def probe(self) -> Probe:
        return self._worker.around.probe

    async def here(
        self, disks: tuple[str, ...], package: str | None = None,
        fences: Mapping[str, FenceSpec] = UNFENCED, packages: tuple[str, ...] = (),
        wanted: Wanted = Wanted(),
    ) -> NodeAnswer:
        """What this node tells about itself. Its own guests of these packages may have their disks
        open. Only fences in the record are asked: a fence's command is a program, and what
        somebody merely shows is not to start one."""
        if fences:
            await self.ledger.until(
                lambda state: fences_in(state) >= fences.items(), deadline_s=BEHIND_S)
            known = fences_in(self.ledger.state)
            fences = {path: fence for path, fence in fences.items() if (path, fence) in known}
        facts, guards = await asyncio.gather(
            self._host.gather(self.config, disks, deadline_s=FACTS_S),
            self._fences.status(fences, deadline_s=FACTS_S),
        )
        facts = changed(facts, disks=tuple(
            _with_guard(disk, guards[disk.path], fences[disk.path])
            if disk.path in guards else disk
            for disk in facts.disks))
        guests = self._guests((package, *packages) if package else packages)
        facts = await self._with_opened(facts, guests)
        own = frozenset(guest.pid for guest in guests.values())
        if own:
            facts = changed(facts, disks=tuple(
                changed(disk, opened_by=tuple(pid for pid in disk.opened_by if pid not in own))
                for disk in facts.disks))
        files, refused = await self._wanted(wanted)
        not_ours = await self._host.not_ours(wanted, deadline_s=FACTS_S) if wanted.files else {}
        return NodeAnswer(
            facts=changed(facts, files=files, not_ours=not_ours), guest=guests.get(package or ""),
            guests={name: guests[name] for name in packages if name in guests}, refused=refused)

    async def _wanted(
        self, wanted: Wanted,
    ) -> tuple[dict[str, FileKind], tuple[tuple[str, ...], ...]]:
        files = await self._host.files(
            wanted.files, deadline_s=FACTS_S) if wanted.files else {}
        driver = self._worker.around.driver if wanted.shapes else None
        refused = await asyncio.gather(*(
            driver.refuses(shape, deadline_s=TRIAL_S) for shape in wanted.shapes)) if driver else []
        return files, tuple(refused)

    async def _with_opened(self, facts: NodeFacts, guests: Mapping[str, Guest]) -> NodeFacts:
        """A disk that a guest of ours has open is what its process has, whatever its path means
        by now."""
        held: dict[str, DiskFacts] = {}
        for name, guest in sorted(guests.items()):
            record = self.ledger.package(name)
            if record is None:
                continue
            opened = await self.probe.opened(
                guest.pid, local_paths(record.spec), deadline_s=FACTS_S)
            if opened is not None:
                held |= opened_for(opened.named, opened.devices, by_path(record.disks))
        return changed(facts, disks=tuple(
            as_opened(disk, held[disk.path]) if disk.path in held else disk
            for disk in facts.disks))

    def _guests(self, packages: tuple[str, ...]) -> dict[str, Guest]:
        agents = ((name, self._worker.agents.get(name)) for name in packages)
        return {name: agent.body.guest for name, agent in agents
                if agent is not None and agent.body.guest is not None}

    async def of(
        self, node: str, disks: tuple[str, ...], package: str | None = None,
        fences: Mapping[str, FenceSpec] = UNFENCED, packages: tuple[str, ...] = (),
        wanted: Wanted = Wanted(),
    ) -> NodeAnswer | None:
        """What a node tells about itself; None when it does not."""
        if node == self.node:
            return await self.here(disks, package, fences, packages, wanted)
        record = self.ledger.state.nodes.get(node)
        if record is None or record.state not in UP:
            return None
        ask = AskFacts(disks=disks, package=package, fences=dict(fences), packages=packages,
                       wanted=wanted)
        limit_s = FACTS_S + 1.0 + (TRIAL_S if wanted.shapes else 0.0)
        reply: Reply | Problem | None = None
        for _ in range(ATTEMPTS):
            peer = self._peers.get(node)
            if peer is None:
                return None  # removed, perhaps while it was asked
            reply = await peer.ask(ask, deadline_s=limit_s)
            if isinstance(reply, Reply) or reply.code != "node-unreachable":
                break
        if not isinstance(reply, Reply) or reply.verdict != "done":
            return None
        try:
            answer: NodeAnswer = shaped(reply.result, NodeAnswer)
        except Undecodable:
            return None
        return answer

    async def against_move(
        self, record: PackageRecord, target: str, *, keeps_reserve: bool = True,
    ) -> list[Problem]:
        """Every reason against moving a running package to `target`; what is kept for takeovers is
        one, unless the move empties a node or takes back what was there."""
        disks = paths(record.spec)
        source = record.owner
        there, at_source = await asyncio.gather(
            self.of(target, disks, arriving(record, target), fences_of(record.spec)),
            self.of(source, disks, record.name, fences_of(record.spec)) if source else _nothing(),
        )
        return self.verdict(record, target, there, at_source, keeps_reserve=keeps_reserve)

    def verdict(
        self, record: PackageRecord, target: str, there: NodeAnswer | None,
        at_source: NodeAnswer | None, *, keeps_reserve: bool = True,
    ) -> list[Problem]:
        """The rules on a move, of answers that were gathered before."""
        source = record.owner
        guest = at_source.guest if at_source else None
        running = None
        if record.state == "running" and source:
            running = RunningGuest(
                node=source, accel="kvm" if guest and guest.accel == "kvm" else "tcg",
                machine=guest.machine if guest else record.machine, pid=guest.pid if guest else 0,
            )
        return preflight(self._input(
            record.spec, target, there, record=record, running=running,
            source=at_source.facts if at_source else None, keeps_reserve=keeps_reserve,
        ))

    async def against_start(self, spec: PackageSpec, node: str) -> list[Problem]:
        """Every reason against starting a halted package on `node`."""
        return self.verdict_on_start(
            spec, node, await self.of(node, paths(spec), spec.name, fences_of(spec)))

    def verdict_on_start(
        self, spec: PackageSpec, node: str, there: NodeAnswer | None,
    ) -> list[Problem]:
        record = self.ledger.package(spec.name)
        return start_rules(self._input(
            spec, node, there, record=record, keeps_reserve=_is_new(record)))

    def verdict_on_apply(
        self, spec: PackageSpec, node: str, there: NodeAnswer, *, running: RunningGuest | None,
        claimed: Mapping[str, str], new_disks: tuple[str, ...], refused_by_qemu: tuple[str, ...],
    ) -> tuple[list[Problem], list[Problem]]:
        """(against the package's disks, against the node for this package)"""
        asked = changed(self._input(
            spec, node, there, record=self.ledger.package(spec.name), running=running,
            also_claimed=claimed, new_disks=new_disks), refused_by_qemu=refused_by_qemu)
        return apply_rules(asked), host_rules(changed(asked, running=None))

    def _claims(self) -> DiskClaims:
        """By the record, as it is now."""
        packages = self.ledger.state.packages
        if self._indexed is None or self._indexed[0] is not packages:
            self._indexed = packages, DiskClaims(
                (path, name) for name, record in packages.items() for path in paths(record.spec))
        return self._indexed[1]

    def _claimed(self, spec: PackageSpec, *seen_by: NodeFacts | None) -> dict[str, str]:
        """What other packages name the package's disks by, as these nodes see them."""
        return {key: name for facts in seen_by if facts is not None
                for key, name in claimed_by(self._claims(), spec, by_path_of(facts)).items()}

    def _input(
        self, spec: PackageSpec, target: str, answer: NodeAnswer | None, *,
        record: PackageRecord | None, running: RunningGuest | None = None,
        source: NodeFacts | None = None, also_claimed: Mapping[str, str] | None = None,
        keeps_reserve: bool = False, new_disks: tuple[str, ...] = (),
    ) -> PreflightInput:
        return PreflightInput(
            spec=spec, target=target, target_facts=answer.facts if answer else None,
            placement=placement(self.ledger.state, record, target), running=running,
            source_facts=source, moving=record.moving if record else False,
            detached_on=(record.owner or "") if record and record.state == "detached" else "",
            in_maintenance=suspensions.in_maintenance(record) if record else False,
            transport=self.config.migration.transport,
            migration_private=self.config.migration.private,
            vswitches={each.name: each.subnet for each in self.config.vswitches},
            claimed_disks={
                **self._claimed(spec, answer.facts if answer else None, source),
                **(also_claimed or {})},
            known_disks=kept(
                record.disks, record.spec, spec, new_disks) if record is not None else (),
            reserve_mib=self.config.takeover_reserve_mib if keeps_reserve else 0,
        )


def by_path_of(facts: NodeFacts) -> dict[str, DiskFacts]:
    return {disk.path: disk for disk in facts.disks}


def claimed_by(
    claims: DiskClaims, spec: PackageSpec, seen: Mapping[str, DiskFacts],
) -> dict[str, str]:
    """What other packages name the package's disks by, where these are what its paths mean."""
    return {
        key: name for path in paths(spec) for key, name in claims.of_others(
            path, seen[path].identity if path in seen else "", package=spec.name).items()}


def _is_new(record: PackageRecord | None) -> bool:
    """Whether its start takes memory that nobody counted on: it has never run, or is ordered to.
    What is started again was there before, and a takeover is what the reserve is for."""
    return record is None or record.state in ("halted", "failed") or not record.machine


def arriving(record: PackageRecord, node: str) -> str | None:
    """The package, where a move is bringing it: the copy that waits there has its disks open."""
    move = record.move
    return record.name if record.moving and move is not None and move.target == node else None


async def _nothing() -> Any:
    return None


def _with_guard(disk: DiskFacts, guard: DiskGuard | Problem, fence: FenceSpec) -> DiskFacts:
    """A LUN that QEMU opens itself is known by what its target says; nobody else sees it."""
    if isinstance(guard, Problem):
        return changed(disk, unfenced=guard.because)
    disk = changed(disk, unfenced=why_unable(fence, guard))
    if not disk.path.startswith(ISCSI_SCHEME):
        return disk
    return changed(
        disk, kind="whole", identity=guard.identity, size_bytes=guard.size_bytes,
        sector_bytes=guard.sector_bytes)


def fences_of(spec: PackageSpec) -> dict[str, FenceSpec]:
    """What is asked of each of the package's disks, where anything is."""
    return {path: spec.fence for path in paths(spec)} if fenced_by(spec) else {}


def fences_in(state: State) -> frozenset[tuple[str, FenceSpec]]:
    """(path, fence) of all disks in the record; what is not here word for word is not asked."""
    return frozenset(
        each for record in state.packages.values() for each in fences_of(record.spec).items())


def paths(spec: PackageSpec) -> tuple[str, ...]:
    return tuple(disk.path for disk in spec.vm.disks)


def placement(state: State, record: PackageRecord | None, node: str) -> Placement:
    """What the record says about a node for a package."""
    there = state.nodes.get(node)
    blocked = runs.blocked_nodes(record) if record else frozenset()
    because = f"It is {there.state}." if there else "The cluster file does not name it."
    if there is not None and there.state == "running" and record is not None:
        because = " ".join(
            f"{hold.by} disabled it: {hold.reason}" for hold in record.holds
            if hold.kind == "node-switching" and hold.node == node)
    return Placement(
        switching=node not in blocked,
        in_maintenance=there is not None and there.state in ("draining", "maintenance"),
        up=there is not None and there.state in UP,
        quarantined=there is not None and there.state == "quarantined",
        guarded=there is None or not there.guardian_silent,
        because=because,
    )
