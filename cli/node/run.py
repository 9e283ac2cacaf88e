"""vmsg node run NODE."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import RunNode


@click.command()
@changing
@click.argument("node")
def command(session: Session, node: str, dry_run: bool, reason: str) -> None:
    """Let a halted node join again.

    Packages it left running are attached again.
    """
    request = RunNode(request=session.request_id, dry_run=dry_run, reason=reason, node=node)
    session.change(request, lambda result: f"Node {node} runs.")
