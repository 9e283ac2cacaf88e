"""vmsg lab down."""

import click

from cli.lab.place import LabPlace, in_lab
from cli.options import dry_run_option
from cluster.lab import lab


@click.command()
@in_lab
@dry_run_option
def command(place: LabPlace, dry_run: bool) -> None:
    """Remove all that `up` made, and nothing else.

    Also after an `up` that ended half way.
    """
    if dry_run:
        place.say(f"The lab in {place.folder} would be removed.", dry_run=True)
        return
    place.do(lab.down(place.folder))
    place.say(f"The lab is gone: {place.folder}", removed=True)
