"""vmsg node leave NODE | --at-shutdown."""

import os
from typing import Any

import click

from cli.host_jobs import goes_down
from cli.options import changing
from cli.session import Session
from cluster.api.find import find_own
from cluster.api.messages import LeaveNode
from packages.core.problem import Problem

LEAVE_S = 100.0
"""Beneath the 120 s that the unit has for its stop (docs/maintenance.md)."""
ANSWER_S = 3.0
"""Of that time, for the answer itself."""


@click.command()
@changing
@click.argument("node", required=False)
@click.option(
    "--at-shutdown", is_flag=True,
    help="For the daemon's unit: this host's own node, by the node's key, and only while systemd "
         "takes the host down.",
)
def command(
    session: Session, node: str | None, at_shutdown: bool, dry_run: bool, reason: str,
) -> None:
    """Empty and halt a node whose host goes down, until its next boot.

    What may move is moved online; what cannot, or is not to (shutdown_policy), is shut down in
    order and started elsewhere. The node comes back by itself when its host has booted; a halt or
    maintenance of yours stands as it was. It ends when the host may go down, within --timeout
    (100 s).
    """
    if bool(node) == at_shutdown:
        raise click.UsageError(
            "Name a node, or say --at-shutdown, and not both.", click.get_current_context())
    if at_shutdown:
        if not goes_down():
            told = "This host does not go down: nothing was done."
            session.show({"already": told}, lambda: [told])
            return
        own = find_own(os.environ)
        if isinstance(own, Problem):
            session.stop([own])
        session.connect(own.endpoints, own.keys)
        node = own.endpoints[0].node
    within_s = session.waiting_s(LEAVE_S)
    request = LeaveNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node or "",
        within_s=max(0.0, within_s - ANSWER_S), host_ends=at_shutdown,
    )
    session.change(request, said, deadline_s=LEAVE_S)


def said(result: dict[str, Any]) -> str:
    if result["state"] != "halted":
        return f"Node {result['node']} leaves no more: it is {result['state']}."
    return f"Node {result['node']} is halted, and comes back by itself at its next boot."
