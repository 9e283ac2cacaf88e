"""vmsg node list."""

from typing import Any

import click

from cli.options import asking
from cli.output import table
from cli.problems import EXIT_OF_VERDICT, lines_of
from cli.session import Session
from cluster.api.messages import GetStatus
from packages.core.problem import Problem
from packages.core.values import shaped


@click.command()
@asking
def command(session: Session) -> None:
    """The nodes, and how they stand. Exit code 4 without quorum."""
    status = session.ask(GetStatus()).result
    has_quorum = status["cluster"]["quorum"]
    because = [from_tree(each) for each in status["problems"]
               if each["code"] in ("no-quorum", "cluster-forming")]
    if not status["nodes"] and because:  # nothing is known, and why is all there is to say
        session.stop(because, code=EXIT_OF_VERDICT["no-quorum"])
    session.show({"nodes": status["nodes"], "quorum": has_quorum}, lambda: [
        *lines(status), *(line for each in because for line in lines_of(each))])
    if not has_quorum:
        raise click.exceptions.Exit(EXIT_OF_VERDICT["no-quorum"])


def from_tree(tree: Any) -> Problem:
    found: Problem = shaped(tree, Problem)
    return found


def lines(status: Any) -> list[str]:
    running = [each["node"] for each in status["packages"] if each["node"]]
    rows = [
        (each["name"], each["status"], each["state"], each["address"],
         str(running.count(each["name"])), each.get("role", "voter"))
        for each in status["nodes"]
    ]
    head = ("NODE", "STATUS", "STATE", "ADDRESS", "PACKAGES", "ROLE")
    shown = len(head) if any(row[-1] != "voter" for row in rows) else len(head) - 1
    return table(head[:shown], [row[:shown] for row in rows])
