"""vmsg cluster apply FILE."""

import click

from cli.files import read_files
from cli.options import changing
from cli.session import Session
from cluster.api.messages import ApplyCluster


@click.command()
@changing
@click.argument("file")
def command(session: Session, file: str, dry_run: bool, reason: str) -> None:
    """Check a cluster file and bring it to every node."""
    [read] = read_files(session, [file])
    request = ApplyCluster(
        request=session.request_id, dry_run=dry_run, reason=reason, text=read.text,
    )
    session.change(request, lambda result: "The configuration was applied on every node.")
