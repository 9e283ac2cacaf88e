"""vmsg lab: a whole cluster on this one machine, and what may befall its nodes."""

import click

from cli.tree import Folder

NAMES = ("up", "status", "down", "kill", "start", "hang", "thaw", "cut", "heal", "demo")


@click.command(cls=Folder, folder="cli.lab", names=NAMES)
def command() -> None:
    """A whole cluster on this machine, with real guests."""
