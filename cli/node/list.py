"""vmsg node list."""

from typing import Any

import click

from cli.options import asking
from cli.output import table
from cli.session import Session
from cluster.api.messages import GetStatus


@click.command()
@asking
def command(session: Session) -> None:
    """The nodes, and how they stand."""
    status = session.ask(GetStatus()).result
    session.show({"nodes": status["nodes"]}, lambda: lines(status))


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
