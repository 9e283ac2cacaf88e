"""vmsg node: joining, leaving and maintenance of one node."""

import click

from cli.tree import Folder

NAMES = (
    "list", "run", "halt", "drain", "leave", "resume", "unquarantine", "confirm-dead", "fence",
    "add", "remove", "invite", "join", "rotate", "rejoin",
)


@click.command(cls=Folder, folder="cli.node", names=NAMES)
def command() -> None:
    """Join, leave, and be emptied for maintenance."""
