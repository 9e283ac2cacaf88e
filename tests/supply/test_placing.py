"""The product in a virtual environment's folders, without anything that builds."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, PathDistribution

import pytest

from supply import pins, placing, wheels


def placed(tmp_path) -> Distribution:
    placing.place(tmp_path / "site", tmp_path / "bin", sys.executable)
    (named,) = (tmp_path / "site").glob("*.dist-info")
    return PathDistribution(named)


def test_python_knows_what_was_placed(tmp_path):
    found = placed(tmp_path)
    assert (found.name, found.version) == ("vmsg", pins.version())
    assert len(found.requires or ()) == len(list(pins.requirements()))
    assert {each.name for each in found.entry_points} == {"vmsg", "vmsgd", "vmsg-guard"}


def test_its_commands_run_from_there_and_not_from_the_tree(tmp_path):
    placed(tmp_path)
    said = subprocess.run(
        [tmp_path / "bin" / "vmsg", "--version"], check=True, capture_output=True, text=True,
        cwd="/", timeout=60, env={
            **os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": ""},
    ).stdout
    assert said == f"vmsg, version {pins.version()}\n"
    assert list((tmp_path / "site" / "cli").glob("__pycache__"))


def test_what_an_earlier_version_left_goes(tmp_path):
    placed(tmp_path)
    site = tmp_path / "site"
    old = site / "cluster" / "of_before.py"
    old.touch()
    (site / "vmsg-0.0.1.dist-info").mkdir()
    (site / "__editable___vmsg_0_2_0_finder.py").touch()
    (site / "__editable__.vmsg-0.2.0.pth").touch()
    placed(tmp_path)
    assert not old.exists()
    assert sorted(each.name for each in site.iterdir()) == [
        "cli", "cluster", "packages", f"vmsg-{pins.version()}.dist-info"]


def test_tests_and_tools_stay_behind_and_guests_sources_come_along(tmp_path):
    placed(tmp_path)
    assert not (tmp_path / "site" / "tests").exists()
    assert not (tmp_path / "site" / "supply").exists()
    assert (tmp_path / "site" / "cluster" / "lab" / "guest" / "virtio.c").exists()


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "a-1.data/scripts/run"])
def test_a_wheel_that_would_go_elsewhere_is_refused(tmp_path, name):
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a.py", "")
        archive.writestr(name, "")
    with pytest.raises(ValueError, match="a-1"):
        wheels.unpack(wheel, tmp_path / "site")
    assert not (tmp_path / "site").exists()
