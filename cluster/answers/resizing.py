"""The answer to a LUN that was grown under a running guest: the guest is told, once every node that
may run it sees the new size. Told by a node that does not, it would start on a smaller disk than it
has written to.
"""

import asyncio
from collections.abc import Mapping

from cluster.answers.desk import Desk, already, done, failed, preview, refusal
from cluster.answers.survey import NodeAnswer, by_path_of
from cluster.api.messages import AskResize, Reply, ResizeDisks
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from cluster.core.model import UP, PackageRecord
from packages.core.facts import DiskFacts
from packages.core.fencing import is_iscsi
from packages.core.known_disks import KnownDisk, by_path, known_disk
from packages.core.problem import Problem, problem
from packages.core.values import changed

TOLD_S = 10.0


async def resize(desk: Desk, caller: Caller, ask: ResizeDisks) -> Reply:
    record = desk.ledger.package(ask.package)
    if record is None:
        return refusal(ask, refusals.unknown_package(ask.package))
    if record.moving:
        return refusal(ask, refusals.package_moving(record))
    owner = record.owner
    if record.state != "running" or owner is None:
        return refusal(ask, refusals.not_in_state(record, "be told of a larger disk"))
    seen = await _seen(desk, record)
    at_owner = seen.get(owner)
    if at_owner is None:
        return refusal(ask, refusals.node_not_heard(owner, f"{record.name} is not told."))
    grown = grown_disks(record, by_path_of(at_owner.facts), owner)
    refused = against(record, grown, {name: by_path_of(each.facts) for name, each in seen.items()})
    if refused:
        return refusal(ask, *refused)
    shown = [{"path": each.path, "before_bytes": _before(record, each), "bytes": each.size_bytes}
             for each in grown]
    if not grown:
        return already(ask, f"The guest of {record.name} knows the size of its disks.",
                       package=record.name, disks=[])
    entry = desk.entry(entries.DisksGrown, caller, ask, package=record.name, node=owner,
                       epoch=record.epoch, disks=grown)
    if ask.dry_run:
        found = preview(desk.ledger.state, ask, entry)
        return found if found.verdict != "done" else changed(
            found, result={**found.result, "disks": shown})
    trouble = await _tell(desk, record, grown)
    if trouble is not None:
        return failed(ask, trouble)
    return await desk.change(ask, entry) or done(ask, {"package": record.name, "disks": shown})


async def _seen(desk: Desk, record: PackageRecord) -> dict[str, NodeAnswer]:
    """By node: what each that may run it, and can be asked, has under the package's paths."""
    disks = tuple(disk.path for disk in record.spec.vm.disks if not is_iscsi(disk))
    names = [name for name in dict.fromkeys((*record.spec.nodes, record.owner or ""))
             if name in desk.ledger.state.nodes and desk.ledger.state.nodes[name].state in UP]
    answers = await asyncio.gather(*(
        desk.survey.of(name, disks, record.name) for name in names))
    return {name: each for name, each in zip(names, answers, strict=True) if each is not None}


def grown_disks(
    record: PackageRecord, there: Mapping[str, DiskFacts], owner: str,
) -> tuple[KnownDisk, ...]:
    """Those that are larger than the record has them, as the owner's guest has them open."""
    known = by_path(record.disks)
    return tuple(
        known_disk(path, seen, owner) for path, seen in sorted(there.items())
        if path in known and 0 < known[path].size_bytes < seen.size_bytes)


def against(
    record: PackageRecord, grown: tuple[KnownDisk, ...],
    seen: Mapping[str, Mapping[str, DiskFacts]],
) -> list[Problem]:
    """Nodes that do not see a disk as large as it has become."""
    return [
        _not_grown(record.name, name, each, there[each.path].size_bytes)
        for each in grown for name, there in sorted(seen.items())
        if each.path in there and there[each.path].size_bytes < each.size_bytes]


async def _tell(desk: Desk, record: PackageRecord, grown: tuple[KnownDisk, ...]) -> Problem | None:
    order = [disk.path for disk in record.spec.vm.disks]
    wish = AskResize(package=record.name, epoch=record.epoch, disks=tuple(
        (order.index(each.path), each.size_bytes) for each in grown))
    if record.owner == desk.node:
        answer: Reply | Problem = await told(desk, Caller(name=desk.node, is_node=True), wish)
    else:
        answer = await desk.peers[record.owner or ""].ask(wish, deadline_s=TOLD_S)
    if isinstance(answer, Problem):
        return answer
    return answer.problems[0] if answer.verdict != "done" else None


async def told(desk: Desk, _: Caller, ask: AskResize) -> Reply:
    """On the owner: each disk (its number, its size in bytes) is told to the guest."""
    agent = desk.worker.agents.get(ask.package)
    guest = agent.body.guest if agent is not None else None
    if guest is None or guest.epoch != ask.epoch:
        return refusal(ask, refusals.stale_order(
            f"package:{ask.package}", "Its guest is not here, or is another."))
    for number, size_bytes in ask.disks:
        refused = await desk.worker.around.driver.resize_disk(guest, number, size_bytes=size_bytes)
        if refused is not None:
            return refusal(ask, refused)
    return done(ask)


def _before(record: PackageRecord, disk: KnownDisk) -> int:
    return by_path(record.disks)[disk.path].size_bytes


def _not_grown(package: str, node: str, disk: KnownDisk, size_bytes: int) -> Problem:
    return problem(
        "disk-not-grown", f"package:{package}",
        what=f"{node} does not see {disk.path} as large as it is.",
        because=f"It has {size_bytes} bytes there, and {disk.size_bytes} on {disk.node}. The guest "
                f"would find a smaller disk when it starts or arrives on {node}.",
        fix=f"Have {node} look at its LUNs again (rescan-scsi-bus.sh -s, or echo 1 > "
            "/sys/class/block/DEVICE/device/rescan; of multipath also: multipathd resize map MAP), "
            "then ask again.",
    )
