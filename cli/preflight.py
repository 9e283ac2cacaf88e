"""vmsg preflight PKG [NODE]."""

from typing import Any

import click

from cli.options import asking
from cli.output import coloured, table
from cli.problems import REFUSED, lines_of
from cli.session import Session
from cluster.api.messages import Preflight
from packages.core.problem import Problem
from packages.core.values import shaped

PREFLIGHT_S = 30.0
"""Every node examines its disks; one that hangs on a dead path is given up on by then."""


@click.command()
@asking
@click.argument("package")
@click.argument("node", required=False)
def command(session: Session, package: str, node: str | None) -> None:
    """Try every rule of a move against every node, or one.

    Each rule shows its facts beside its demands; nothing is changed. Exit code 3 when no asked-for
    node is allowed.
    """
    found = session.ask(Preflight(package=package, node=node), deadline_s=PREFLIGHT_S).result
    session.show(found, lambda: lines(found))
    if not any(each["allowed"] for each in found["nodes"]):
        raise click.exceptions.Exit(REFUSED)


def lines(found: dict[str, Any]) -> list[str]:
    """The verdicts in a table, then each rule that speaks: its facts beside its demands."""
    rows = [
        (each["node"], "yes" if each["allowed"] else "no", str(len(each["problems"])))
        for each in found["nodes"]
    ]
    shown = [f"{found['package']}:", *table(("NODE", "ALLOWED", "PROBLEMS"), rows, indent=2)]
    for each in found["nodes"]:
        if each["problems"]:
            verdict = coloured("yes" if each["allowed"] else "no")
            shown += ["", f"  {each['node']}: {verdict}"]
            shown += [
                f"    {line}" for told in each["problems"]
                for line in lines_of(shaped(told, Problem))
            ]
    return shown
