"""The record saved into one file on purpose, and put back: what may go back, and when. PURE.

What an operator made goes into it: packages, suspensions, the cluster file, public keys. What only
the moment knows does not: who owns what, moves, proofs, votes. So a file that is put back never
says that something runs, and nothing may run when it is: the record would not know of it, and start
it a second time. For the same reason the cluster is halted afterwards, until an operator has looked
and says `vmsg cluster run`.

Node's keys are never put back: they open doors, and may have been lost since. What must never
happen here: a file that is not whole taken for one that is; half of a record put back.
"""

import hashlib
from typing import Any

from cluster.core import entries, runs
from cluster.core.model import State, with_package, without_package
from cluster.core.record_entries import SavedPackage
from cluster.core.trust import NodeKeys, OperatorKey, Trust, with_operator
from packages.core.problem import Problem, problem
from packages.core.values import Natural, Undecodable, Value, changed, from_json, shaped, to_json

FORMAT = 1
"""Grows when an older release would put back less than is in the file."""


class Backup(Value):
    cluster: str
    made_at_ms: Natural
    entry: Natural
    """Index of the last entry that is in it."""
    config_text: str
    packages: tuple[SavedPackage, ...] = ()
    nodes: tuple[NodeKeys, ...] = ()
    """Their public keys, to be looked at; never put back."""
    operators: tuple[OperatorKey, ...] = ()
    retired: tuple[str, ...] = ()


class File(Value):
    format: int
    sha256: str
    backup: dict[str, Any]


def backup_of(state: State, *, config_text: str, now_ms: int) -> Backup:
    return Backup(
        cluster=state.name, made_at_ms=now_ms, entry=state.applied, config_text=config_text,
        packages=tuple(
            SavedPackage(
                spec=record.spec, auto_run=record.auto_run, epoch=record.epoch, holds=record.holds,
                disks=record.disks)
            for _, record in sorted(state.packages.items())),
        nodes=tuple(NodeKeys(node=each.node, key=each.key) for each in state.trust.nodes),
        operators=state.trust.operators, retired=state.retired,
    )


def text_of(backup: Backup) -> str:
    raw = to_json(backup)
    head = to_json({"format": FORMAT, "sha256": digest(raw)}).decode()
    return f'{head[:-1]},"backup":{raw.decode()}}}\n'


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def read(text: str, *, cluster: str) -> Backup | Problem:
    """What `text_of` wrote, of this cluster and not of a later format."""
    try:
        file: File = from_json(text, File)
    except Undecodable as error:
        return damaged(f"It is no backup, or not whole: {error}.")
    if file.format > FORMAT:
        return problem(
            "backup-newer", "file:backup", what="The backup is of a later release.",
            because=f"Its format is {file.format}, this release knows {FORMAT}.",
            fix="Bring every node to the release that wrote it (docs/upgrade.md), then ask again.",
        )
    # As it stands in the file: a field that is not known here counts, too.
    if digest(to_json(file.backup)) != file.sha256:
        return damaged("Its checksum is wrong.")
    try:
        backup: Backup = shaped(file.backup, Backup)
    except Undecodable as error:
        return damaged(str(error))
    if backup.cluster != cluster:
        return problem(
            "backup-foreign", "file:backup", what="The backup is of another cluster.",
            because=f"It is of {backup.cluster}, and this is {cluster}.",
            fix="Name a backup of this cluster, or ask that one with --endpoint or VMSG_ETC.",
        )
    return backup


def damaged(because: str) -> Problem:
    return problem(
        "backup-damaged", "file:backup", what="The file cannot be put back.", because=because,
        fix="Name another file that vmsg cluster backup wrote; nothing was changed.",
    )


def against_restoring(state: State) -> Problem | None:
    """Why the record may not be put back as it stands now."""
    said = [
        f"Package {name} is {record.state} on {record.owner}."
        for name, record in sorted(state.packages.items()) if record.owner is not None
    ] + [
        f"A guest of {each.package} is seen on {name}."
        for name, node in sorted(state.nodes.items()) for each in node.sightings
    ]
    return unsafe(" ".join(said)) if said else None


def unsafe(because: str) -> Problem:
    return problem(
        "restore-unsafe", "cluster", what="The record is not put back.",
        because=f"{because} It would not know of what runs, and start it a second time.",
        fix="Stop everything first: vmsg cluster halt -f. A guest that vmsg does not own is ended "
            "on its host; then ask again.",
    )


def record_restored(state: State, entry: entries.RecordRestored) -> State | Problem:
    refused = against_restoring(state)
    if refused is not None:
        return refused
    after = state
    for name in sorted(state.packages):
        after = without_package(after, name)
    left = entry.packages
    while left:
        after, later, why = _applied(state, after, entry, left)
        if later == left:
            assert why is not None
            return why
        left = later
    return changed(after, running=False, trust=_with_operators(after.trust, entry.operators))


def _applied(
    before: State, state: State, entry: entries.RecordRestored, packages: tuple[SavedPackage, ...],
) -> tuple[State, tuple[SavedPackage, ...], Problem | None]:
    """Those that can be applied now; those that perhaps depend on a later one, and the first
    reason why they cannot."""
    later: list[SavedPackage] = []
    why: Problem | None = None
    for saved in packages:
        name = saved.spec.name
        applied = runs.package_applied(state, entries.PackageApplied(
            id=entry.id, at_ms=entry.at_ms, by=entry.by, because=entry.because, spec=saved.spec))
        if isinstance(applied, Problem):
            later.append(saved)
            why = why or applied
            continue
        known = before.packages.get(name)
        state = with_package(applied, changed(
            applied.packages[name], auto_run=saved.auto_run, holds=saved.holds, disks=saved.disks,
            epoch=max(saved.epoch, known.epoch if known is not None else 0), because="restored"))
    return state, tuple(later), why


def _with_operators(trust: Trust, operators: tuple[OperatorKey, ...]) -> Trust:
    for each in operators:
        if trust.operator(each.name) is None and not trust.is_known(each.key):
            trust = with_operator(trust, each)
    return trust
