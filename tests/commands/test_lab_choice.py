"""A lab is only what was named, or the only one of this user; a host's own daemon comes first."""

import json
import os
from pathlib import Path

import pytest

from cli.main import run
from cluster.api.find import Access, find_cluster
from cluster.lab import choice, lab
from cluster.lab import record as records
from cluster.lab.plan import LabOptions, make_plan
from cluster.lab.record import LabRecord
from packages.core.problem import Problem

ME, OTHER = os.getuid(), os.getuid() + 1


def a_lab(folder: Path, *, user: int | None = ME) -> Path:
    """What is written down about a lab, and its nodes' keys; nothing of it runs."""
    folder.mkdir()
    plan = make_plan(LabOptions(dir=str(folder)), 250)
    records.save(LabRecord(plan=plan, user=user))
    assert lab.make_folders(plan) is None
    return folder


def test_the_only_lab_of_this_user_counts(tmp_path: Path) -> None:
    mine, theirs = a_lab(tmp_path / "a"), a_lab(tmp_path / "b", user=OTHER)
    assert choice.the_only_one({}, [mine, theirs, tmp_path / "none"]) == mine
    assert choice.the_only_one({}, [theirs, tmp_path / "none"]) is None
    assert choice.the_only_one({}, [a_lab(tmp_path / "old", user=None)]) == tmp_path / "old"


def test_of_several_none_is_guessed(tmp_path: Path) -> None:
    labs = [a_lab(tmp_path / "a"), a_lab(tmp_path / "b")]
    found = choice.the_only_one({}, labs)
    assert isinstance(found, Problem) and found.code == "lab-ambiguous"
    assert all(str(each) in found.because for each in labs)
    name, _, value = found.fix.rpartition("export ")[2].partition("=")
    named = find_cluster(None, {name: value})
    assert isinstance(named, Access) and named.lab == str(labs[1])


def test_behind_sudo_a_person_is_who_they_are(tmp_path: Path) -> None:
    """Only root can be somebody behind sudo; for others the variable means nothing."""
    theirs = 1000 if ME == 0 else ME
    ours, roots = a_lab(tmp_path / "a", user=theirs), a_lab(tmp_path / "b", user=0)
    assert choice.the_only_one({"SUDO_UID": "1000"}, [ours, roots]) == ours
    assert choice.asking_user({"SUDO_UID": "1000"}) == theirs
    assert choice.the_only_one({}, [roots]) == (roots if ME == 0 else None)


def test_a_named_lab_counts_before_anything_else(tmp_path: Path) -> None:
    named = a_lab(tmp_path / "a")
    found = find_cluster(None, {"VMSG_LAB": str(named)})
    assert isinstance(found, Access) and found.lab == str(named)
    gone = find_cluster(None, {"VMSG_LAB": str(tmp_path / "none")})
    assert isinstance(gone, Problem) and gone.code == "lab-not-up"


@pytest.mark.parametrize("line", [
    "lab status", "lab kill n1", "lab hang n1", "lab thaw n1", "lab cut n1", "lab heal n1",
    "lab start n1", "lab down --dry-run", "lab up --dry-run",
])
def test_lab_commands_obey_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str,
) -> None:
    monkeypatch.setenv("VMSG_LAB", str(tmp_path / "nowhere"))
    code = run([*line.split(), "-o", "json"])
    assert code == (0 if "--dry-run" in line else 3)
    tree = json.loads(capsys.readouterr().out)
    shown = tree["dir"] if code == 0 else tree["problems"][0]["subject"]
    assert str(tmp_path / "nowhere") in shown
