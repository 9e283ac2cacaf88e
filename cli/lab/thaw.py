"""vmsg lab thaw NODE."""

from collections.abc import Coroutine
from typing import Any

import click

from cli.lab.place import to_node
from cluster.lab import lab


@click.command()
@to_node("thawed")
def command(folder: str, node: str) -> Coroutine[Any, Any, Any]:
    """Let a hung node go on where it stopped."""
    return lab.thaw(folder, node)
