"""vmsg package resize-disk PKG."""

from typing import Any

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import ResizeDisks

RESIZE_S = 40.0
"""Every node looks at its disks, then the guest is told."""


@click.command()
@changing
@click.argument("package")
def command(session: Session, package: str, dry_run: bool, reason: str) -> None:
    """Tell a running guest that its disks have grown.

    First grow the LUN on the storage, and have every node of the package look at it again; a node
    that does not see the new size is named, and nothing is done.
    """
    request = ResizeDisks(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package)
    session.change(request, said, deadline_s=RESIZE_S)


def said(result: dict[str, Any]) -> str:
    grown = "; ".join(
        f"{each['path']}: {each['before_bytes']} -> {each['bytes']} bytes"
        for each in result["disks"])
    return f"The guest of {result['package']} was told: {grown}"
