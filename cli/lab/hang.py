"""vmsg lab hang NODE."""

from collections.abc import Coroutine
from typing import Any

import click

from cli.lab.place import to_node
from cluster.lab import lab


@click.command()
@to_node("hung")
def command(folder: str, node: str) -> Coroutine[Any, Any, Any]:
    """Stop every process of a node where it is, guests included."""
    return lab.hang(folder, node)
