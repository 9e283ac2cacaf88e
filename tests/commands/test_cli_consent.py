"""What cannot be taken back is asked about on a terminal, and wants --yes elsewhere."""

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.main import run
from cluster.answers.consent import access_lost, gone_for_good
from cluster.api import messages as ask
from cluster.config.certificates import is_signed_by
from packages.core.problem import problem
from packages.core.values import changed
from tests.commands.answers import done, refused
from tests.commands.recorded_cluster import RecordedCluster, start_command

NOT_CONFIRMED = problem(
    "not-confirmed", "node:n3", what="Nothing was done yet.", because="It is grave.",
    fix="say it again with --yes",
)
LINES = (
    ("node remove n3", ask.RemoveNode), ("node fence n3", ask.FenceNode),
    ("operator remove root", ask.RemoveOperator), ("cluster apply cluster.yaml", ask.ApplyCluster),
    ("package apply web.yaml", ask.ApplyPackages),
)
LONG_S = 60.0


@pytest.mark.parametrize(("line", "kind"), LINES)
def test_nobody_is_there_to_be_asked(
    farm: RecordedCluster, capsys: pytest.CaptureFixture[str], line: str,
    kind: type[ask.Changing],
) -> None:
    farm.replies[kind] = refused(NOT_CONFIRMED, gone_for_good("n3"))
    assert run([*line.split(), "-o", "json"]) == 3
    told = json.loads(capsys.readouterr().out)["problems"]
    assert [each["code"] for each in told] == ["not-confirmed", "node-gone"]
    assert "--yes" in told[0]["fix"]
    [asked] = farm.heard
    assert isinstance(asked, kind) and not asked.confirmed


@pytest.mark.parametrize(("line", "kind"), LINES)
@pytest.mark.parametrize("word", ["--yes", "-y"])
def test_yes_is_consent(
    farm: RecordedCluster, line: str, kind: type[ask.Changing], word: str,
) -> None:
    assert run([*line.split(), word]) == 0
    [asked] = farm.heard
    assert isinstance(asked, kind) and asked.confirmed


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("n\n", 3), ("\n", 3)])
def test_a_person_is_asked_with_what_follows(
    farm: RecordedCluster, said: str, code: int,
) -> None:
    farm.replies[ask.RemoveOperator] = [refused(NOT_CONFIRMED, access_lost("root")), done({})]
    ours, theirs = pty.openpty()
    process = start_command(
        "operator", "remove", "root", "-o", "json", stdin=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, said.encode())
    out, _ = process.communicate(timeout=LONG_S)
    shown = read_all(ours)
    assert process.returncode == code, shown
    assert "access-lost" in shown and "Do it all the same?" in shown
    asked = [each.confirmed for each in farm.heard if isinstance(each, ask.RemoveOperator)]
    assert asked == ([False, True] if code == 0 else [False])
    assert (json.loads(out)["verdict"] if code == 0 else out) == ("done" if code == 0 else "")


def read_all(terminal: int) -> str:
    text = b""
    try:
        while piece := os.read(terminal, 4096):
            text += piece
    except OSError:
        pass  # how a terminal says that its other end is closed
    os.close(terminal)
    return text.decode()


def test_root_on_a_nodes_host_lets_a_new_operator_in_with_the_nodes_own_key(
    farm: RecordedCluster, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The way back that docs/security.md tells: the very commands of it."""
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    block = text.split("<!-- the way back -->")[1].split("<!--")[0]
    commands = [line.strip() for line in block.splitlines() if line.startswith("    ")]
    made = tmp_path / "etc"
    shutil.copytree(etc, made)
    (made / "operator.secret").unlink()

    def here(text: str) -> str:
        return text.replace("/etc/vmsg", str(made)).replace("/root", str(tmp_path))

    subprocess.run(["sh", "-ec", here("\n".join(commands[:-1]))], check=True)
    monkeypatch.setenv("VMSG_ETC", str(tmp_path / "back"))
    line = here(commands[-1]).partition(" vmsg ")[2].split()
    farm.replies[ask.AddOperator] = done({"operator": "ann", "role": "full-admin"})
    assert run(line) == 0
    assert farm.callers[-1].is_node
    wish = farm.heard[-1]
    assert isinstance(wish, ask.AddOperator)
    authority = (made / "ca.crt").read_text()
    assert is_signed_by(authority, ask.words_of(wish), wish.proof)
    assert not is_signed_by(authority, ask.words_of(changed(wish, role="monitor")), wish.proof)
    # Without the authority's key nobody signs, and the node that answers refuses it.
    (tmp_path / "back" / "ca.key").unlink()
    shutil.rmtree(tmp_path / "ann")
    assert run(line) == 6
