"""vmsg plan drain NODE."""

import click

from cli.node.drain import PLAN_S, plan_lines
from cli.options import asking
from cli.session import Session
from cluster.api.messages import DrainNode


@click.command()
@asking
@click.argument("node")
@click.option(
    "--allow-restart", is_flag=True, help="Also what would be halted and started elsewhere.",
)
def command(session: Session, node: str, allow_restart: bool) -> None:
    """What vmsg node drain would do now: waves, targets, seconds, and the risk of each wave."""
    plan = session.ask(
        DrainNode(node=node, allow_restart=allow_restart, dry_run=True), deadline_s=PLAN_S).result
    session.show(plan, lambda: plan_lines(plan))
