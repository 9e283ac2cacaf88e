"""vmsg cluster halt."""

import click

from cli.options import changing, leaving, left_running, refuse_both
from cli.session import Session
from cluster.api.messages import HaltCluster

HALT_S = 600.0
"""Every package has its own time to shut down, and they do so side by side."""


@click.command()
@changing
@leaving
def command(
    session: Session, force: bool, detach: bool, dry_run: bool, reason: str,
) -> None:
    """Stop the cluster.

    Refused while packages run, unless -f or -d says what becomes of them.
    """
    refuse_both(force, detach)
    request = HaltCluster(
        request=session.request_id, dry_run=dry_run, reason=reason, force=force, detach=detach,
    )
    session.change(
        request, lambda result: f"The cluster is halted.{left_running(result)}", deadline_s=HALT_S,
    )
