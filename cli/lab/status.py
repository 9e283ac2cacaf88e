"""vmsg lab status."""

import click

from cli.lab.place import LabPlace, in_lab
from cli.lab.table import lab_lines
from cli.output import show
from cli.problems import stop
from cluster.lab import lab
from packages.core.problem import Problem


@click.command()
@in_lab
def command(place: LabPlace) -> None:
    """The lab that is up: its nodes, processes and guests."""
    record = lab.shown(place.folder)
    if isinstance(record, Problem):
        stop([record], place.output)
    shown = record.shown()
    show(place.output, shown, lambda: lab_lines(shown))
