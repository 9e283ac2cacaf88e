"""vmsg node resume NODE."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import ResumeNode


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
    ending = " Its packages come home: vmsg status --watch" if bring_back else ""
    session.change(request, lambda result: f"Node {node} takes packages again.{ending}")
