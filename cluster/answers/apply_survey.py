"""What the nodes know against packages before they are taken: one question to each node for all.

What is against a package's disks is so for every node; what is against a node alone (its memory,
bridges, QEMU, files, a LUN that it does not see) refuses the package only where no node is left,
and is a warning otherwise.
"""

import asyncio
from collections.abc import Iterable, Mapping

from cluster.answers.survey import (
    FACTS_S, NodeAnswer, Survey, by_path_of, claimed_by, fences_in, fences_of, paths
)
from packages.core.allowed import images_of
from packages.core.claimed_disks import DiskClaims
from packages.core.disks import compared_luns
from packages.core.facts import DiskFacts, Wanted
from packages.core.fencing import is_iscsi
from packages.core.model import DiskSpec, FenceSpec, PackageSpec, VmSpec
from packages.core.preflight import RunningGuest
from packages.core.preflight_rules.host import files_of
from packages.core.problem import Problem, problem
from packages.core.values import changed

NewDisks = Mapping[str, tuple[str, ...]]
"""Package -> paths that mean other LUNs from now on."""
OF_NODE = frozenset({"disk-not-visible", "disk-read-only", "storage-fence-unavailable"})
"""What a node can have against a disk that is another node's good one."""
NOT_ALLOWED = frozenset({"program-not-allowed", "image-not-allowed"})
"""What one node would not use is not taken, however well the others are."""
LOOKS_AT_ONCE = 16


class ApplySurvey:
    """Make one for the packages of one request."""

    def __init__(
        self, survey: Survey, specs: Iterable[PackageSpec], new_disks: NewDisks,
    ) -> None:
        self._survey, self._specs, self._new_disks = survey, tuple(specs), new_disks
        self._state = survey.ledger.state
        self._fences = fences_in(self._state)
        self._shapes = tuple(dict.fromkeys(shape_of(spec.vm) for spec in self._specs))

    async def problems(self) -> list[Problem]:
        nodes = sorted({name for spec in self._specs for name in spec.nodes
                        if name in self._state.nodes})
        (claimed, found), told = await asyncio.gather(
            self._others(), asyncio.gather(*(self._asked(name) for name in nodes)))
        answers = dict(zip(nodes, told, strict=True))
        found += [_silent(name) for name, answer in answers.items() if answer is None]
        views = {name: _View(answer, self._claims(claimed, answer))
                 for name, answer in answers.items() if answer is not None}
        for spec in self._specs:
            found += self._against(spec, answers, views)
            await asyncio.sleep(0)  # a thousand of them are no single turn of the loop
        return found

    def _claims(self, claimed: Mapping[str, str], answer: NodeAnswer) -> DiskClaims:
        """With the paths and identities of the disks of all packages of the request, as the node
        sees them."""
        seen = by_path_of(answer.facts)
        own = [(path, spec.name) for spec in self._specs for path in paths(spec)]
        return DiskClaims([
            *claimed.items(), *own,
            *((seen[path].identity, name) for path, name in own if path in seen)])

    async def _asked(self, node: str) -> NodeAnswer | None:
        """Everything about all packages that may run there."""
        specs = [spec for spec in self._specs if node in spec.nodes]
        disks = tuple(sorted({path for spec in specs for path in paths(spec)}))
        fences = {path: fence for spec in specs for path, fence in fences_of(spec).items()
                  if (path, fence) in self._fences}
        return await self._survey.of(
            node, disks, None, fences, packages=tuple(sorted(spec.name for spec in specs)),
            wanted=Wanted(shapes=self._shapes, files=tuple(sorted({
                path for spec in specs for path, _, _ in files_of(spec)})), images=tuple(sorted({
                    path for spec in specs for path, _ in images_of(spec.vm)}))))

    async def _others(self) -> tuple[dict[str, str], list[Problem]]:
        """Identity -> package, of all other packages' disks: what the record knows, else what the
        path means here. And what could not be found out."""
        mine = {spec.name for spec in self._specs}
        claimed: dict[str, str] = {}
        unknown: dict[str, str] = {}
        for name, record in sorted(self._state.packages.items()):
            if name in mine:
                continue
            known = {disk.path: disk.identity for disk in record.disks if disk.identity}
            claimed |= dict.fromkeys(known.values(), name)
            unknown |= {path: name for path in paths(record.spec)
                        if path.startswith("/") and path not in known}
        turns = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(path: str) -> DiskFacts:
            async with turns:
                return await self._survey.probe.named(path, deadline_s=FACTS_S)

        seen = await asyncio.gather(*(look(path) for path in sorted(unknown)))
        claimed |= {each.identity: unknown[each.path] for each in seen if each.identity}
        silent = [each.path for each in seen if each.kind == "other" and not each.identity]
        return claimed, [_not_compared(silent, self._survey.node)] if silent else []

    def _against(
        self, spec: PackageSpec, answers: Mapping[str, NodeAnswer | None],
        views: "Mapping[str, _View]",
    ) -> list[Problem]:
        record = self._state.packages.get(spec.name)
        owner = record.owner if record is not None else None
        found: list[Problem] = []
        of_nodes: dict[str, list[Problem]] = {}
        for name in spec.nodes:
            answer = answers.get(name)
            if answer is None:
                continue
            disks, host = self._survey.verdict_on_apply(
                self._as_asked(spec), name, answer, running=_running(spec, name, answer),
                claimed=views[name].claimed(spec),
                new_disks=self._new_disks.get(spec.name, ()),
                refused_by_qemu=self._refused(spec, answer))
            if owner is not None and name != owner:
                disks = []  # another node's view of a running package's disks is for preflight
            host += [each for each in disks if each.code in OF_NODE]
            found += [each for each in disks if each.code not in OF_NODE and each not in found]
            of_nodes[name] = host
        silent = [name for name in spec.nodes if name in answers and answers[name] is None]
        is_possible = owner is not None or silent or not all(of_nodes.values())
        found += [changed(each, severity="refuse" if each.code in NOT_ALLOWED or not is_possible
                          else "warn")
                  for host in of_nodes.values() for each in host]
        if owner is None:
            found += compared_luns(self._as_asked(spec), [
                answer.facts for answer in map(answers.get, of_nodes) if answer is not None])
        return found

    def _as_asked(self, spec: PackageSpec) -> PackageSpec:
        """The package as far as anything may be asked about it: its fence, and the LUNs that only
        the fence's command tells of, once they are in the record."""
        if all(each in self._fences for each in fences_of(spec).items()):
            return spec
        return changed(spec, fence=FenceSpec(), vm=changed(spec.vm, disks=tuple(
            each for each in spec.vm.disks if not is_iscsi(each))))

    def _refused(self, spec: PackageSpec, answer: NodeAnswer) -> tuple[str, ...]:
        at = self._shapes.index(shape_of(spec.vm))
        return answer.refused[at] if at < len(answer.refused) else ()


