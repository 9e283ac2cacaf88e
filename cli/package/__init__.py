"""vmsg package: virtual machines, what they are and whether they run."""

import click

from cli.tree import Folder

NAMES = (
    "check", "apply", "get", "delete", "run", "halt", "enable", "disable", "maintenance",
    "resize-disk",
)


@click.command(cls=Folder, folder="cli.package", names=NAMES)
def command() -> None:
    """Virtual machines: describe, start, stop, switch on and off."""
