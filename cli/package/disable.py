"""vmsg package disable PKG."""

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
    """Keep the cluster from starting a package; it runs on."""
    change_switching(
        session, package, False, node=node, for_s=for_s, dry_run=dry_run, reason=reason,
    )
