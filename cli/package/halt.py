"""vmsg package halt PKG."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import HaltPackage

HALT_S = 180.0
"""A guest has its halt time-out, a minute by default, for its own shutdown, then it is ended."""


@click.command()
@changing
@click.argument("package")
def command(session: Session, package: str, dry_run: bool, reason: str) -> None:
    """Shut a package's guest down, and switch the package off."""
    request = HaltPackage(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package,
    )
    session.change(request, lambda result: f"Package {package} is halted.", deadline_s=HALT_S)
