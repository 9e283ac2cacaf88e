"""The tree of commands is the tree of folders: `vmsg package run` is cli/package/run.py.

A command's file is imported when it is asked for and not before, because a `vmsg status` must not
pay for what the other forty commands need.
"""

import importlib
import os
from collections.abc import Sequence
from typing import Any

import click

from cli.options import Wishes, endpoint_option, output_of, output_option
from cli.output import Output
from cli.problems import show_problems, wrong_usage

TOP = (
    "status", "cluster", "node", "package", "move", "preflight", "plan", "events", "operator",
    "lab",
)


class Folder(click.Group):
    """A group whose commands are the files of one folder, each with a `command` in it."""

    def __init__(self, *, folder: str, names: Sequence[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._folder = folder
        self._names = tuple(names)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._names:
            return None
        name = cmd_name.replace("-", "_")
        found: click.Command = importlib.import_module(f"{self._folder}.{name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._names and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command {args[0]!r}.{self._nearest(args[0])}", ctx)
        return super().resolve_command(ctx, args)

    def _nearest(self, word: str) -> str:
        from difflib import get_close_matches  # only for the one who mistyped
        near = get_close_matches(word, self._names, 1)
        return f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(self._names)}."


@click.command(
    cls=Folder, folder="cli", names=TOP, name="vmsg",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@output_option
@endpoint_option
@click.version_option(package_name="vmsg", prog_name="vmsg")
@click.pass_context
def root(ctx: click.Context, output: Output | None, endpoint: str | None) -> None:
    """High availability for whole virtual machines.

    Any node answers for the whole cluster. Exit codes: 0 done, 1 tried and failed, 2 wrong usage,
    3 refused, 4 no cluster or no quorum, 5 timed out (it may still complete), 6 not authorised.
    """
    ctx.obj = Wishes(
        output=output or "table", endpoint=endpoint or os.environ.get("VMSG_ENDPOINT") or None,
    )


def run_command(args: Sequence[str]) -> int:
    """Carry out one command line; wrong usage is a Problem like any other."""
    try:
        return root.main(args=list(args), prog_name="vmsg", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "vmsg"
        usage = error.ctx.get_usage() if error.ctx else ""
        show_problems([wrong_usage(error.format_message(), usage, command)], output_of(args))
        return 2
    except click.Abort:
        return 130
