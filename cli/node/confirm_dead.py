"""vmsg node confirm-dead NODE --reason TEXT."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import ConfirmDead


@click.command()
@changing
@click.argument("node")
def command(session: Session, node: str, dry_run: bool, reason: str) -> None:
    """Say that a silent node is off, so that its packages may start elsewhere.

    Refused while the node is heard, and without a --reason. If it is not off after all, its guests
    run twice, and their disks are ruined: look first.
    """
    if not reason:
        raise click.UsageError(
            "Say with --reason how you know that it is off.", click.get_current_context())
    request = ConfirmDead(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node,
    )
    session.change(
        request, lambda result: f"Node {node} counts as dead; its packages start elsewhere.")
