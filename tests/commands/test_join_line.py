"""The line of an invitation is a secret: where it is read from, and where it must not stay."""

import os
import pty
import random
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest
from zmq.utils import z85

from cli.problems import report_bug, withheld, without
from cluster.config.joining import Door, JoinLine, line_of, line_text
from cluster.sockets import make_keys
from packages.core.problem import Problem
from packages.core.values import changed
from tests.commands.recorded_cluster import start_command

LINE = JoinLine(
    cluster="shop", node="n2", until_ms=1, secret=make_keys().secret,
    doors=(Door(address="tcp://127.0.0.1:1", key=make_keys().public),),
)
DEADLINE_S = 60.0


def joined(etc: Path, *words: str, said: str = "") -> tuple[int, str]:
    """The exit code, and what stands on standard error."""
    with start_command("node", "join", *words, "--etc", str(etc), "--timeout", "1s",
                       stdin=-1) as command:
        _, told = command.communicate(said, timeout=DEADLINE_S)
    return command.returncode, told


@pytest.mark.parametrize("words", [("-",), ()])
@pytest.mark.parametrize("before", ["", "vmsg node join "])
def test_the_line_is_read_from_standard_input(
    tmp_path: Path, words: Sequence[str], before: str,
) -> None:
    """Nobody is behind its door: it was understood, and the host's keys were made."""
    code, told = joined(tmp_path / "etc", *words, said=f"{before}{line_text(LINE)}\n")
    assert code == 5 and "timed-out" in told and "secret-on" not in told
    assert (tmp_path / "etc" / "curve.secret").exists()


def test_on_a_terminal_it_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with start_command("node", "join", "--etc", str(tmp_path / "etc"), "--timeout", "1s",
                       stdin=theirs, stdout=theirs, stderr=theirs,
                       start_new_session=True):
        os.close(theirs)
        shown = b""
        while b"The line: " not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, line_text(LINE).encode() + b"\n")
        with pytest.raises(OSError):  # EIO: the other end is closed
            while True:
                shown += os.read(ours, 4096)
    os.close(ours)
    assert b"timed-out" in shown
    assert line_text(LINE).encode() not in shown


def test_on_the_command_line_it_is_taken_with_a_warning(tmp_path: Path) -> None:
    code, told = joined(tmp_path / "etc", line_text(LINE))
    assert code == 5 and "secret-on-command-line" in told and line_text(LINE) not in told


@pytest.mark.parametrize("said", [
    "vmsg-join-1.ä", "ä", "", "\0", "vmsg-join-1." + "é" * 50, "-" * 4, "\ud800", "☃" * 9,
    line_text(LINE) + "ü", line_text(LINE)[:-3], "vmsg-join-1." + "A" * 40_000])
def test_what_is_no_line_is_a_problem(said: str) -> None:
    found = line_of(said)
    assert isinstance(found, Problem) and found.code == "join-line-broken"


@pytest.mark.parametrize("raw", [b"\xff\xfe", "vmsg-join-1.ä".encode(), b"", b"\0" * 70_000])
def test_also_as_bytes_of_standard_input(tmp_path: Path, raw: bytes) -> None:
    with start_command("node", "join", "-", "--etc", str(tmp_path / "etc"), stdin=-1,
                       encoding="latin-1") as command:
        _, told = command.communicate(raw.decode("latin-1"), timeout=DEADLINE_S)
    assert command.returncode == 3 and "join-line-broken" in told
    assert "Traceback" not in told and not (tmp_path / "etc").exists()


@pytest.mark.parametrize("door", [
    Door(address="rubbish", key=make_keys().public), Door(address="tcp://1.2.3.4:5", key="ü" * 40),
    Door(address="ipc:///run/x", key=make_keys().public),
    Door(address="tcp://1.2.3.4:99999999", key="k")])
def test_a_line_whose_doors_are_none_is_a_problem(tmp_path: Path, door: Door) -> None:
    line = changed(LINE, doors=(door,))
    code, told = joined(tmp_path / "etc", "-", said=line_text(line))
    assert code == 3 and "join-line-broken" in told
    assert not (tmp_path / "etc").exists()


def test_what_is_left_after_a_bug_holds_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    line = line_text(LINE)
    args = ["node", "join", line, f"--etc={tmp_path}", f"--key={LINE.secret}"]
    assert report_bug(ValueError(f"cannot read {line} and {LINE.secret}"), args) == 1
    shown = capsys.readouterr().err
    file = Path(re.findall(r"/\S+vmsg-error-\w+\.txt", shown)[0])
    left = file.read_text()
    file.unlink()
    for text in (left, shown):
        assert line not in text and LINE.secret not in text
    assert f"vmsg node join ({len(line)} characters) --etc={tmp_path}" in left


def test_every_key_is_withheld_whatever_its_signs() -> None:
    """Two in five keys have a slash."""
    dice = random.Random(1)
    for _ in range(2000):
        raw = dice.randbytes(32)
        for secret in (z85.encode(raw).decode(), b64encode(raw).decode(), raw.hex()):
            for word in (secret, f"--key={secret}"):
                assert secret not in without(f"a {word} b", withheld([word]))


def test_names_and_paths_are_kept() -> None:
    words = ["move", "web", "n2", "--reason", "a long reason with many words in it, for people",
             "/etc/vmsg/a-very-long-name-of-a-folder/cluster.yaml", "tcp://[2001:db8::17]:5405",
             "--etc=../a-folder-beside/this-one/and-below-it/", "ipc:///run/vmsg/a-name/api.sock",
             "--connect=tcp://n1.a-cluster.example.org:5406"]
    assert withheld(words) == []
    assert without("abc", ["b"]) == "a(1 characters)c"
