"""vmsg cluster check FILE."""

import click

from cli.cluster.apply import difference_lines
from cli.files import check, read_files
from cli.options import asking
from cli.session import Session
from cluster.api.messages import CheckCluster
from packages.core.problem import Problem


@click.command()
@asking
@click.argument("file")
def command(session: Session, file: str) -> None:
    """Say what is wrong with a cluster file; change nothing."""
    [read] = read_files(session, [file])

    def check_here() -> list[Problem]:
        from cluster.config.cluster_file import cluster_from_text
        return cluster_from_text(read.text, source=read.name)[1]

    check(session, CheckCluster(text=read.text, source=read.name), check_here, difference_lines)