class _View:
    """One node's, of everybody's disks; looked up once for each package."""

    def __init__(self, answer: NodeAnswer, claims: DiskClaims) -> None:
        self._seen, self._claims = by_path_of(answer.facts), claims

    def claimed(self, spec: PackageSpec) -> dict[str, str]:
        return claimed_by(self._claims, spec, self._seen)


def shape_of(vm: VmSpec) -> VmSpec:
    """What a hypervisor can be asked about it without anything of the package."""
    return VmSpec(
        memory_mib=0, vcpus=vm.vcpus, machine=vm.machine, cpu=vm.cpu, accel=vm.accel,
        disks=tuple(DiskSpec(path="/", bus=disk.bus) for disk in vm.disks),
        networks=tuple(changed(each, vswitch="", mac="") for each in vm.networks),
        devices=vm.devices)


def _running(spec: PackageSpec, node: str, answer: NodeAnswer) -> RunningGuest | None:
    own = answer.guests.get(spec.name)
    return None if own is None else RunningGuest(
        node=node, accel="tcg", machine=own.machine, pid=own.pid)


def _silent(node: str) -> Problem:
    return problem(
        "facts-missing", f"node:{node}", what=f"{node} did not tell what it has",
        because="it is down, or did not answer in time: what could be wrong there is not known",
        fix="check again when it is up", severity="warn")


def _not_compared(silent: list[str], node: str) -> Problem:
    return problem(
        "facts-missing", f"node:{node}", severity="warn",
        what=f"{len(silent)} disks of other packages could not be compared",
        because=f"{', '.join(silent[:5])} did not answer {node} in time",
        fix=f"look at these LUNs on {node}, then check again")
