"""vmsg lab start NODE."""

from collections.abc import Coroutine
from typing import Any

import click

from cli.lab.place import to_node
from cluster.lab import lab


@click.command()
@to_node("started")
def command(folder: str, node: str) -> Coroutine[Any, Any, Any]:
    """Power a killed node on again."""
    return lab.start(folder, node)
