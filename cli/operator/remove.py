"""vmsg operator remove NAME."""

import click

from cli.options import asking_first, changing
from cli.session import Session
from cluster.api.messages import RemoveOperator


@click.command()
@changing
@asking_first
@click.argument("name")
def command(session: Session, name: str, dry_run: bool, reason: str) -> None:
    """Let nobody in by this operator's key any more, from this moment on."""
    request = RemoveOperator(
        request=session.request_id, dry_run=dry_run, reason=reason, name=name,
    )
    session.change(request, lambda result: f"Operator {name} is not let in any more.")
