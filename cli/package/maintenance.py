"""vmsg package maintenance PKG on|off."""

import click

from cli.options import changing, for_option
from cli.output import span
from cli.session import Session
from cluster.api.messages import SetMaintenance


@click.command()
@changing
@click.argument("package")
@click.argument("word", type=click.Choice(["on", "off"]), metavar="on|off")
@for_option
def command(
    session: Session, package: str, word: str, for_s: float | None, dry_run: bool, reason: str,
) -> None:
    """Ignore failed health checks while somebody works on it."""
    on = word == "on"
    if for_s and not on:
        raise click.UsageError("--for goes with `on`.", click.get_current_context())
    request = SetMaintenance(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package, on=on,
        for_s=for_s,
    )
    until = f" for {span(for_s * 1000)}" if for_s else ""
    says = f"is in maintenance{until}" if on else "is monitored again"
    session.change(request, lambda result: f"Package {package} {says}.")
