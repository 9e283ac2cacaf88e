"""A backup's file is whole or not there, and nobody else's to read; putting it back wants a yes."""

import resource
from pathlib import Path

import pytest

from cli.cluster import backup
from cli.main import run
from cluster.api import messages as ask
from tests.commands.recorded_cluster import RecordedCluster


def test_the_file_is_the_operator_s_alone_and_takes_the_place_of_an_earlier_one(
    farm: RecordedCluster, desk: Path,
) -> None:
    path = desk / "record.json"
    path.write_text("earlier")
    path.chmod(0o644)
    assert run(["cluster", "backup", "record.json"]) == 0
    assert path.read_text() == "the record" and path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in desk.iterdir() if "record" in each.name) == ["record.json"]


def test_a_dry_run_and_a_refusal_write_nothing(farm: RecordedCluster, desk: Path) -> None:
    assert run(["cluster", "backup", "record.json", "--dry-run"]) == 0
    assert run(["cluster", "backup", "nowhere/record.json"]) == 3
    assert run(["cluster", "backup", "."]) == 3
    assert not (desk / "record.json").exists()
    # Of what cannot be written, nothing is noted in the cluster's history.
    assert [each.dry_run for each in farm.heard if isinstance(each, ask.BackUpCluster)] == [True]


def test_a_write_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("earlier")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))  # as a disk without room does
    try:
        refused = backup.written(path, "later, and longer than there is room for")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused is not None and "too large" in refused.because
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]
    assert path.read_text() == "earlier"


def test_what_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.mkdir()
    refused = backup.written(path, "later")
    assert refused is not None and "directory" in refused.because
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(("line", "code", "asked"), [
    ("cluster restore web.yaml", 3, 0),
    ("cluster restore web.yaml --yes", 0, 1),
    ("cluster restore web.yaml --dry-run", 0, 1),
    ("cluster restore none.json --yes", 3, 0),
    ("cluster restore huge --yes", 3, 0),
    ("cluster restore binary --yes", 3, 0),
])
def test_off_a_terminal_nothing_is_put_back_without_a_yes(
    farm: RecordedCluster, desk: Path, line: str, code: int, asked: int,
) -> None:
    (desk / "huge").write_bytes(bytes((8 << 20) + 1))
    (desk / "binary").write_bytes(b"\xff\xfe")
    assert run(line.split()) == code
    heard = [each for each in farm.heard if isinstance(each, ask.RestoreCluster)]
    assert len(heard) == asked
    assert [each.text for each in heard] == [(desk / "web.yaml").read_text()] * asked
    assert [each.operators for each in heard] == [False] * asked


def test_what_is_put_back_and_what_is_not_is_said(
    farm: RecordedCluster, desk: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["cluster", "restore", "web.yaml", "--yes", "--operators"]) == 0
    said = capsys.readouterr().out
    assert "2 packages were put back" in said and "vmsg cluster run" in said
    assert "cluster file in the backup is another one" in said
    assert [each.operators for each in farm.heard if isinstance(each, ask.RestoreCluster)] == [True]


def test_an_interruption_leaves_nothing_of_the_record_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError):  # as a Ctrl-C: nothing that a full disk would say
        backup.written(tmp_path / "record.json", object())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_file_can_have_is_refused(farm: RecordedCluster, desk: Path) -> None:
    assert run(["cluster", "backup", "a" * 300]) == 3
