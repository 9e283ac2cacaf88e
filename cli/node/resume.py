"""vmsg node resume NODE."""

from typing import Any

import click

from cli.options import changing
from cli.session import CHANGE_S, Session
from cluster.api.messages import ResumeNode

RETURN_S = 3600.0
"""Packages come home one after the other, and each copy takes what it takes."""


@click.command()
@changing
@click.argument("node")
@click.option(
    "--return", "bring_back", is_flag=True, help="Bring its packages home, online.",
)
@click.option(
    "--only", multiple=True, metavar="PKG", help="Bring this package home and not all; repeatable.",
)
def command(
    session: Session, node: str, bring_back: bool, only: tuple[str, ...], dry_run: bool,
    reason: str,
) -> None:
    """End a node's maintenance; packages may run there again."""
    request = ResumeNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node,
        bring_back=bring_back, only=only,
    )

    def sentence(result: dict[str, Any]) -> str:
        home = result.get("returned") or ()
        return f"Node {node} takes packages again." + (f" Home: {', '.join(home)}." if home else "")

    session.change(request, sentence, deadline_s=RETURN_S if bring_back or only else CHANGE_S)
