"""vmsg operator: who may ask the cluster, and what."""

import click

from cli.tree import Folder

NAMES = ("list", "add", "remove")


@click.command(cls=Folder, folder="cli.operator", names=NAMES)
def command() -> None:
    """Keys of people and programs that may speak to the cluster."""
