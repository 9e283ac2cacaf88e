"""vmsg node unquarantine NODE."""

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import UnquarantineNode


@click.command()
@changing
@click.argument("node")
def command(session: Session, node: str, dry_run: bool, reason: str) -> None:
    """Let a node take packages again that had failed too often.

    A node that fails three times within an hour is quarantined for half an hour: until then
    packages are started there only where no other node could run them.
    """
    request = UnquarantineNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node)
    session.change(request, lambda result: f"Node {node} takes packages again.")
