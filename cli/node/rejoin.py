"""vmsg node rejoin NODE."""

import os
from pathlib import Path

import click

from cli.options import changing
from cli.session import Session
from cluster.api.find import SOCKET, find_others
from cluster.api.messages import RejoinNode
from packages.core.problem import Problem

REJOIN_S = 20.0
"""An agreement of the others, at worst during an election."""


@click.command()
@changing
@click.argument("node")
def command(session: Session, node: str, dry_run: bool, reason: str) -> None:
    """On the node's own host, its daemon stopped: begin again without the damaged journal.

    Refused unless the others have a majority without it. The old folder is kept beside the new one.
    The node follows until it has everything they had agreed upon; only then does it count again.
    """
    from cluster import rejoining
    from cluster.raft.amnesia import Note
    found = find_others(node, session.endpoint, os.environ)
    if isinstance(found, Problem):
        session.stop([found])
    raft = Path(found.lib, "raft")
    locked = rejoining.lock(raft, node, Path(found.run, SOCKET))
    if isinstance(locked, Problem):
        session.stop([locked])
    session.connect(found.access.endpoints, found.access.keys)
    request = RejoinNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node,
    )
    if dry_run:
        session.change(request, lambda result: "")
        return
    # Asked only now: what the others agree upon from here on, the old life never had.
    result = session.ask(request, deadline_s=REJOIN_S).result
    aside = rejoining.begin_again(
        raft, node, note=Note(index=result["index"], boot=result["boot"]),
        stamp=session.request_id, etc=Path(found.etc),
    )
    if isinstance(aside, Problem):
        session.stop([aside])
    tree = {"node": node, "set_aside": str(aside) if aside is not None else None,
            "entry": result["index"]}
    kept = f"The old folder is {aside}." if aside is not None else "There was no old folder."
    session.show(tree, lambda: [
        f"{kept} Start the daemon: systemctl start vmsgd",
        f"{node} counts again when it has entry {result['index']}; look at: vmsg node list",
    ])
