"""Makes the lock anew (`make lock`): the newest that setup.cfg allows, the same for each Python.

pip itself chooses, in a dry run, and its report says which file with which hash. First for the
Python this runs in, sources included; then the same versions once more for each Python a Debian
has, from wheels alone, because a host has no compiler. Where one is missing, pip says so and
nothing is written.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from supply import pins
from supply.pins import BUILD, LOCK, PRODUCT, PYTHONS, SOURCES, Pin, canonical
from supply.wheels import for_python

HEAD = """\
# Everything a host installs beside Debian's packages, made by `make lock`; each under its licence
# and who asks for it. pip installs it with --require-hashes --no-deps."""

BUILD_HEAD = """\
# What installs, and what builds the two that come as sources, pysyncobj and the product: newer than
# Debian's for their known holes, and gone from a host when it is done. Made by `make lock`."""
BUILDERS = ["pip>=26.1.2", "setuptools>=83"]

LICENCES = (
    ("apache", "Apache-2.0"), ("bsd-2", "BSD-2-Clause"), ("bsd", "BSD-3-Clause"),
    ("mit", "MIT"),
)
"""A word of what a distribution says of itself -> SPDX, for those that give no SPDX expression."""
READ = {
    "qemu-qmp": "LGPL-2.0-or-later AND GPL-2.0-only", "uvloop": "Apache-2.0 OR MIT",
}
"""Those that name two licences, whose own words alone say whether both hold or either."""

Found = dict[str, Any]


def main() -> None:
    """Write both files, or end with pip's own complaint."""
    LOCK.write_text(pins.written(HEAD, locked([n + s for n, s in pins.requirements()], PRODUCT)))
    BUILD.write_text(pins.written(BUILD_HEAD, locked(BUILDERS, PRODUCT)))


def locked(wanted: list[str], by: str) -> list[Pin]:
    found = {canonical(each["metadata"]["name"]): each for each in report(wanted, ())}
    hashes = {name: {digest(each)} for name, each in found.items()}
    if strange := [n for n, each in found.items() if is_wheel(each) == (n in SOURCES)]:
        raise LookupError(f"a wheel or not? SOURCES of supply/pins.py is wrong on {strange}")
    wheels = [f"{name}=={each['metadata']['version']}" for name, each in found.items()
              if name not in SOURCES]
    for python in PYTHONS.values():
        for each in report(wheels, ("--no-deps", *for_python(python))):
            hashes[canonical(each["metadata"]["name"])].add(digest(each))
    asked = {canonical(Requirement(each).name) for each in wanted}
    return [
        Pin(name, found[name]["metadata"]["version"], tuple(sorted(hashes[name])),
            licence(found[name]["metadata"]),
            tuple(asking(name, found, {by} if name in asked else set())))
        for name in sorted(found)]


def report(wanted: list[str], options: Iterable[str]) -> list[Found]:
    """What pip would install, with the files it would take."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--dry-run", "--ignore-installed", "--no-build-isolation", "--use-pep517",
             "--target", folder, "--report", str(path), *options, *wanted], check=True)
        found: list[Found] = json.loads(path.read_text())["install"]
    return found


def digest(found: Found) -> str:
    hashes = found["download_info"]["archive_info"]["hashes"]
    return str(hashes["sha256"])


def is_wheel(found: Found) -> bool:
    return str(found["download_info"]["url"]).endswith(".whl")


def licence(metadata: Found) -> str:
    """SPDX; raises LookupError for one that says nothing we know, or names several."""
    if expression := metadata.get("license_expression"):
        return str(expression)
    if read := READ.get(canonical(metadata["name"])):
        return read
    said = [each for each in metadata.get("classifier", ()) if each.startswith("License ::")]
    known = {
        next((spdx for word, spdx in LICENCES if word in text.lower()), text)
        for text in said or [str(metadata.get("license"))]}
    if len(known) != 1 or not known <= {spdx for _, spdx in LICENCES}:
        raise LookupError(f"{metadata['name']}: which licence is {sorted(known)}?")
    return known.pop()


def asking(name: str, found: dict[str, Found], known: set[str]) -> list[str]:
    """Who of those found requires it, on some Python that a Debian has; extras aside."""
    return sorted(known | {
        each for each, other in found.items()
        for line in other["metadata"].get("requires_dist", ())
        if name in required(line)})


def required(line: str) -> set[str]:
    """Name of what a Requires-Dist asks for on some Python that a Debian has, if it does."""
    asked = Requirement(line)
    held = asked.marker is None or any(
        asked.marker.evaluate({"python_version": each, "python_full_version": f"{each}.0"})
        for each in PYTHONS.values())
    return {canonical(asked.name)} if held else set()


if __name__ == "__main__":
    main()
