"""vmsg cluster run."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import RunCluster


@click.command()
@changing
def command(session: Session, dry_run: bool, reason: str) -> None:
    """Start the cluster and its packages."""
    request = RunCluster(request=session.request_id, dry_run=dry_run, reason=reason)
    session.change(request, lambda result: "The cluster runs.")
