"""vmsg node confirm-dead NODE --reason TEXT."""

from typing import Any

import click

from cli.options import asking_first, changing
from cli.session import Session
from cluster.api.messages import ConfirmDead
from packages.core.values import changed

WAIT_S = 90.0
"""Longer than a node itself waits, which then says so."""


@click.command()
@changing
@asking_first
@click.argument("node")
@click.option(
    "--wait/--no-wait", default=True,
    help="Wait until the node counts as dead (the default), or not.",
)
@click.option(
    "--now", is_flag=True,
    help="Do not wait for the end of its lease: its guests may run twice until then.",
)
def command(
    session: Session, node: str, wait: bool, now: bool, dry_run: bool, reason: str,
) -> None:
    """Say that a silent node is off, so that its packages may start elsewhere.

    Your word is recorded at once, and counts when the last lease that the node may hold is over:
    a node that is merely cut off has frozen its guests by then. It takes seconds at most, goes on
    without this command, and is taken back if the node is heard meanwhile. Refused while the node
    is heard, and without a --reason. Look first all the same: a host that hangs, and goes on
    later, is not stopped by that.
    """
    if not reason:
        raise click.UsageError(
            "Say with --reason how you know that it is off.", click.get_current_context())
    request = ConfirmDead(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node, now=now, wait=False)
    if dry_run or now or not wait:
        session.change(request, said)
        return
    left_s = session.ask(request).result["waits_s"]
    if left_s > 0:
        click.echo(
            f"{node} counts as dead when its lease is over, in {left_s:.1f} s at the latest. "
            "Waiting; it goes on without this command.", err=True)
    session.change(changed(request, wait=True), said, deadline_s=WAIT_S)


def said(result: dict[str, Any]) -> str:
    if result.get("waits_s"):
        return (f"Node {result['node']} counts as dead when its lease is over, in "
                f"{result['waits_s']:.1f} s at the latest.")
    return f"Node {result['node']} counts as dead; its packages start elsewhere."
