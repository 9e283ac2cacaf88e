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
def command(
    session: Session, node: str, bring_back: bool, dry_run: bool, reason: str,
) -> None:
    """End a node's maintenance; packages may run there again."""
    request = ResumeNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node,
        bring_back=bring_back,
    )

    def sentence(result: dict[str, Any]) -> str:
        home = result.get("returned") or ()
        return f"Node {node} takes packages again." + (f" Home: {', '.join(home)}." if home else "")

    session.change(request, sentence, deadline_s=RETURN_S if bring_back else CHANGE_S)
