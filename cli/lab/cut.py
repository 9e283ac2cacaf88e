"""vmsg lab cut NODE."""

from collections.abc import Coroutine
from typing import Any

import click

from cli.lab.place import network_option, to_node
from cluster.lab import lab
from cluster.lab.plan import Network


@click.command()
@network_option
@to_node("cut off")
def command(
    folder: str, node: str, networks: tuple[Network, ...],
) -> Coroutine[Any, Any, Any]:
    """Take a node off its networks.

    Without --network: off cluster and migration.
    """
    return lab.cut(folder, node, networks) if networks else lab.cut(folder, node)
