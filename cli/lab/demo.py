"""vmsg lab demo."""

import click

from cli.lab.place import LabPlace, in_lab
from cli.options import dry_run_option
from cli.output import show
from cluster.lab.commands import check_machine
from cluster.lab.demo import Chapters, demo
from cluster.lab.plan import LabOptions
from packages.core.values import plain

DEMO_DIR = "/var/lib/vmsg-demo"
"""Beside the default lab, so that one that is up is not in the way."""


@click.command()
@in_lab
@dry_run_option
def command(place: LabPlace, dry_run: bool) -> None:
    """The whole story: a move, a node that dies, a drain.

    Takes less than a minute; needs root.
    """
    place.named = click.get_current_context().params["folder"] or DEMO_DIR
    place.refuse(check_machine())
    if dry_run:
        place.say(f"A lab would be made in {place.folder}, shown and removed.", dry_run=True)
        return
    outcome: Chapters = place.do(demo(LabOptions(dir=place.folder), tell))
    show(place.output, plain(outcome), lambda: [summary(outcome)])


def tell(line: str) -> None:
    """The story goes to standard error, so that -o json leaves the figures alone on the other."""
    click.echo(line, err=True)


def summary(outcome: Chapters) -> str:
    return (
        f"In short: a move with {outcome.move['freeze_ms']:.1f} ms of freeze, a failover in "
        f"{outcome.failover_s:.1f} s, a drain in {outcome.drain_s:.1f} s."
    )
