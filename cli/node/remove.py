"""vmsg node remove NODE."""

from typing import Any

import click

from cli.options import asking_first, changing
from cli.session import Session
from cluster.api.messages import RemoveNode


@click.command()
@changing
@asking_first
@click.argument("node")
def command(session: Session, node: str, dry_run: bool, reason: str) -> None:
    """Remove a node from the cluster for good, up or dead.

    Refused while it holds a package, or while those who remain and are up would be no majority.
    Its name is not given again.
    """
    request = RemoveNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node)

    def sentence(result: dict[str, Any]) -> str:
        if result.get("settled"):
            return f"Node {node} is removed."
        return f"Node {node} is removed, and the log stops counting it when more nodes are up."

    session.change(request, sentence)
