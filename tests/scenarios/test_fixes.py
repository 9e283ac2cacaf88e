"""Every fix that names a command: typed in the state that prints it, it helps.

A row of FIXES makes the state and gives the command that is refused there; the commands that the
refusal's fix names are typed in their order, and then the refused one is not refused for the same
reason any more.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.node.drain import plan_lines
from cluster.api import messages as ask
from packages.core.model import DependencySpec
from packages.core.values import changed
from tests.scenarios.operator_at_terminal import terminal
from tests.scenarios.pains.farm import Farm, farm
from tests.simulation.world import package

PLACES = ("ape", "bee", "cat")
COMMAND = re.compile(r"vmsg ((?:[a-z]+)(?: [A-Za-z0-9./_-]+)*)")


class Row(NamedTuple):
    code: str
    state: Callable[[Farm], None]
    refused: str
    """The command line that prints the fix."""
    fix: str
    """The command in the fix that is typed; it has to stand there."""


def nothing(_: Farm) -> None:
    pass


def order(*requests: ask.Changing) -> Callable[[Farm], None]:
    def make(told: Farm) -> None:
        for each in requests:
            told.order(each)
        told.run(2.0)
    return make


def drained(told: Farm) -> None:
    told.order(ask.DrainNode(node="ape"))
    told.until(lambda: told.node("ape").state == "maintenance", within_s=60.0, what="it is empty")


FIXES = (
    Row("package-running", nothing, "package run web --node bee", "move web bee"),
    Row("package-running", nothing, "package delete web", "package halt web"),
    Row("package-not-running", order(ask.HaltPackage(package="web")), "move web bee",
        "package run web --node bee"),
    Row("node-not-empty", nothing, "node halt ape", "node drain ape"),
    Row("node-not-empty", nothing, "node halt ape", "node halt ape -f"),
    Row("node-not-empty", nothing, "node halt ape", "node halt ape -d"),
    Row("node-not-empty", nothing, "node remove ape --yes", "node drain ape"),
    Row("packages-running", nothing, "cluster halt", "cluster halt -f"),
    Row("packages-running", nothing, "cluster halt", "cluster halt -d"),
    Row("cluster-halted", order(ask.HaltCluster(force=True)), "package run web", "cluster run"),
    Row("node-not-up", order(ask.HaltNode(node="cat")), "node drain cat", "node run cat"),
    Row("node-in-maintenance", drained, "move web ape", "node resume ape"),
    Row("node-not-draining", drained, "node drain ape --cancel", "node resume ape"),
    Row("node-not-halted", drained, "node run ape", "node resume ape"),
    Row("node-switching-disabled",
        order(ask.SetSwitching(package="web", node="bee", enabled=False)), "move web bee",
        "package enable web --node bee"),
    Row("package-in-maintenance", order(ask.SetMaintenance(package="web")), "node halt ape -d",
        "package maintenance web off"),
    Row("unknown-node", nothing, "node drain dog", "node list"),
    Row("unknown-package", nothing, "package run dog", "status"),
    Row("unknown-package", nothing, "events --package dog", "status"),
    Row("unknown-node", nothing, "events --node dog", "node list"),
    Row("package-detached", order(ask.HaltNode(node="ape", detach=True)), "package halt web",
        "node run ape"),
    Row("package-detached", order(ask.HaltCluster(detach=True)), "package halt web",
        "cluster run"),
)


@pytest.mark.parametrize("row", FIXES, ids=lambda row: f"{row.code}: {row.refused}: {row.fix}")
def test_a_fix_helps(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with farm() as told:
        row.state(told)
        with terminal(told, tmp_path, monkeypatch.setenv) as typed:
            code, found = typed.type(*row.refused.split())
            assert code == 3, found
            problem = problems_of(found)[row.code]
            assert row.fix in commands_in(problem["fix"]), problem["fix"]
            code, after = typed.type(*row.fix.split())
            assert code == 0, after
            if row.code.startswith("unknown-"):
                return  # there is no such thing; the list of those that are there is shown
            told.run(5.0)
            code, found = typed.type(*row.refused.split())
            assert code == 0 or row.code not in problems_of(found), found


def commands_in(fix: str) -> list[str]:
    """Words after a command that are no part of it (`vmsg node list says ...`) are cut off."""
    found = []
    for line in COMMAND.findall(fix):
        words = line.split()
        found += [" ".join(words[:end]) for end in range(1, len(words) + 1)]
    return found


def problems_of(tree: object) -> dict[str, dict[str, str]]:
    assert isinstance(tree, dict)
    listed = list(tree.get("problems") or ())
    if tree.get("problem"):
        listed.append(tree["problem"])
    return {each["code"]: each for each in listed}


def test_a_package_waits_for_what_it_depends_on_and_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = package("base", PLACES)
    above = changed(package("web", PLACES), dependencies=(DependencySpec(package="base"),))
    with farm(base, above) as told, terminal(told, tmp_path, monkeypatch.setenv) as typed:
        for name in ("web", "base"):
            assert typed.type("package", "halt", name)[0] == 0
        code, found = typed.type("package", "run", "web")
        assert code == 3 and "package run base" in commands_in(
            problems_of(found)["dependency-unmet"]["fix"])
        assert typed.type("package", "run", "base")[0] == 0
        assert typed.type("package", "run", "web")[0] == 0


NOOPS = (
    (nothing, "package run web"), (nothing, "package run web --node ape"),
    (order(ask.HaltPackage(package="web")), "package halt web"),
    (nothing, "package enable web"), (nothing, "package enable web --node bee"),
    (order(ask.SetSwitching(package="web", enabled=False)), "package disable web"),
    (order(ask.SetSwitching(package="web", enabled=False, node="bee")),
     "package disable web --node bee"),
    (order(ask.SetMaintenance(package="web")), "package maintenance web on"),
    (nothing, "package maintenance web off"),
    (nothing, "node run ape"), (order(ask.HaltNode(node="cat")), "node halt cat"),
    (drained, "node drain ape"), (nothing, "node resume ape"), (nothing, "node drain ape --cancel"),
    (nothing, "node unquarantine ape"), (nothing, "cluster run"),
    (order(ask.HaltCluster(force=True)), "cluster halt"),
)


@pytest.mark.parametrize(("state", "line"), NOOPS, ids=[line for _, line in NOOPS])
@pytest.mark.parametrize("tried", [(), ("--dry-run",)], ids=["", "dry run"])
def test_what_is_so_already_is_done_and_said(
    state: Callable[[Farm], None], line: str, tried: tuple[str, ...], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with farm() as told:
        state(told)
        before = told.state.next_event
        with terminal(told, tmp_path, monkeypatch.setenv) as typed:
            code, tree = typed.type(*line.split(), *tried)
        assert code == 0 and tree["already"], tree
        assert told.state.next_event == before, "nothing has happened"


def test_a_drain_of_a_package_with_one_node_says_what_there_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with farm(package("web", ("ape",))) as told, terminal(
            told, tmp_path, monkeypatch.setenv) as typed:
        code, found = typed.type("node", "drain", "ape")
        [stuck] = found["problems"]
        assert code == 1 and stuck["code"] == "package-on-one-node"
        assert "package halt web" in commands_in(stuck["fix"])
        assert typed.type("package", "halt", "web")[0] == 0
        assert typed.type("node", "drain", "ape")[0] == 0


def test_a_failed_node_is_not_told_to_be_run() -> None:
    with farm() as told:
        told.lose_power("cat")
        told.until(lambda: told.node("cat").state == "failed", within_s=60.0, what="it is failed")
        for request in (ask.RunNode(node="cat"), ask.DrainNode(node="cat")):
            [refused] = told.answer(request, to="ape").problems
            assert COMMAND.findall(refused.fix) == ["node list"]


def test_a_drain_of_a_node_that_cannot_be_emptied_says_so() -> None:

    with farm(package("web", ("ape",))) as told:
        plan = told.order(ask.DrainNode(node="ape", dry_run=True))
        lines = plan_lines(plan)
        assert lines[0] == "Nothing can leave ape." and "vmsg package halt web" in lines[1]
