"""vmsg lab kill NODE."""

from collections.abc import Coroutine
from typing import Any

import click

from cli.lab.place import to_node
from cluster.lab import lab


@click.command()
@to_node("killed")
def command(folder: str, node: str) -> Coroutine[Any, Any, Any]:
    """End every process of a node at once, as a power cut would."""
    return lab.kill(folder, node)
