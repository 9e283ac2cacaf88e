"""vmsg node invite NODE."""

from typing import Any, get_args

import click

from cli.options import Duration, changing
from cli.session import Session
from cluster.api.messages import InviteNode
from cluster.config.schema import Role

INVITED_S = 3600.0
"""Long enough to set a host up; a line that lies about longer is a key that lies about."""


@click.command()
@changing
@click.argument("node")
@click.option(
    "--for", "for_s", type=Duration(), default=INVITED_S, show_default="1h",
    help="How long the line may be used.",
)
@click.option(
    "--role", type=click.Choice(get_args(Role)), default="full-admin", show_default=True,
    help="What the operator's key made on the new host may ask of the cluster.",
)
def command(
    session: Session, node: str, for_s: float, role: Role, dry_run: bool, reason: str,
) -> None:
    """Let a host become a node: prints the one line it joins with, good for one host, once."""
    from cluster.config.joining import Door, JoinLine, line_text
    from cluster.sockets import make_keys
    keys = make_keys()  # its secret half is nowhere but in the line
    request = InviteNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node, key=keys.public,
        role=role, for_s=for_s,
    )
    if dry_run:
        session.change(request, lambda result: "")
        return
    result = session.ask(request).result
    line = line_text(JoinLine(
        cluster=result["cluster"], node=node, until_ms=result["until_ms"], secret=keys.secret,
        doors=tuple(Door(**each) for each in result["doors"]),
    ))
    tree = {
        "node": node, "until": result["until"], "command": "vmsg node join -", "line": line}
    session.show(tree, lambda: lines(session, tree))


def lines(session: Session, tree: dict[str, Any]) -> list[str]:
    """The line alone goes to standard output, for whoever pipes it: it is a secret, and does not
    belong on a command line."""
    click.echo(
        f"For the host of {tree['node']}, until {tree['until']}: as root there, type "
        "vmsg node join, and paste this line when it asks:", err=True)
    return [tree["line"]]
