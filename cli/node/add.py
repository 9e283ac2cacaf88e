"""vmsg node add NAME ADDRESS."""

from typing import Any

import click

from cli.options import Whole, changing
from cli.session import Session
from cluster.api.messages import AddNode


@click.command()
@changing
@click.argument("node")
@click.argument("address")
@click.option("--witness", is_flag=True, help="It votes and runs nothing.")
@click.option("--raft-port", type=Whole(),
              help="Where the others carry the log to; 5470 by default.")
@click.option("--api-port", type=Whole(), help="Where it is asked; 5471 by default.")
def command(
    session: Session, node: str, address: str, witness: bool, raft_port: int | None,
    api_port: int | None, dry_run: bool, reason: str,
) -> None:
    """Add a node to the cluster, one at a time.

    It is sent the log as soon as its host has come in (vmsg node invite), and votes once it has
    caught up; until then it costs nobody anything.
    """
    request = AddNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node, address=address,
        raft_port=raft_port, api_port=api_port, witness=witness,
    )

    def sentence(_: dict[str, Any]) -> str:
        return f"Node {node} is in the cluster file. Let its host in with: vmsg node invite {node}"

    session.change(request, sentence)
