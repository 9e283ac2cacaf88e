"""vmsg lab up."""

from typing import Any, get_args

import click

from cli.lab.place import LabPlace, in_lab
from cli.lab.table import lab_lines
from cli.live import progress
from cli.options import Duration, Whole, dry_run_option
from cli.output import show
from cluster.lab import lab
from cluster.lab.commands import check_machine
from cluster.lab.plan import DEFAULT_DIR, GuestKind, LabOptions, check_options
from packages.core.model import Accelerator

DEFAULTS = LabOptions()


@click.command()
@in_lab
@click.option("--nodes", type=Whole(), default=DEFAULTS.nodes, show_default=True)
@click.option("--packages", type=Whole(), default=DEFAULTS.packages, show_default=True)
@click.option("--memory-mib", type=Whole(), default=DEFAULTS.memory_mib, show_default=True)
@click.option("--disk-mib", type=Whole(), default=DEFAULTS.disk_mib, show_default=True)
@click.option("--guest", type=click.Choice(get_args(GuestKind)), default=DEFAULTS.guest,
              show_default=True, help="A small guest that boots at once, or Debian's kernel.")
@click.option("--accel", type=click.Choice(get_args(Accelerator)), default=DEFAULTS.accel,
              show_default=True, help="What runs the guests; auto tries KVM with a real start.")
@click.option("--profile", type=click.Choice(["lan", "fast", "wan"]), default=DEFAULTS.profile,
              show_default=True, help="How soon a silent node is taken for dead.")
@click.option("--witness", is_flag=True, help="One more node, which votes and runs nothing.")
@click.option("--watchdog", "watchdog_s", type=Duration(), default=DEFAULTS.watchdog_s,
              show_default="none", help="A node that hangs for so long loses its power.")
@dry_run_option
def command(place: LabPlace, dry_run: bool, **chosen: Any) -> None:
    """Make a cluster on this machine; needs root.

    Each node is a network namespace with its own daemon; the guests are real. Ends when they
    answer.
    """
    folder = place.named = place.named or DEFAULT_DIR
    options = LabOptions(dir=folder, **chosen)
    place.refuse(check_options(options) or check_machine())
    if dry_run:
        place.say(
            f"A lab of {options.nodes} nodes and {options.packages} packages would be made "
            f"in {folder}.", nodes=options.nodes, packages=options.packages, dry_run=True,
        )
        return
    with progress() as screen:
        record = place.do(lab.up(options, lambda line: screen.draw([line])))
    shown = record.shown()
    show(place.output, shown, lambda: lab_lines(shown))
