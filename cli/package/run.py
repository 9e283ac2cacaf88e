"""vmsg package run PKG."""

from typing import Any

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import RunPackage

RUN_S = 180.0
"""A guest may take its start time-out, a minute by default, on more than one node."""


@click.command()
@changing
@click.argument("package")
@click.option("--node", default=None, help="Start it there; else on the first node that may.")
def command(
    session: Session, package: str, node: str | None, dry_run: bool, reason: str,
) -> None:
    """Start a package and wait until its guest runs."""
    request = RunPackage(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package, node=node,
    )

    def sentence(result: dict[str, Any]) -> str:
        where = result.get("node") or node
        return f"Package {package} runs{f' on {where}' if where else ''}."

    session.change(request, sentence, deadline_s=RUN_S)
