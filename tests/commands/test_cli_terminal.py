"""Commands as processes: Ctrl-C in a wait, a reader that has had enough, a terminal."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from cluster.api import messages as ask
from tests.commands import answers
from tests.commands.answers import done
from tests.commands.recorded_cluster import RecordedCluster, make_folders, start_command

LONG_S = 60.0
"""Reached only when something is broken."""


def interrupt(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONG_S)
    return process.returncode, out, err


def test_ctrl_c_leaves_a_move_alone_and_says_so(farm: RecordedCluster) -> None:
    farm.replies[ask.GetMove] = done(answers.move())
    process = start_command("move", "web", "n2", "-o", "json")
    assert process.stderr is not None and process.stderr.readline() == "web: n1 -> n2  init\n"
    code, out, err = interrupt(process)
    assert (code, out) == (130, "")
    assert "vmsg move web --abort" in err and "Traceback" not in err


def test_a_move_is_followed_when_every_key_has_changed(
    desk: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that began with the old keys would find nobody to answer it for the rest of its life."""
    etc = make_folders(desk / "before")
    monkeypatch.setenv("VMSG_ETC", str(etc))
    with RecordedCluster(etc, desk) as farm:
        farm.replies = {ask.MovePackage: answers.HAPPY[ask.MovePackage],
                        ask.GetMove: done(answers.move())}
        process = start_command("move", "web", "n2", "-o", "json")
        assert process.stderr is not None and process.stderr.readline() == "web: n1 -> n2  init\n"
    shutil.copytree(make_folders(desk / "after"), etc, dirs_exist_ok=True)
    with RecordedCluster(etc, desk) as farm:
        farm.replies = {ask.GetMove: done(answers.COMPLETED)}
        out, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 0, err
    assert json.loads(out)["result"] == "completed"


def test_ctrl_c_in_a_roll_says_where_it_stands(farm: RecordedCluster) -> None:
    farm.replies[ask.GetStatus] = [
        done(answers.rolled("running")), done(answers.rolled("maintenance"))]
    process = start_command(
        "cluster", "roll", "n1", "--run", "echo begun; exec tail -f /dev/null",
        start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: the command gets it, too
    _, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 130 and "Traceback" not in err
    assert "Node n1 is in maintenance" in err and "vmsg node resume n1" in err


def test_ctrl_c_leaves_a_request_alone_and_says_so(farm: RecordedCluster) -> None:
    farm.replies[ask.RunPackage] = None
    process = start_command("package", "run", "web")
    while not farm.heard:
        assert process.poll() is None
    code, _, err = interrupt(process)
    assert code == 130 and f"vmsg events --request {farm.heard[0].request}" in err
    assert "Traceback" not in err


def test_ctrl_c_is_how_one_leaves_what_is_followed(farm: RecordedCluster) -> None:
    farm.replies[ask.GetEvents] = [done({"events": answers.EVENTS, "next": 3}), None]
    process = start_command("events", "--follow", "-o", "json")
    assert process.stdout is not None
    told = [json.loads(process.stdout.readline()) for _ in answers.EVENTS]
    assert told == answers.EVENTS
    assert interrupt(process) == (0, "", "")


def test_events_are_followed_from_where_they_ended(farm: RecordedCluster) -> None:
    farm.replies[ask.GetEvents] = [
        done({"events": answers.EVENTS[:1], "next": 1}),
        done({"events": answers.EVENTS[1:], "next": 3}), None,
    ]
    process = start_command("events", "--follow", "-o", "json")
    assert process.stdout is not None
    assert [json.loads(process.stdout.readline())["seq"] for _ in range(3)] == [1, 2, 3]
    while len(farm.heard) < 3:
        assert process.poll() is None
    assert interrupt(process)[0] == 0
    assert [each.after for each in farm.heard] == [0, 1, 3]  # type: ignore[union-attr]


def test_a_watched_status_is_one_object_a_line_for_a_program(farm: RecordedCluster) -> None:
    farm.replies[ask.GetStatus] = [done(answers.STATUS), done(answers.CUT_OFF)]
    process = start_command("status", "--watch", "-o", "json")
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline())["cluster"]["quorum"] for _ in range(2)]
    assert seen == [True, False]
    assert interrupt(process) == (0, "", "")


def test_a_reader_that_has_had_enough_is_no_trouble(farm: RecordedCluster) -> None:
    page = [answers.event(1, seq=each) for each in range(900)]
    farm.replies[ask.GetEvents] = done({"events": page, "next": 900})
    process = start_command("events")
    assert process.stdout is not None and process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None and process.stderr.read() == ""
    assert process.wait(LONG_S) == 1
    process.stderr.close()


def on_terminal(*args: str, until: str) -> tuple[int, str]:
    """Run a command on a terminal, press Ctrl-C once `until` is seen; its exit code and screen."""
    ours, theirs = pty.openpty()
    process = start_command(*args, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = b""
    while until.encode() not in screen:
        assert select.select([ours], [], [], LONG_S)[0], screen
        screen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        try:
            screen += os.read(ours, 4096)
        except OSError:  # the terminal is gone with its last user
            break
    code = process.wait(LONG_S)
    os.close(ours)
    return code, screen.decode(errors="replace")


def test_a_terminal_sees_one_line_with_all_that_moves(
    farm: RecordedCluster, desk: Path,
) -> None:
    farm.replies[ask.GetMove] = [done(answers.move(percent=60.0)), done(answers.move())]
    code, screen = on_terminal("move", "web", "n2", until="left")
    assert code == 130 and "60 %" in screen and "42 %" not in screen
    assert "vmsg move web --abort" in screen


def test_a_terminal_sees_the_status_redrawn_in_place_and_in_colour(
    farm: RecordedCluster, desk: Path,
) -> None:
    farm.replies[ask.GetStatus] = [done(answers.STATUS), done(answers.CUT_OFF)]
    code, screen = on_terminal("status", "--watch", until="unknown")
    assert code == 0 and screen.count("CLUSTER") >= 2
    assert "\x1b[2K" in screen and "\x1b[32m" in screen


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colour_gets_none(
    farm: RecordedCluster, monkeypatch: pytest.MonkeyPatch, name: str, value: str,
) -> None:
    monkeypatch.setenv(name, value)
    _, screen = on_terminal("status", until="PACKAGE")
    assert "\x1b[" not in screen
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, screen = on_terminal("status", until="PACKAGE")
    assert "\x1b[" in screen


def test_a_dumb_terminal_gets_lines(
    farm: RecordedCluster, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    farm.replies[ask.GetMove] = done(answers.move())
    code, screen = on_terminal("move", "web", "n2", until="init")
    assert code == 130 and "\x1b[" not in screen
