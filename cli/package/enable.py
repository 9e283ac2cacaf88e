"""vmsg package enable PKG."""

import click

from cli.options import changing
from cli.package.switching import change_switching, switching_options
from cli.session import Session


@click.command()
@changing
@switching_options
def command(
    session: Session, package: str, node: str | None, for_s: float | None, dry_run: bool,
    reason: str,
) -> None:
    """Let the cluster start a package, anywhere or on one node."""
    change_switching(
        session, package, True, node=node, for_s=for_s, dry_run=dry_run, reason=reason,
    )
