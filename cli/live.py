"""Something that is shown again and again: redrawn in place on a terminal, written out elsewhere.

The only file that knows rich, which takes longer to load than a whole `vmsg status`: it is loaded
when something is really redrawn.
"""

import os
import sys
from contextlib import AbstractContextManager
from typing import Protocol, Self, TextIO

import click


class Screen(Protocol):
    def draw(self, lines: list[str]) -> None:
        """Show these instead of those shown before."""


class Redrawn:
    """On a terminal; the cursor stays where the picture began."""

    def __init__(self, file: TextIO, *, stays: bool) -> None:
        from rich.console import Console
        from rich.live import Live
        self._live = Live(
            console=Console(file=file, highlight=False), auto_refresh=False, transient=not stays,
            vertical_overflow="crop", redirect_stdout=False, redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def draw(self, lines: list[str]) -> None:
        from rich.text import Text
        self._live.update(Text.from_ansi("\n".join(lines)), refresh=True)


class Written:
    """In a pipe or a log: what is drawn follows what was drawn before, once."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._before: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def draw(self, lines: list[str]) -> None:
        if lines != self._before:
            self._before = lines
            for each in lines:
                click.echo(each, file=self._file)
            self._file.flush()


def picture(*, whole: bool) -> AbstractContextManager[Screen]:
    """On standard output, and it stays; `whole` is False for what programs read."""
    return Redrawn(sys.stdout, stays=True) if whole and sys.stdout.isatty() and not is_dumb() \
        else Written(sys.stdout)


def progress() -> AbstractContextManager[Screen]:
    """On standard error, gone when it is over."""
    return Redrawn(sys.stderr, stays=False) if is_shown_live() else Written(sys.stderr)


def is_shown_live() -> bool:
    """Whether somebody watches the progress; else only what has changed is told."""
    return sys.stderr.isatty() and not is_dumb()


def is_dumb() -> bool:
    """A terminal without a cursor that could go back."""
    return os.environ.get("TERM") == "dumb"
