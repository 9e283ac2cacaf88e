"""Answers about files of packages: what is wrong with them, and taking them.

All of the files count, or none of them. Whatever can be known before a package starts is asked
here, of every node at once, and said all at once.
"""

from cluster.answers.apply_survey import ApplySurvey, NewDisks
from cluster.answers.consent import unconfirmed, weakened, with_consequences
from cluster.answers.desk import Desk, done, preview, refusal
from cluster.api.messages import ApplyPackages, CheckPackages, NamedText, Reply
from cluster.api.roles import Caller, may_give, refused_devices
from cluster.config.schema import allowed_by
from cluster.core import dependence, entries, refusals
from cluster.core.claims import given_twice
from cluster.core.mac_claims import against_claiming, reclaimed
from cluster.core.model import State
from packages.core.allowed import against_devices, against_programs, host_devices
from packages.core.fencing import fenced_by
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.problem import refusals as refusing
from packages.core.start_order import dependencies, dependencies_first
from packages.core.values import changed


async def check(desk: Desk, caller: Caller, ask: CheckPackages) -> Reply:
    specs, problems = await _read(desk, caller, ask.files, ())
    if refusing(problems):
        return refusal(ask, *problems)
    return done(ask, {"packages": [spec.name for spec in specs]}, problems)


async def _read(
    desk: Desk, caller: Caller, files: tuple[NamedText, ...], new_disks: tuple[str, ...],
) -> tuple[list[PackageSpec], list[Problem]]:
    """The packages of all files, and everything that is wrong with them."""
    specs, problems = await desk.reading.packages(
        caller.shown, [(file.name, file.text) for file in files])
    if not problems:
        problems += _unknown_disks(specs, new_disks)
    problems += given_twice(specs, desk.ledger.state.claims)
    problems += _mac_problems(desk.ledger.state, specs)
    names = {*desk.ledger.state.packages, *(spec.name for spec in specs)}
    for spec in specs:
        problems += against_spec(desk, caller, spec)
        problems += [
            dependence.unknown(spec.name, name) for name in dependencies(spec) if name not in names]
        if spec.lease_is_proof:
            problems.append(refusals.lease_alone_proves(spec.name))
        if len(spec.nodes) == 1:
            problems.append(refusals.one_node(spec.name, spec.nodes[0]))
        problems += [
            refusals.unknown_node(name) for name in spec.nodes
            if name not in desk.ledger.state.nodes
        ]
    problems += await ApplySurvey(desk.survey, specs, _by_package(new_disks)).problems()
    return specs, problems


async def _of_fences(desk: Desk, specs: list[PackageSpec]) -> list[Problem]:
    """What is wrong with fences that were asked by nobody before they were in the record."""
    told = await ApplySurvey(desk.survey, specs, {}).problems() if specs else []
    return [changed(each, severity="warn") for each in told
            if each.code == "storage-fence-unavailable"]


def against_spec(desk: Desk, caller: Caller, spec: PackageSpec) -> list[Problem]:
    """What the cluster file does not allow it, and what its author may not give away."""
    allowed = allowed_by(desk.config)
    found = [*against_programs(spec, allowed), *against_devices(spec, allowed)]
    record = desk.ledger.state.packages.get(spec.name)
    had = host_devices(record.spec.vm) if record is not None else ()
    given = [each for each in host_devices(spec.vm) if each not in had]
    return found + ([refused_devices(caller, spec.name, given)] if given and not may_give(
        caller) else [])


def _mac_problems(state: State, specs: list[PackageSpec]) -> list[Problem]:
    """The record's own rule, of all packages that come together."""
    claims, found = state.macs, list[Problem]()
    for spec in specs:
        record = state.packages.get(spec.name)
        before = record.spec if record is not None else None
        refused = against_claiming(claims, before, spec)
        found += [refused] if refused is not None else []
        claims = reclaimed(claims, before, spec)
    return found


def _by_package(new_disks: tuple[str, ...]) -> NewDisks:
    found: dict[str, tuple[str, ...]] = {}
    for each in new_disks:
        name, _, path = each.partition(":")
        found[name] = (*found.get(name, ()), path)
    return found


def _unknown_disks(specs: list[PackageSpec], new_disks: tuple[str, ...]) -> list[Problem]:
    """What is called new must be a disk of one of the packages that are applied."""
    known = {spec.name: [disk.path for disk in spec.vm.disks] for spec in specs}
    return [
        problem(
            "disk-unknown", f"package:{name}", what=f"{path or 'that'} is no disk of {name}",
            because=f"its disks are: {', '.join(known[name]) or 'none'}" if name in known else
            "no such package is in the files",
            fix="name a disk as the file does: --new-disk PKG:PATH")
        for name, paths in sorted(_by_package(new_disks).items()) for path in paths
        if path not in known.get(name, ())
    ]


async def apply(desk: Desk, caller: Caller, ask: ApplyPackages) -> Reply:
    specs, problems = await _read(desk, caller, ask.files, ask.new_disks)
    if refusing(problems):
        return refusal(ask, *problems)
    known, new_disks = desk.ledger.state.packages, _by_package(ask.new_disks)
    fresh = dependencies_first(
        each for each in specs if each.name not in known or known[each.name].spec != each
        or each.name in new_disks)
    changes = [
        desk.entry(entries.PackageApplied, caller, ask, part=f"-{spec.name}", spec=spec,
                   new_disks=new_disks.get(spec.name, ()))
        for spec in fresh
    ]
    follows = [
        found for spec in fresh if spec.name in known
        for found in weakened(known[spec.name].spec, spec)]
    if ask.dry_run:
        return with_consequences(preview(desk.ledger.state, ask, *changes), follows)
    stopped = unconfirmed(ask, follows) or await desk.change(ask, *changes)
    if stopped is not None:
        return stopped
    unasked = [spec for spec in fresh if fenced_by(spec) and (
        spec.name not in known or known[spec.name].spec.fence != spec.fence)]
    problems += await _of_fences(desk, unasked)
    fresh_names = [spec.name for spec in fresh]
    return done(ask, {
        "applied": fresh_names,
        "unchanged": [spec.name for spec in specs if spec.name not in fresh_names],
    }, problems)
