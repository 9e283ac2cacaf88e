"""What `enable` and `disable` share: whether the cluster may start a package, and where."""

import click

from cli.options import Command, for_option
from cli.output import span
from cli.session import Session
from cluster.api.messages import SetSwitching


def switching_options(function: Command) -> Command:
    node = click.option("--node", default=None, help="On this node only.")
    return click.argument("package")(node(for_option(function)))


def change_switching(
    session: Session, package: str, enabled: bool, *, node: str | None, for_s: float | None,
    dry_run: bool, reason: str,
) -> None:
    request = SetSwitching(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package,
        enabled=enabled, node=node, for_s=for_s,
    )
    where = f" on {node}" if node else ""
    until = f" for {span(for_s * 1000)}" if for_s else ""
    word = "enabled" if enabled else "disabled"
    session.change(request, lambda result: f"Package {package} is {word}{where}{until}.")
