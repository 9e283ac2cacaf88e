"""Answers about the record as a whole: saved on purpose, and put back.

What must never happen here: a record put back while a guest's process is there that it would not
know of.
"""

import asyncio

from cluster.answers.desk import Desk, done, refusal
from cluster.answers.survey import paths
from cluster.api.messages import BackUpCluster, Reply, RestoreCluster
from cluster.api.roles import Caller
from cluster.core import entries
from cluster.core.backup import Backup, against_restoring, backup_of, read, text_of, unsafe
from packages.core.problem import Problem


async def backup(desk: Desk, caller: Caller, ask: BackUpCluster) -> Reply:
    """As of its own entry: whoever answers, everything that was agreed upon before is in it."""
    stopped = await desk.change(ask, desk.entry(entries.RecordBackedUp, caller, ask))
    if stopped is not None:
        return stopped
    state = desk.ledger.state
    made = backup_of(
        state, config_text=state.config_text or desk.config_text, now_ms=desk.clock.wall_ms())
    return done(ask, {
        "text": text_of(made), "packages": len(made.packages), "entry": made.entry})


async def restore(desk: Desk, caller: Caller, ask: RestoreCluster) -> Reply:
    state = desk.ledger.state
    if ask.request in state.outcomes and state.outcomes[ask.request].problem is None:
        return done(ask, {"packages": sorted(state.packages)})
    found = read(ask.text, cluster=state.name)
    if isinstance(found, Problem):
        return refusal(ask, found)
    refused = against_restoring(state) or await _against_guests(desk, found)
    if refused is not None:
        return refusal(ask, refused)
    entry = desk.entry(
        entries.RecordRestored, caller, ask, made_at_ms=found.made_at_ms, packages=found.packages,
        operators=found.operators if ask.operators else (),
    )
    now = state.config_text or desk.config_text
    return await desk.change(ask, entry) or done(ask, {
        "packages": [each.spec.name for each in found.packages],
        "cluster_file_differs": now != found.config_text,
    })


async def _against_guests(desk: Desk, found: Backup) -> Problem | None:
    """The nodes' own word, which the record may be behind of: processes that are there now."""
    state = desk.ledger.state
    specs = {name: record.spec for name, record in state.packages.items()}
    specs |= {each.spec.name: each.spec for each in found.packages}
    disks = tuple(sorted({path for spec in specs.values() for path in paths(spec)}))
    names = tuple(sorted(specs))
    nodes = sorted(state.nodes)
    answers = await asyncio.gather(*(
        desk.survey.of(node, disks, packages=names) for node in nodes))
    said: list[str] = []
    for node, answer in zip(nodes, answers, strict=True):
        if answer is None:
            continue
        said += [f"{node} has a guest of {name}, process {guest.pid}."
                 for name, guest in sorted(answer.guests.items())]
        said += [f"On {node}, process {', '.join(map(str, disk.opened_by))} has {disk.path} open."
                 for disk in answer.facts.disks if disk.opened_by]
    return unsafe(" ".join(said)) if said else None
