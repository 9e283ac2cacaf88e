"""What the lab's commands share: its folder, doing something to it, and saying so."""

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from cli.options import Command, Wishes, dry_run_option, output_option
from cli.output import Output
from cli.problems import REFUSED, stop
from cli.session import INTERRUPTED
from cluster.lab import choice, lab
from cluster.lab.plan import DEFAULT_DIR, Network
from packages.core.problem import Problem, problem


class LabPlace:
    """The lab a command is about."""

    def __init__(self, *, folder: str | None, output: Output) -> None:
        self.named = folder or str(choice.named(os.environ) or "")
        """By --dir or VMSG_LAB."""
        self.output = output

    @property
    def folder(self) -> str:
        """Nothing is guessed where this user has several."""
        if not self.named:
            found = choice.the_only_one(os.environ)
            if isinstance(found, Problem):
                stop([found], self.output)
            if found is None and Path(DEFAULT_DIR, "lab.json").exists():
                stop([somebody_elses(DEFAULT_DIR)], self.output)
            self.named = str(found or DEFAULT_DIR)
        return self.named

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


def somebody_elses(folder: str) -> Problem:
    return problem(
        "lab-not-up", f"lab:{folder}", what="No lab of yours is up.",
        because=f"The one in {folder} is another user's.",
        fix=f"If that one is meant, name it with --dir {folder}",
    )


def in_lab(function: Command) -> Command:
    """Hands a command its LabPlace."""

    @output_option
    @click.option("--dir", "folder", default=None,
                  help="Of the lab; without it VMSG_LAB's, else the only one of yours.")
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
