"""vmsg plan: what would happen, in order, and why."""

import click

from cli.tree import Folder

NAMES = ("drain", "fail")


@click.command(cls=Folder, folder="cli.plan", names=NAMES)
def command() -> None:
    """What would happen, in order, and why; nothing is changed."""
