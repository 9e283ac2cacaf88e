"""vmsg node fence NODE [--test]."""

from typing import Any

import click

from cli.options import asking_first, changing
from cli.output import table
from cli.problems import REFUSED, warn
from cli.session import Session
from cluster.api.messages import FenceNode
from packages.core.problem import Problem
from packages.core.values import shaped

FENCE_S = 120.0
"""Several levels, each with the time its agents may take."""


@click.command()
@changing
@asking_first
@click.argument("node")
@click.option("--test", is_flag=True, help="Only ask its fences how its power stands.")
def command(session: Session, node: str, test: bool, dry_run: bool, reason: str) -> None:
    """Switch a node's power off, whatever runs there; its packages start elsewhere.

    --test changes nothing: from every node, each fence is asked whether its agent is there, takes
    its parameters, and how the power stands. Exit code 3 when one of them could not be relied on.
    """
    request = FenceNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node, test=test,
    )
    if not test:
        session.change(request, lambda result: f"Node {node} is off.", deadline_s=FENCE_S)
        return
    result = session.ask(request, deadline_s=FENCE_S).result
    session.show(result, lambda: lines(result["tests"]))
    if any(each["problems"] for each in result["tests"]):
        raise click.exceptions.Exit(REFUSED)


def lines(tests: list[dict[str, Any]]) -> list[str]:
    rows = [
        (each["from"], str(each["level"]), each["agent"], each["power"] or "unknown",
         "no" if each["problems"] else "yes")
        for each in tests
    ]
    for each in tests:
        warn(shaped(problem, Problem) for problem in each["problems"])
    return table(("FROM", "LEVEL", "AGENT", "POWER", "GOOD"), rows)
