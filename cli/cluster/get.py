"""vmsg cluster get."""

from typing import Any

import click

from cli.options import asking
from cli.session import Session
from cluster.api.messages import GetConfig
from packages.core.values import plain


@click.command()
@asking
def command(session: Session) -> None:
    """Print the cluster's configuration, ready to be changed and applied."""
    text = session.ask(GetConfig()).result["text"].rstrip("\n")
    if session.output == "json":
        session.show(tree_of(text), lambda: [])
    else:
        click.echo(text)


def tree_of(text: str) -> Any:
    """The configuration as a program wants it: every field, also those left at their default."""
    from cluster.config.cluster_file import cluster_from_text
    config, _ = cluster_from_text(text)
    return plain(config) if config is not None else {"text": text}
