"""The lock against known holes (`make audit`).

The list is supply/advisories.json, by default: entries in the shape of OSV (id, aliases, affected:
package, ranges of events introduced, fixed, last_affected), so that a newer list, or one export of
another's database, can be given in its place. It is data, and as good as its date.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import Version

from supply import pins
from supply.pins import BUILD, LOCK, ROOT, canonical

ADVISORIES = ROOT / "supply" / "advisories.json"
ECOSYSTEM = "PyPI"

Json = dict[str, Any]


class Hole(NamedTuple):
    """A distribution at a version, and an advisory that says it is affected."""

    name: str
    version: str
    advisory: str
    fixed_in: tuple[str, ...]
    summary: str

    def __str__(self) -> str:
        mended = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no version mends it"
        return f"{self.name} {self.version}: {self.advisory}: {self.summary}; {mended}"


def advisories(paths: Iterable[Path]) -> list[Json]:
    """Of each file: one entry, or a list of them. Raises OSError and ValueError."""
    found: list[Json] = []
    for path in paths:
        read = json.loads(path.read_text())
        found += read if isinstance(read, list) else [read]
    return found


def holes(versions: Iterable[tuple[str, str]], known: Sequence[Json]) -> Iterator[Hole]:
    """Each (name, version) with each advisory that has it in a range, or in its list."""
    for name, version in versions:
        for entry in known:
            for affected in entry.get("affected", ()):
                if is_of(affected.get("package", {}), name) and has(affected, version):
                    yield Hole(name, version, called(entry), fixes(affected, version),
                               entry.get("summary", "").strip())


def is_of(package: Json, name: str) -> bool:
    return package.get("ecosystem") == ECOSYSTEM and canonical(package.get("name", "")) == name


def has(affected: Json, version: str) -> bool:
    if version in affected.get("versions", ()):
        return True
    return any(within(each.get("events", ()), Version(version))
               for each in affected.get("ranges", ()) if each.get("type") != "GIT")


def within(events: Sequence[dict[str, str]], version: Version) -> bool:
    """OSV's own rule: of the events up to this version, the last one decides."""
    state = False
    for event in sorted(events, key=_at):
        ((kind, _),) = event.items()
        at = _at(event)[0]
        if kind == "introduced" and at <= version:
            state = True
        elif (kind == "fixed" and at <= version) or (kind == "last_affected" and at < version):
            state = False
    return state


def _at(event: dict[str, str]) -> tuple[Version, bool]:
    """When it happens; "0" is before all. What ends a range comes before what begins the next."""
    ((kind, at),) = event.items()
    return Version("0.dev0" if at == "0" else at), kind == "introduced"


def fixes(affected: Json, version: str) -> tuple[str, ...]:
    return tuple(
        event["fixed"] for each in affected.get("ranges", ()) for event in each.get("events", ())
        if "fixed" in event and Version(event["fixed"]) > Version(version))


def called(entry: Json) -> str:
    """Its id, and the name most people know it by."""
    others = [each for each in entry.get("aliases", ()) if each.startswith("CVE-")]
    return " ".join((str(entry["id"]), *others))


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 for a hole in the lock or in what builds."""
    known = advisories([Path(each) for each in arguments] or [ADVISORIES])
    locked = [(each.name, each.version) for path in (LOCK, BUILD) for each in pins.read(path)]
    found = list(holes(locked, known))
    for hole in found:
        print(hole)
    print(f"{len(locked)} distributions, {len(known)} advisories, {len(found)} holes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
