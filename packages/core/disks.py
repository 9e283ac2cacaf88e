"""What a package's disk must be: a whole LUN, paravirtual, the same one everywhere, and its own.

Rules about one disk as one node sees it; each is named by the condition it finds. A disk nobody
could examine is never taken for a good one, and two disks that cannot be told apart by an
identity are never taken for the same one: the price of being wrong is two writers on one LUN.
"""

from collections.abc import Callable, Sequence

from packages.core.facts import DiskFacts, NodeFacts, disk_named
from packages.core.known_disks import KnownDisk, another, shown
from packages.core.model import DiskSpec, FenceSpec, PackageSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value
from packages.core.wwid import bare_identity, same_identity

__all__ = ["bare_identity"]

PARAVIRTUAL = ("virtio-blk", "virtio-scsi")


class DiskQuestion(Value):
    """One disk of a package, as `node` sees it; beside it what the source sees, when moving."""

    package: str
    node: str
    disk: DiskSpec
    seen: DiskFacts
    fence: FenceSpec = FenceSpec()
    at_source: DiskFacts | None = None
    own_pid: int = 0
    """The package's own guest on that node; it may have the disk open."""
    claimed_disks: dict[str, str] = {}
    """Paths and identities of other packages' disks, with the package's name."""
    known: KnownDisk | None = None
    """What the record has of this disk; None: no guest has had it yet."""


DiskRule = Callable[[DiskQuestion], Problem | None]


def disk_not_paravirtual(package: str, disk: DiskSpec) -> Problem | None:
    """The hypervisor cannot carry the state of emulated IDE, SATA, SCSI and floppy drives over."""
    if disk.bus in PARAVIRTUAL:
        return None
    return problem(
        "disk-not-paravirtual", f"package:{package}",
        what=f"disk {disk.path} is attached by {disk.bus}",
        because="only virtio-blk and virtio-scsi disks can move online",
        fix=f"set `bus: virtio-blk` for {disk.path} and restart the guest",
    )


def disk_not_visible(asked: DiskQuestion) -> Problem | None:
    if asked.seen.kind == "missing":
        because = f"there is no such device on {asked.node}"
    elif asked.seen.kind == "other" and not asked.seen.identity:
        because = f"the device did not answer {asked.node} in time"
    else:
        return None
    return _refused(
        asked, "disk-not-visible", what="is not seen", because=because,
        fix=f"present the LUN to {asked.node} (zoning, mapping, rescan) under this path",
    )


def disk_not_whole(asked: DiskQuestion) -> Problem | None:
    kind = asked.seen.kind
    unidentified = kind == "other" and not asked.seen.identity
    if kind not in ("partition", "directory", "other") or unidentified:
        return None
    named = "not a LUN of its own" if kind == "other" else f"a {kind}"
    return _refused(
        asked, "disk-not-whole", what=f"is {named}",
        because="a package's backing stores are whole disks; a part of one can have other users",
        fix="give the package a whole LUN and name it by /dev/disk/by-id/...",
    )


def disk_is_logical_volume(asked: DiskQuestion) -> Problem | None:
    if asked.seen.kind != "logical-volume":
        return None
    return _refused(
        asked, "disk-is-logical-volume", what="is a logical volume",
        because="the volume manager's own record of the volume is not shared between nodes",
        fix="give the package the whole LUN instead of a volume in it",
    )


def disk_is_file(asked: DiskQuestion) -> Problem | None:
    if asked.seen.kind != "file":
        return None
    return _refused(
        asked, "disk-is-file", what="is a file",
        because="a disk mapped to a file of the host can never be moved to another host",
        fix="copy the file onto a whole LUN and name that",
    )


def disk_read_only(asked: DiskQuestion) -> Problem | None:
    if not asked.seen.read_only or asked.seen.kind != "whole":
        return None
    return _refused(
        asked, "disk-read-only", what="cannot be written",
        because=f"the device is read-only on {asked.node}",
        fix=f"map the LUN read-write to {asked.node}",
    )


def disk_identity_differs(asked: DiskQuestion) -> Problem | None:
    """WWID, size and logical sector size must be equal on both nodes, and the declared ones."""
    if asked.seen.kind != "whole":
        return None
    because = _difference_to_declared(asked) or _difference_to_source(asked)
    if because is None:
        return None
    return _refused(
        asked, "disk-identity-differs", what="is not provably the package's disk",
        because=because,
        fix="map the same LUN, with a WWID or serial number, under this path on every node",
    )


