"""The files of the lock, for one Python, and what is in them: without that Python on this machine.

Wheels are taken as their makers built them. What comes as a source is built here, by what
supply/build.txt has put into this environment; it is pure Python, and serves every Python.
"""

import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from supply import pins
from supply.pins import SOURCES, Pin

GLIBC = range(36, 16, -1)
"""Wheels for any of these run on Debian 12, which has 2.36."""


def for_python(python: str) -> Iterator[str]:
    yield from ("--only-binary", ":all:", "--implementation", "cp", "--python-version", python)
    yield from (word for minor in GLIBC for word in ("--platform", f"manylinux_2_{minor}_x86_64"))
    yield from ("--platform", "manylinux2014_x86_64", "--platform", "manylinux1_x86_64")


def fetch(folder: Path, python: str, locked: Iterable[Pin] = ()) -> list[Path]:
    """Every wheel of the lock in `folder`. pip refuses a file whose hash is another than the
    lock's; raises CalledProcessError then."""
    chosen = tuple(locked) or pins.read()
    folder.mkdir(parents=True, exist_ok=True)
    wheels = [each for each in chosen if each.name not in SOURCES]
    sources = [each for each in chosen if each.name in SOURCES]
    if wheels:
        pip("download", *for_python(python), "--dest", folder, "--requirement",
            subset(folder / "wheels.txt", wheels))
    if sources:
        pip("wheel", "--no-build-isolation", "--use-pep517", "--wheel-dir", folder,
            "--requirement", subset(folder / "sources.txt", sources))
    return sorted(folder.glob("*.whl"))


def subset(path: Path, chosen: Iterable[Pin]) -> Path:
    path.write_text("".join(map(str, chosen)))
    return path


def pip(order: str, *words: str | Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", order, "--quiet", "--disable-pip-version-check",
         "--require-hashes", "--no-deps", *map(str, words)], check=True)


def unpack(wheel: Path, site: Path) -> None:
    """A wheel is its files; those that would go elsewhere than among modules we have none of.
    Raises ValueError for one that has, or whose names lead out of `site`."""
    with zipfile.ZipFile(wheel) as archive:
        for each in archive.infolist():
            parts = Path(each.filename).parts
            if each.filename.startswith("/") or ".." in parts or parts[0].endswith(".data"):
                raise ValueError(f"{wheel.name}: {each.filename}")
        archive.extractall(site)
