"""vmsg cluster: the configuration, and the cluster's life."""

import click

from cli.tree import Folder

NAMES = ("check", "apply", "get", "init", "run", "halt", "roll", "backup", "restore")


@click.command(cls=Folder, folder="cli.cluster", names=NAMES)
def command() -> None:
    """The configuration, and starting and stopping everything."""
