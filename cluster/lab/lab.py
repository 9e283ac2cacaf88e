"""A lab's life: up, what may befall its nodes, down.

Each operation reads the record, does one thing and returns a value or a Problem; nothing is
printed here. What must never happen: something made that the record does not lead to, because
then `down` would leave it behind; something removed that `up` did not make.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.config.keys import init_cluster
from cluster.lab import guests, hosts, luns, processes, ready
from cluster.lab import record as records
from cluster.lab import watchdogs
from cluster.lab.choice import asking_user
from cluster.lab.commands import check_machine, first_problem
from cluster.lab.groups import NodeGroup
from cluster.lab.plan import (
    NETWORKS, LabOptions, LabPlan, Network, NodePlan, check_options, cluster_config, make_plan
)
from cluster.lab.record import LabRecord
from cluster.sockets import make_keys
from packages.core.problem import Problem, problem
from packages.core.values import changed

KEYS = "keys"
"""Below DIR: the cluster's certificate authority."""

MADE = ("nodes", "luns", KEYS, guests.IMAGES, ready.PACKAGES)
"""Folders below DIR that are the lab's own."""

EMPTY_DEADLINE_S = 5.0

Progress = Callable[[str], None]


def silent(line: str) -> None:
    """The progress of those who want none."""


async def up(options: LabOptions, progress: Progress = silent) -> LabRecord | Problem:
    """Make a lab and wait until its guests answer. Whatever ends this early, a Problem or a
    cancellation, everything made is removed again."""
    faults = check_options(options) or check_machine()
    if faults:
        return faults[0]
    folder = Path(options.dir)
    missing = records.missing_folders(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with records.locked(folder) as alone:
        record = await claim(options, missing) if alone else records.busy(folder)
        if isinstance(record, Problem):
            return record
        outcome: LabRecord | Problem | None = None
        try:
            outcome = await build(record, progress)
        finally:
            if not isinstance(outcome, LabRecord):
                progress("removing what was made")
                await remove(record)
        return outcome


async def claim(options: LabOptions, missing: Sequence[str]) -> LabRecord | Problem:
    """Write the lab down before anything of it is made."""
    folder = Path(options.dir)
    if {each.name for each in folder.iterdir()} - {"lock"}:
        return problem(
            "lab-is-up", f"lab:{folder}", what="there is a lab already, or something else",
            because=f"{folder} is not empty",
            fix=f"vmsg lab down --dir {folder}, or choose another folder with --dir",
        )
    numbers = await hosts.free_numbers()
    if isinstance(numbers, Problem):
        return numbers
    for number in numbers:
        if records.reserve(number, folder):
            record = LabRecord(plan=make_plan(options, number), made=tuple(missing),
                               user=asking_user(os.environ))
            records.save(record)
            return record
    return problem(
        "lab-no-network", "lab", what="no network is free for the lab",
        because=f"10.{hosts.NUMBERS[0]}.0.0/16 to 10.{hosts.NUMBERS[-1]}.0.0/16 are all in use",
        fix="end another lab with vmsg lab down",
    )


async def build(record: LabRecord, progress: Progress) -> LabRecord | Problem:
    """Make what the record says: hosts, LUNs and guest side by side, then the cluster on them."""
    plan = record.plan
    progress(f"{len(plan.nodes)} hosts, {len(plan.packages)} LUNs, the guest")
    networks, keys, disks, guest = await asyncio.gather(
        hosts.make_networks(plan), asyncio.to_thread(make_folders, plan),
        luns.make_luns(plan), guests.prepare(plan),
    )
    failure = networks or keys
    if failure:
        return failure
    if isinstance(disks, Problem):
        return disks
    if isinstance(guest, Problem):
        return guest
    await guests.install(plan, guest, disks.values())
    record = changed(record, disks=disks)
    progress("daemons and guardians")
    records.save(record)
    failure = await watchdogs.begin(plan)
    if failure:
        return failure
    failure = first_problem(list(await asyncio.gather(*(start_node(each) for each in plan.nodes))))
    if failure:
        return failure
    failure = await ready.bring_up(record, progress)
    if failure:
        return changed(failure, because=f"{failure.because}; {logs(plan)}")
    records.save(changed(record, ready=True))
    return records.load_up(record.dir)


def make_folders(plan: LabPlan) -> Problem | None:
    """Each node's folder, with its keys, as `vmsg cluster init` would give it to the host."""
    keys = Path(plan.options.dir, KEYS)
    failure = init_cluster(cluster_config(plan), keys, make_keys)
    if failure:
        return failure
    for node in plan.nodes:
        Path(node.folder).mkdir(parents=True)
        (keys / node.name).rename(Path(node.folder, "etc"))
    return None


def logs(plan: LabPlan) -> str:
    """The logs go with the lab, so what they ended with is told."""
    return "; ".join(processes.log_tail(each) for each in plan.nodes)


async def start_node(node: NodePlan) -> Problem | None:
    pids = await processes.start_node(node)
    if isinstance(pids, Problem):
        return pids
    records.save_pids(node, pids)
    return None


async def down(folder: str | Path) -> Problem | None:
    """Remove all that `up` made, also of an `up` that ended half way; nothing there is no fault."""
    folder = Path(folder)
    faults = check_machine()
    if faults:
        return faults[0]
    record = records.load(folder)
    if isinstance(record, Problem):
        return record
    if record is None:
        records.release(folder)
        return None
    with records.locked(folder) as alone:
        return await remove(record) if alone else records.busy(folder)


async def remove(record: LabRecord) -> Problem | None:
    """The reverse of `build`; where something fails the record stays, so that `down` can be tried
    again."""
    failure = await remove_hosts(record) if records.is_standing(record) else None
    failure = await luns.remove_luns(record.plan) or failure
    if failure:
        return failure
    records.release(record.dir)
    await remove_folder(record)
    return None


async def remove_hosts(record: LabRecord) -> Problem | None:
    plan = record.plan
    watchdogs.end(plan)
    failures: list[object] = list(await asyncio.gather(
        *(processes.end_node(each, list(record.disks.values())) for each in plan.nodes),
    ))
    failures.append(await hosts.remove_networks(plan))
    for node in plan.nodes:
        processes.remove_run_folder(node)
    return first_problem(failures)


async def remove_folder(record: LabRecord) -> None:
    """The record goes last: until then `down` can be tried again. A compiler that outlived a killed
    `up` may still be writing, so one look is not enough."""
    folders = [record.dir / each for each in MADE]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(EMPTY_DEADLINE_S):
            while any(each.exists() for each in folders):
                for each in folders:
                    shutil.rmtree(each, ignore_errors=True)
                await asyncio.sleep(0)
    for name in ("lab.json.new", "lock", "lab.json"):
        (record.dir / name).unlink(missing_ok=True)
    for made in reversed(record.made):
        with contextlib.suppress(OSError):  # somebody put something there
            Path(made).rmdir()


async def kill(folder: str | Path, name: str) -> Problem | None:
    """End every process of a node at once, as a power cut would."""
    found = find(folder, name)
    if isinstance(found, Problem):
        return found
    record, node = found
    failure = await processes.power_off(node, list(record.disks.values()))
    if failure is None:
        records.pids_file(node).unlink(missing_ok=True)
    return failure


async def start(folder: str | Path, name: str) -> LabRecord | Problem:
    """Power a killed node on again."""
    found = find(folder, name)
    if isinstance(found, Problem):
        return found
    _, node = found
    if NodeGroup(node).members():
        return problem(
            "node-running", f"node:{name}", what="the node runs already",
            because="processes of it are there", fix="kill it first, or thaw it if it hangs",
        )
    return await start_node(node) or records.load_up(folder)


async def hang(folder: str | Path, name: str) -> Problem | None:
    """Stop every process of a node, guests included, without ending any."""
    found = find(folder, name)
    if isinstance(found, Problem):
        return found
    await NodeGroup(found[1]).freeze()
    return None


async def thaw(folder: str | Path, name: str) -> Problem | None:
    """Continue a hung node where it stopped."""
    found = find(folder, name)
    if isinstance(found, Problem):
        return found
    await NodeGroup(found[1]).thaw()
    return None


async def cut(
    folder: str | Path, name: str, networks: Sequence[Network] = NETWORKS,
) -> Problem | None:
    """Take a node off these networks, silently."""
    return await set_networks(folder, name, networks, healthy=False)


async def heal(
    folder: str | Path, name: str, networks: Sequence[Network] = (*NETWORKS, "storage"),
) -> Problem | None:
    """Put a node back on these networks; by default on all."""
    return await set_networks(folder, name, networks, healthy=True)


async def set_networks(
    folder: str | Path, name: str, networks: Sequence[Network], *, healthy: bool,
) -> Problem | None:
    found = find(folder, name)
    if isinstance(found, Problem):
        return found
    record, node = found
    if "storage" in networks:
        failure = NodeGroup(node).limit_storage(list(record.disks.values()), waiting=not healthy)
        if failure and not healthy:
            return failure
    return await hosts.set_ports(record.plan, node, networks, plugged=healthy)


def find(folder: str | Path, name: str) -> tuple[LabRecord, NodePlan] | Problem:
    record = records.load_up(folder)
    if isinstance(record, Problem):
        return record
    node = record.plan.node(name)
    return node if isinstance(node, Problem) else (record, node)


def shown(folder: str | Path) -> LabRecord | Problem:
    """The record of a lab that is up."""
    return records.load_up(folder)
