"""vmsg node halt NODE."""

import click

from cli.options import changing, leaving, left_running, refuse_both
from cli.session import Session
from cluster.api.messages import HaltNode

HALT_S = 600.0
"""Every package on it has its own time to shut down."""


@click.command()
@changing
@click.argument("node")
@leaving
def command(
    session: Session, node: str, force: bool, detach: bool, dry_run: bool, reason: str,
) -> None:
    """Take a node out of the cluster.

    Refused while packages run there, unless -f or -d says what becomes of them. -f stops them and
    starts them elsewhere; to move them online instead: vmsg node drain.
    """
    refuse_both(force, detach)
    request = HaltNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node, force=force,
        detach=detach,
    )
    session.change(
        request, lambda result: f"Node {node} is halted.{left_running(result)}", deadline_s=HALT_S,
    )
