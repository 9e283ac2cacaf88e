"""What the lab's commands share: its folder, doing something to it, and saying so."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import click

from cli.options import Command, Wishes, dry_run_option, output_option
from cli.output import Output
from cli.problems import REFUSED, stop
from cli.session import INTERRUPTED
from cluster.lab import lab
from cluster.lab.plan import DEFAULT_DIR, Network
from packages.core.problem import Problem


class LabPlace:
    """The lab a command is about."""

    def __init__(self, *, folder: str | None, output: Output) -> None:
        self.folder = folder or str(lab.current() or DEFAULT_DIR)
        self.output = output

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it; a Problem ends the command. Ctrl-C cancels it, and what it made is removed."""
        try:
            outcome = asyncio.run(work)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        if isinstance(outcome, Problem):
            stop([outcome], self.output)
        return outcome

    def refuse(self, faults: list[Problem]) -> None:
        """End the command when there are any. That root is needed takes one line."""
        if self.output == "table" and [each.code for each in faults] == ["needs-root"]:
            click.echo(f"needs-root: {faults[0].what}: {faults[0].fix}", err=True)
            raise click.exceptions.Exit(REFUSED)
        if faults:
            stop(faults, self.output)

    def say(self, sentence: str, **facts: Any) -> None:
        """What was done: a sentence, or the facts for a program."""
        from cli.output import show
        show(self.output, {"dir": self.folder, **facts}, lambda: [sentence])


def in_lab(function: Command) -> Command:
    """Hands a command its LabPlace."""

    @output_option
    @click.option("--dir", "folder", default=None, help="Of another lab than the one in use.")
    @functools.wraps(function)
    def wrapped(*args: Any, output: Output | None, folder: str | None, **options: Any) -> Any:
        said = click.get_current_context().find_object(Wishes) or Wishes()
        return function(
            LabPlace(folder=folder, output=output or said.output), *args, **options,
        )

    return wrapped


def to_node(done: str) -> Callable[[Callable[..., Any]], Command]:
    """For commands that do one thing to one node; `done` is its participle."""

    def wrap(function: Callable[..., Any]) -> Command:
        @in_lab
        @click.argument("node")
        @dry_run_option
        @functools.wraps(function)
        def wrapped(place: LabPlace, node: str, dry_run: bool, **options: Any) -> None:
            if dry_run:
                found = lab.find(place.folder, node)
                if isinstance(found, Problem):
                    stop([found], place.output)
                place.say(f"Node {node} would be {done}.", node=node, dry_run=True)
                return
            place.do(function(place.folder, node, **options))
            place.say(f"Node {node} was {done}.", node=node, done=done)

        return wrapped

    return wrap


def network_option(function: Command) -> Command:
    networks: tuple[Network, ...] = ("cluster", "migration", "storage")
    return click.option(
        "--network", "networks", type=click.Choice(networks), multiple=True,
        help="This network only; may be given again.",
    )(function)
