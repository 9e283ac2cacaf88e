"""A guest that writes without end keeps the newest of it, and fills nothing."""

import os
from pathlib import Path

import pytest

from packages.vm.qemu.command_line import console_path
from packages.vm.qemu.consoles import KEPT_BYTES, LARGEST_BYTES, NAMES, cut_all
from packages.vm.qemu.records import GuestFolder


def test_the_files_are_those_that_a_guest_has(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path, "web")
    assert {Path(console_path(str(folder.path))), folder.errors} == {
        folder.path / name for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_writer_without_end_keeps_its_newest(tmp_path: Path, name: str) -> None:
    path = tmp_path / "web" / name
    path.parent.mkdir()
    writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # as QEMU has it open
    line = b"x" * 65535 + b"\n"
    for _ in range(100):
        os.write(writer, line)
        cut_all(tmp_path)
        assert path.stat().st_size <= LARGEST_BYTES
        assert path.stat().st_blocks * 512 <= LARGEST_BYTES, "no hole where the front was"
    os.write(writer, b"the end")
    cut_all(tmp_path)
    assert path.read_bytes().endswith(b"x\nthe end")
    os.close(writer)


def test_what_is_short_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "web" / "console.log"
    path.parent.mkdir()
    path.write_bytes(b"y" * LARGEST_BYTES)
    cut_all(tmp_path)
    assert path.read_bytes() == b"y" * LARGEST_BYTES


def test_of_what_is_cut_the_end_stays(tmp_path: Path) -> None:
    path = tmp_path / "web" / "console.log"
    path.parent.mkdir()
    path.write_bytes(b"y" * LARGEST_BYTES + b"z" * KEPT_BYTES)
    cut_all(tmp_path)
    assert path.read_bytes() == b"z" * KEPT_BYTES


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "web" / "console.log"
    other.write_bytes(b"y" * (LARGEST_BYTES + 1))
    link.parent.mkdir()
    link.symlink_to(other)
    cut_all(tmp_path)
    assert other.stat().st_size == LARGEST_BYTES + 1