def disk_is_another(asked: DiskQuestion) -> Problem | None:
    """The path is no evidence: the LUN behind it must be the one the record knows."""
    if asked.known is None or asked.seen.kind != "whole":
        return None
    return another(asked.package, asked.known, asked.seen, asked.node)


def disk_in_use(asked: DiskQuestion) -> Problem | None:
    users = [*_local_users(asked), *_other_packages(asked)]
    if not users:
        return None
    return _refused(
        asked, "disk-in-use", what="is used by something else",
        because=f"it is {', '.join(users)}",
        fix="end that use, or give the package another LUN",
    )


def compared_luns(spec: PackageSpec, told: Sequence[NodeFacts]) -> list[Problem]:
    """Of a package that is to be taken: whether its nodes see the same LUN under each path."""
    found: list[Problem] = []
    for disk in spec.vm.disks:
        seen = [(facts.name, disk_named(facts, disk.path)) for facts in told]
        whole = [(node, each) for node, each in seen if each.kind == "whole"]
        for node, each in whole[1:]:
            first, its = whole[0]
            if same_identity(its.identity, each.identity):
                continue
            blind = not its.identity or not each.identity
            found.append(problem(
                "disk-identity-differs", f"package:{spec.name}",
                what=f"disk {disk.path} is not provably one LUN on {first} and {node}",
                because=f"it is {shown(its)} on {first}, {shown(each)} on {node}",
                fix="map the same LUN, with a WWID or serial number, under this path on every node",
                severity="warn" if blind else "refuse"))
    return found


def storage_fence_unavailable(asked: DiskQuestion) -> Problem | None:
    if asked.fence.kind == "none" or asked.seen.unfenced == "":
        return None
    because = asked.seen.unfenced or f"{asked.node} did not say whether it can be"
    return _refused(
        asked, "storage-fence-unavailable", what=f"cannot be fenced by {asked.fence.kind}",
        because=because,
        fix="mend that, give the package a LUN that can, or another `fence:` (docs/fencing.md)",
    )


BACKING_RULES: tuple[DiskRule, ...] = (
    disk_not_visible, disk_not_whole, disk_is_logical_volume, disk_is_file,
)
SOURCE_RULES: tuple[DiskRule, ...] = (*BACKING_RULES, disk_in_use)
START_RULES: tuple[DiskRule, ...] = (
    *BACKING_RULES, disk_read_only, disk_identity_differs, disk_is_another,
    disk_in_use, storage_fence_unavailable,
)
MOVE_RULES = START_RULES


def _refused(
    asked: DiskQuestion, code: str, *, what: str, because: str, fix: str,
) -> Problem:
    return problem(
        code, f"package:{asked.package}",
        what=f"disk {asked.disk.path} {what} on {asked.node}", because=because, fix=fix,
    )


def _difference_to_declared(asked: DiskQuestion) -> str | None:
    declared, found = asked.disk.wwid, asked.seen.identity
    if declared is None or same_identity(declared, found):
        return None
    return f"the package names WWID {declared}, the device's is {found or 'not readable'}"


def _difference_to_source(asked: DiskQuestion) -> str | None:
    here, there = asked.seen, asked.at_source
    if there is None or there.kind != "whole":
        return None
    if not here.identity or not there.identity:
        blind = asked.node if not here.identity else "the source"
        return f"the device on {blind} has neither WWID nor serial number to compare"
    pairs = (
        ("identity", here.identity, there.identity, same_identity(here.identity, there.identity)),
        ("size in bytes", here.size_bytes, there.size_bytes, here.size_bytes == there.size_bytes),
        ("logical sector size", here.sector_bytes, there.sector_bytes,
         here.sector_bytes == there.sector_bytes),
    )
    different = [
        f"{named} is {ours} here and {theirs} on the source"
        for named, ours, theirs, is_same in pairs if not is_same
    ]
    return "; ".join(different) or None


def _local_users(asked: DiskQuestion) -> list[str]:
    seen = asked.seen
    foreign = [pid for pid in seen.opened_by if pid != asked.own_pid]
    return [
        *(f"mounted at {where}" for where in seen.mounted_at),
        *(f"held by {holder}" for holder in seen.held_by),
        *(f"opened by process {pid}" for pid in foreign),
    ]


def _other_packages(asked: DiskQuestion) -> list[str]:
    named = asked.claimed_disks
    owners = {named[asked.disk.path]} if asked.disk.path in named else set()
    owners |= {name for key, name in named.items() if same_identity(key, asked.seen.identity)}
    return [f"a disk of package {owner}" for owner in sorted(owners - {asked.package})]
