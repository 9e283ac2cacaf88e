"""What every command prints, for people and for programs, and how it ends.

The golden files hold the whole transcript; --regenerate writes them anew.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from cluster.api import messages as ask
from cluster.sockets import public_of
from packages.core.problem import problem
from packages.core.values import changed, plain
from tests.commands import answers
from tests.commands.answers import done, refused
from tests.commands.recorded_cluster import RecordedCluster, steady

Vmsg = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vmsg(capsys: pytest.CaptureFixture[str], tmp_path: Path, etc: Path) -> Vmsg:
    def vmsg(*args: str) -> tuple[int, str, str]:
        code = run(args)
        printed = capsys.readouterr()
        return code, steady(printed.out, tmp_path, etc), steady(printed.err, tmp_path, etc)

    return vmsg


def transcript(vmsg: Vmsg, line: str) -> str:
    code, out, err = vmsg(*line.split())
    blocks = [f"$ vmsg {line}\n", out]
    if err:
        blocks += ["--- standard error\n", err]
    return "".join([*blocks, f"--- exit code {code}\n"])


EVERY_COMMAND = (
    "status", "cluster check cluster.yaml", "cluster apply cluster.yaml", "cluster get",
    "cluster backup record.json", "cluster restore cluster.yaml --yes",
    "cluster restore cluster.yaml",
    "cluster run", "cluster halt -f", "cluster halt -d", "node list", "node run n2",
    "node halt n2 -f", "node drain n1 --no-wait", "node drain n1 --dry-run",
    "node drain n1 --cancel", "node unquarantine n1", "plan drain n1", "plan fail n1 n2",
    "node resume n1 --return", "node leave n1",
    "package check web.yaml",
    "package apply web.yaml",
    "package get", "package get web", "package delete web", "package run web --node n1",
    "package halt web", "package enable web", "package disable web --node n2 --for 2h",
    "package maintenance web on --for 90s", "package maintenance web off", "move web n2",
    "package resize-disk web",
    "move web n2 --no-wait", "move web --status", "move web --abort", "preflight web",
    "events", "events --package web --since 1h", "node confirm-dead n3 --reason burnt",
    "node confirm-dead n3 --reason burnt --no-wait",
    "node invite n2", "node rotate n2", "node add n4 10.1.0.4", "node remove n2", "node fence n3",
    "node fence n3 --test",
    "node rotate --all", "operator list", "operator remove ann",
)


@pytest.mark.parametrize("line", EVERY_COMMAND)
def test_every_command_for_people_and_for_programs(
    farm: RecordedCluster, vmsg: Vmsg, golden: Callable[[str, str], None], line: str,
) -> None:
    shown = []
    for output in ("", " -o json", " -o yaml"):
        for each in (ask.GetMove, ask.ConfirmDead):
            farm.replies[each] = list(answers.HAPPY[each])
        shown.append(transcript(vmsg, line + output))
    golden(f"{line.replace(' ', '_').replace('--', '')}.txt", "\n".join(shown))


DRY_RUNS = (
    "cluster apply cluster.yaml", "cluster backup record.json", "cluster restore web.yaml",
    "cluster run", "cluster halt", "node run n2", "node halt n2",
    "node resume n2", "package apply web.yaml", "package delete web", "package run web",
    "package halt web", "package enable web", "package disable web", "package maintenance web on",
    "package resize-disk web",
    "node confirm-dead n3", "move web n2", "move web --abort", "node invite n2", "node rotate n2",
    "operator remove ann", "operator add bob --out bob", "node add n4 10.1.0.4", "node remove n2",
    "node fence n2",
)


@pytest.mark.parametrize("line", DRY_RUNS)
def test_whatever_changes_something_can_be_tried_first(
    farm: RecordedCluster, vmsg: Vmsg, line: str,
) -> None:
    for kind in farm.replies:
        farm.replies[kind] = answers.WOULD
    code, out, _ = vmsg(*line.split(), "--dry-run", "--reason", "a try")
    assert (code, out) == (
        0, "This would be done:\n  package:web: started (halted -> starting)\n",
    )
    [asked] = farm.heard
    assert isinstance(asked, ask.Changing) and asked.dry_run and asked.reason == "a try"


ROLLED = [
    done(answers.rolled("running", left=("web",))), done(answers.rolled("maintenance")),
    done(answers.rolled("maintenance")), done(answers.rolled("running")),
]
"""What status says while n1 is rolled over, and n2, of which the same is told, after it."""

SPECIAL: dict[str, tuple[str, dict[type[ask.Request], Any]]] = {
    "status_verbose": ("status -v", {ask.GetStatus: done(answers.VERBOSE)}),
    "status_waiting_for_proof": ("status", {ask.GetStatus: done(answers.WAITING)}),
    "confirm_dead_heard": (
        "node confirm-dead n2 --reason gone", {ask.ConfirmDead: refused(answers.HEARD)}),
    "status_with_a_witness": ("status", {ask.GetStatus: done(answers.WITNESSED)}),
    "list_with_a_witness": ("node list", {ask.GetStatus: done(answers.WITNESSED)}),
    "status_of_maintenance": ("status -v", {ask.GetStatus: done(answers.EMPTYING)}),
    "status_without_quorum": ("status", {ask.GetStatus: done(answers.CUT_OFF)}),
    "move_refused": ("move web n3", {ask.MovePackage: refused(answers.DISK, answers.SHARED)}),
    "move_refused_json": ("-o json move web n3", {ask.MovePackage: refused(answers.DISK)}),
    "move_aborted": ("move web n2", {ask.GetMove: done(answers.CALLED_OFF)}),
    "move_aborted_json": ("move web n2 -o json", {ask.GetMove: done(answers.CALLED_OFF)}),
    "move_never": ("move web --status", {ask.GetMove: done(None)}),
    "move_overtaken": ("move web n2", {ask.GetMove: done(answers.move(id="m2"))}),
    "preflight_nowhere": ("preflight web", {ask.Preflight: done({
        "package": "web",
        "nodes": [{"node": "n3", "allowed": False, "problems": [plain(answers.DISK)]}],
    })}),
    "roll_over_two": ("cluster roll n1 n2 --run true --steady 100ms", {
        ask.GetStatus: ROLLED + ROLLED[1:]}),
    "roll_over_two_json": ("-o json cluster roll n2 n1 --return --run true --steady 100ms", {
        ask.GetStatus: ROLLED + ROLLED[1:]}),
    "halt_beside_one_left_alone": ("cluster halt -f", {ask.HaltCluster: done(
        {"running": False, "detached": ["web"]}, changed(answers.DISK, severity="warn"))}),
    "halt_that_leaves_them": ("node halt n2 -d", {ask.HaltNode: done(
        {"node": "n2", "state": "halted", "detached": ["web", "mail"]})}),
    "roll_with_nothing_to_run": ("cluster roll --run= n1", {}),
    "roll_dry": ("cluster roll --run reboot --dry-run", {ask.GetStatus: ROLLED}),
    "roll_of_an_ill_cluster": ("cluster roll --run true", {}),
    "roll_over_nobody": ("cluster roll n9 --run true", {ask.GetStatus: ROLLED}),
    "roll_whose_command_fails": ("cluster roll n1 --run false", {ask.GetStatus: ROLLED}),
    "roll_that_sticks": ("cluster roll n1 --run true", {ask.GetStatus: [
        ROLLED[0], done(answers.rolled("draining", left=("web",), stuck=("web",)))]}),
    "roll_that_sticks_json": ("-o json cluster roll n1 --run true", {ask.GetStatus: [
        ROLLED[0], done(answers.rolled("draining", left=("web",), stuck=("web",)))]}),
    "roll_refused": ("cluster roll n1 --run true", {
        ask.GetStatus: ROLLED, ask.DrainNode: refused(answers.DISK)}),
    "roll_that_loses_a_package": (
        "cluster roll n1 --run true --steady 100ms --health-timeout 1s", {
            ask.GetStatus: [*ROLLED[:2], done(answers.rolled("maintenance", lost=True))]}),
    "drain_to_the_end": ("node drain n1", {ask.GetStatus: [
        done(answers.drained("draining", left=("web", "mail"))),
        done(answers.drained("draining", left=("web",))),
        done(answers.drained("maintenance", left=())),
    ]}),
    "drain_that_sticks": ("node drain n1", {ask.GetStatus: [
        done(answers.drained("draining", left=("web", "mail"))),
        done(answers.drained("draining", left=("web",), stuck=("web",))),
    ]}),
    "drain_that_sticks_json": ("node drain n1 -o json", {
        ask.GetStatus: done(answers.drained("draining", left=("web",), stuck=("web",))),
    }),
    "check_refused": ("package check web.yaml", {ask.CheckPackages: refused(answers.DISK)}),
    "nothing_to_drain": ("node drain n1 --dry-run", {
        ask.DrainNode: done({
            "node": "n1", "moves": [], "stuck": [], "waves": [], "without_spare": [], "seconds": 0,
        }),
    }),
    "rejoin_running": ("node rejoin n1", {}),
    "rejoin_elsewhere": ("node rejoin n2 -o json", {}),
    "join_nonsense": ("node join nonsense", {}),
    "no_events": ("events", {ask.GetEvents: done({"events": [], "next": 0})}),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_what_else_can_come_of_it(
    farm: RecordedCluster, vmsg: Vmsg, golden: Callable[[str, str], None], name: str,
) -> None:
    line, replies = SPECIAL[name]
    farm.replies |= {
        kind: list(reply) if isinstance(reply, list) else reply for kind, reply in replies.items()
    }
    golden(f"special_{name}.txt", transcript(vmsg, line))


def test_an_operator_gets_a_folder_of_their_own(
    farm: RecordedCluster, vmsg: Vmsg, golden: Callable[[str, str], None], desk: Path,
) -> None:
    text = transcript(vmsg, "operator add ann --role monitor --out ann")
    golden("special_operator_add.txt", text + "\n" + transcript(vmsg, "operator add bob --out ann"))
    secret = (desk / "ann" / "operator.secret").read_text().strip()
    tried, asked = [each for each in farm.heard if isinstance(each, ask.AddOperator)]
    assert changed(tried, dry_run=False) == asked
    assert asked.key == public_of(secret) and secret not in text
    assert not (desk / "bob").exists()


WRONG = (
    "node confirm-dead n1", "node rotate", "node rotate n1 --all", "node invite n2 --role king",
    "operator add ann", "", "packge", "package enbale web", "move web", "move web n2 --abort",
    "move", "status extra",
    "package disable web --for soon", "package disable web --for 0s", "events --since -1h",
    "node halt n1 -f -d", "node drain n1 --cancel --allow-restart", "cluster halt -fd",
    "package maintenance web of", "status -o xml", "package maintenance web off --for 1h",
    "package check", "cluster init cluster.yaml", "node halt -o json", "lab cut",
    "lab cut n1 --network moon",
)


def test_wrong_usage_is_a_problem_like_any_other(
    farm: RecordedCluster, vmsg: Vmsg, golden: Callable[[str, str], None],
) -> None:
    shown = [transcript(vmsg, line) for line in WRONG]
    assert all(each.endswith("--- exit code 2\n") for each in shown)
    assert farm.heard == []
    golden("wrong_usage.txt", "\n".join(shown))


@pytest.mark.parametrize("verdict, code", [
    ("failed", 1), ("refused", 3), ("no-quorum", 4), ("timed-out", 5), ("not-authorised", 6),
])
def test_the_verdict_is_the_exit_code(
    farm: RecordedCluster, vmsg: Vmsg, verdict: ask.Verdict, code: int,
) -> None:
    farm.replies[ask.RunPackage] = refused(verdict=verdict)  # without any reason given
    found, _, err = vmsg("package", "run", "web")
    assert found == code and "because:" in err and "fix:" in err
    why = problem("no-node-available", "package:web", what="a", because="b", fix="c")
    farm.replies[ask.RunPackage] = refused(why, verdict=verdict)
    found, _, err = vmsg("package", "run", "web")
    assert found == code and "no-node-available" in err


def test_a_warning_leaves_the_json_alone(farm: RecordedCluster, vmsg: Vmsg) -> None:
    code, out, err = vmsg("package", "run", "web", "-o", "json")
    assert code == 0 and out.startswith("{") and "migration-network-shared" in err


def test_events_come_in_pages(farm: RecordedCluster, vmsg: Vmsg) -> None:
    page = [answers.event(1, seq=each) for each in range(1, 1001)]
    farm.replies[ask.GetEvents] = [
        done({"events": page, "next": 1000}), done({"events": page[:5], "next": 1005}),
    ]
    code, out, _ = vmsg("events", "-o", "json")
    assert code == 0 and len(out.splitlines()) == 1005
    assert [each.after for each in farm.heard] == [0, 1000]  # type: ignore[union-attr]


def test_what_is_asked_for_arrives(farm: RecordedCluster, vmsg: Vmsg) -> None:
    vmsg("package", "disable", "web", "--node", "n2", "--for", "1h30m", "--reason", "new disk")
    [asked] = farm.heard
    assert isinstance(asked, ask.SetSwitching) and asked.request
    assert changed(asked, request="") == ask.SetSwitching(
        package="web", enabled=False, node="n2", for_s=5400.0, reason="new disk",
    )


def test_who_is_to_come_home_arrives(farm: RecordedCluster, vmsg: Vmsg) -> None:
    vmsg("node", "resume", "n1", "--only", "web", "--only", "db")
    [asked] = farm.heard
    assert isinstance(asked, ask.ResumeNode) and asked.only == ("web", "db")
