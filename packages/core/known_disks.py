"""What the record knows of a package's disks: which LUN each path meant. PURE.

A path is only a name. What a disk is, is kept from the first start on, and every later start, move
and takeover is held against it. What must never happen here: another LUN taken for the recorded
one, or learnt over it without an operator's word. A LUN that has grown is the same.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from packages.core.facts import DiskFacts
from packages.core.model import DiskSpec, PackageSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value, changed
from packages.core.wwid import same_identity


class KnownDisk(Value):
    """One disk as it was seen in use. `identity` is DiskFacts' (WWID, serial, or a loop device's
    backing file with device and inode); empty where the device shows none."""

    path: str
    identity: str = ""
    serial: str = ""
    size_bytes: int = 0
    sector_bytes: int = 0
    device: str = ""
    """Its major:minor on `node`, where the guest had it open."""
    node: str = ""


def known_disk(path: str, seen: DiskFacts, node: str) -> KnownDisk:
    return KnownDisk(
        path=path, identity=seen.identity, serial=seen.serial, size_bytes=seen.size_bytes,
        sector_bytes=seen.sector_bytes, device=seen.device, node=node)


def by_path(known: Iterable[KnownDisk]) -> dict[str, KnownDisk]:
    return {each.path: each for each in known}


def shown(disk: KnownDisk | DiskFacts) -> str:
    """As an operator compares it."""
    named = disk.identity or "a device without WWID and serial"
    return f"{named}, {disk.size_bytes} bytes, sectors of {disk.sector_bytes}"


def difference(known: KnownDisk, seen: DiskFacts, node: str) -> str | None:
    """Why what is seen on a node is not provably the recorded disk; None: it is that disk."""
    is_blind = not known.identity and not seen.identity
    is_same = same_identity(known.identity, seen.identity) or is_blind and known.node == node
    if is_blind and not is_same:
        return f"neither WWID nor serial shows that it is the disk {known.node} had"
    least = known.size_bytes
    if is_same and known.sector_bytes == seen.sector_bytes and (
            seen.size_bytes == least or seen.size_bytes > least and not is_blind):
        return None
    return f"the record has {shown(known)}; found is {shown(seen)}"


def another(package: str, known: KnownDisk, seen: DiskFacts, node: str) -> Problem | None:
    """The refusal of a disk that is not the recorded one."""
    because = difference(known, seen, node)
    if because is None:
        return None
    return problem(
        "disk-is-another", f"package:{package}",
        what=f"disk {known.path} is not the package's on {node}",
        because=f"{because}; it was last seen in use on {known.node}",
        fix=f"map the recorded LUN under that path on {node}; if the package is to have another "
            f"disk, halt it and say so: vmsg package apply FILE --new-disk {package}:{known.path}",
    )


def opened_otherwise(
    package: str, means: DiskFacts, opened: DiskFacts | None, node: str,
) -> Problem | None:
    """The refusal of a disk nobody knows yet, whose path no longer means what was opened."""
    if opened is not None and opened.device == means.device:
        return None
    has = shown(opened) if opened is not None else "nothing that belongs to it"
    return problem(
        "disk-is-another", f"package:{package}",
        what=f"disk {means.path} became another one on {node} while it was opened",
        because=f"the path means {shown(means)}; the guest's process has {has} open",
        fix=f"find out who changes what {means.path} means on {node} (udev, multipath, a link), "
            "then run the package again",
    )


def learnt(known: Iterable[KnownDisk], seen: Iterable[KnownDisk]) -> tuple[KnownDisk, ...]:
    """The record after a guest was let run on what was seen. A disk that is known is replaced only
    by itself: grown, or seen on another node."""
    now = by_path(known)
    for each in seen:
        before = now.get(each.path)
        facts = DiskFacts(path=each.path, kind="whole", identity=each.identity,
                          size_bytes=each.size_bytes, sector_bytes=each.sector_bytes)
        if before is None or difference(before, facts, each.node) is None:
            now[each.path] = each
    return tuple(now[path] for path in sorted(now))


def kept(
    known: Iterable[KnownDisk], before: PackageSpec, after: PackageSpec, forget: Collection[str],
) -> tuple[KnownDisk, ...]:
    """What stays known when a package is applied: the disks whose paths stay in it, but for those
    the operator says are new ones, or names by another WWID."""
    old, new = _disks(before), _disks(after)
    return tuple(
        each for each in known
        if each.path in new and each.path not in forget
        and not _is_renamed(old.get(each.path), new[each.path]))


def _disks(spec: PackageSpec) -> dict[str, DiskSpec]:
    return {disk.path: disk for disk in spec.vm.disks}


def _is_renamed(before: DiskSpec | None, after: DiskSpec) -> bool:
    return before is not None and after.wwid is not None and (
        before.wwid is not None and not same_identity(before.wwid, after.wwid))


def opened_for(
    named: Sequence[DiskFacts], opened: Iterable[DiskFacts], known: Mapping[str, KnownDisk],
) -> dict[str, DiskFacts]:
    """Path -> the device that a guest has open for it, of all that it has open. `named` is what
    the paths mean now. One that means another device since is found by what the record knows, and
    the last one by being left over."""
    left = {each.device: each for each in opened}
    found: dict[str, DiskFacts] = {}
    for seen in named:
        if seen.device and seen.device in left:
            found[seen.path] = left.pop(seen.device)
    for seen in named:
        if seen.path in found or seen.path not in known:
            continue
        same = [each for each in left.values()
                if same_identity(known[seen.path].identity, each.identity)]
        if len(same) == 1:
            found[seen.path] = left.pop(same[0].device)
    missing = [seen.path for seen in named if seen.path not in found]
    if len(missing) == 1 and len(left) == 1:
        found[missing[0]] = next(iter(left.values()))
    return {path: changed(each, path=path) for path, each in found.items()}


def as_opened(named: DiskFacts, opened: DiskFacts) -> DiskFacts:
    """What is told of a disk that a guest has open. Who uses what its path means otherwise by now
    is nothing to it."""
    if named.device == opened.device:
        return named
    return changed(
        named, kind=opened.kind, identity=opened.identity, serial=opened.serial,
        size_bytes=opened.size_bytes, sector_bytes=opened.sector_bytes, device=opened.device,
        read_only=opened.read_only, mounted_at=(), held_by=(), opened_by=())
