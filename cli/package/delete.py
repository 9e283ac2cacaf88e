"""vmsg package delete PKG."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import DeletePackage


@click.command()
@changing
@click.argument("package")
def command(session: Session, package: str, dry_run: bool, reason: str) -> None:
    """Forget a halted package; its disks stay as they are."""
    request = DeletePackage(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package,
    )
    session.change(request, lambda result: f"Package {package} is deleted.")
