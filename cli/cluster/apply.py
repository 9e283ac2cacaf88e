"""vmsg cluster apply FILE."""

from typing import Any

import click

from cli.files import read_files
from cli.options import asking_first, changing
from cli.session import CHANGE_S, Session, would
from cluster.api.messages import ApplyCluster


@click.command()
@changing
@asking_first
@click.argument("file")
def command(session: Session, file: str, dry_run: bool, reason: str) -> None:
    """Check a cluster file and bring it to every node.

    Says what becomes different. What changes who finds the cluster, or what it survives, is asked
    about, or wants --yes.
    """
    [read] = read_files(session, [file])
    request = ApplyCluster(
        request=session.request_id, dry_run=dry_run, reason=reason, text=read.text,
        source=read.name,
    )
    result = session.ask(request, deadline_s=CHANGE_S)
    tree = {"request": result.request, "verdict": result.verdict, "dry_run": dry_run,
            **result.result}
    session.show(tree, lambda: [
        *difference_lines(result.result),
        *(would(result.result) if dry_run else ["The configuration was applied on every node."])])


def difference_lines(result: dict[str, Any]) -> list[str]:
    """What is, or would be, another way than it was."""
    found = result.get("differences")
    if found is None:
        return []  # a node of the version before does not tell
    return [f"  {each}" for each in found] if found else ["Nothing in it is another way."]
