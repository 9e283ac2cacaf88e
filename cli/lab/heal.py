"""vmsg lab heal NODE."""

from collections.abc import Coroutine
from typing import Any

import click

from cli.lab.place import network_option, to_node
from cluster.lab import lab
from cluster.lab.plan import Network


@click.command()
@network_option
@to_node("connected again")
def command(
    folder: str, node: str, networks: tuple[Network, ...],
) -> Coroutine[Any, Any, Any]:
    """Put a node back on its networks."""
    return lab.heal(folder, node, networks) if networks else lab.heal(folder, node)
