"""The lock (supply/lock.txt): each distribution a host installs, with its one version and hashes.

pip reads the same file with --require-hashes. The comment above each pin is ours: its licence, by
SPDX, and who wants it. Where two Pythons take two files, both hashes stand there.
"""

import configparser
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "supply" / "lock.txt"
BUILD = ROOT / "supply" / "build.txt"

PYTHONS = {"12": "3.11", "13": "3.13"}
"""Debian's release -> its Python."""

PRODUCT = "vmsg"

SOURCES = ("pysyncobj",)
"""Of which its makers give out no wheel: pure Python, built where it is installed or packed."""

_PIN = re.compile(
    r"^# (?P<licence>[^;\n]+); for (?P<wanted>.+)\n"
    r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n",
    re.MULTILINE)


class Pin(NamedTuple):
    name: str
    """As the index spells it: small letters and hyphens."""
    version: str
    hashes: tuple[str, ...]
    """SHA-256 in hex, sorted: of each file that some Python takes."""
    licence: str
    wanted_by: tuple[str, ...]
    """Names of others in the lock, and of the product."""

    def __str__(self) -> str:
        hashes = "".join(f" \\\n    --hash=sha256:{each}" for each in self.hashes)
        return (f"# {self.licence}; for {', '.join(self.wanted_by)}\n"
                f"{self.name}=={self.version}{hashes}\n")


def read(path: Path = LOCK) -> tuple[Pin, ...]:
    """Raises ValueError where the file has more in it than its head and pins."""
    text = path.read_text()
    found = tuple(
        Pin(each["name"], each["version"],
            tuple(re.findall(r"sha256:([0-9a-f]{64})", each["hashes"])), each["licence"],
            tuple(each["wanted"].split(", ")))
        for each in _PIN.finditer(text))
    head, _, _ = text.partition("\n\n")
    if text != written(head, found):
        raise ValueError(f"{path} has lines that are no pins: make lock")
    return found


def written(head: str, pins: Iterable[Pin]) -> str:
    return "\n".join((head + "\n", *map(str, pins)))


def settings() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def version() -> str:
    return settings()["metadata"]["version"]


def requirements() -> Iterator[tuple[str, str]]:
    """What setup.cfg asks for at run time: name as the index spells it, and the specifier."""
    for line in settings()["options"]["install_requires"].strip().splitlines():
        name, operator, wanted = line.split()
        yield canonical(name), operator + wanted


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
