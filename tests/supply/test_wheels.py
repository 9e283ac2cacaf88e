"""Files of the lock: what has another hash is not taken. A folder stands in for the index."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from supply import wheels
from supply.pins import Pin

NAME = "vmsg_example-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: vmsg-example\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """With one wheel in it, and pip told to look nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        archive.writestr("vmsg_example.py", "")
        archive.writestr("vmsg_example-1.0.dist-info/METADATA", METADATA)
        archive.writestr("vmsg_example-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("vmsg_example-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def pin(digest: str) -> Pin:
    return Pin("vmsg-example", "1.0", (digest,), "MIT", ("vmsg",))


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_file_of_the_lock_is_taken_and_its_modules_are_unpacked(index, tmp_path, python):
    digest = hashlib.sha256((index / NAME).read_bytes()).hexdigest()
    [wheel] = wheels.fetch(tmp_path / "wheels", python, [pin(digest)])
    wheels.unpack(wheel, tmp_path / "site")
    assert (tmp_path / "site" / "vmsg_example.py").exists()


def test_a_file_that_is_not_the_locks_is_not_taken(index, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        wheels.fetch(tmp_path / "wheels", "3.11", [pin("0" * 64)])
    assert not list((tmp_path / "wheels").glob("*.whl"))
    said = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--require-hashes", "--target",
         str(tmp_path / "site"), "--requirement", str(tmp_path / "wheels" / "wheels.txt")],
        capture_output=True, text=True, timeout=60)
    assert said.returncode != 0 and "DO NOT MATCH THE HASHES" in said.stderr
