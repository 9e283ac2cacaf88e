"""What goes to standard output: the same tree as a table for people, as JSON or as YAML.

Colour is for a terminal alone: click takes it out everywhere else.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import click

Output = Literal["table", "json", "yaml"]
Lines = Callable[[], Iterable[str]]

GAP = "  "

COLOURS = {
    "up": "green", "running": "green", "yes": "green", "completed": "green", "active": "green",
    "enabled": "green",
    "twice": "red", "nowhere": "red", "misplaced": "red", "stuck": "red",
    "down": "red", "failed": "red", "no": "red", "refuse": "red",
    "unknown": "yellow", "starting": "yellow", "halting": "yellow", "failing": "yellow",
    "relocate_wait": "yellow", "maintenance": "yellow", "draining": "yellow", "warn": "yellow",
    "suspended": "yellow", "detached": "yellow", "aborted": "yellow", "disabled": "yellow",
    "off": "yellow", "quarantined": "yellow",
}


def show(output: Output, tree: Any, lines: Lines) -> None:
    """Print `tree`, or for people the lines that say the same."""
    if output == "table":
        for line in lines():
            click.echo(line)
    else:
        click.echo(written(output, tree))


def written(output: Output, tree: Any) -> str:
    if output == "json":
        return as_json(tree, indent=2)
    from cluster.config.load import dump  # YAML takes longer to load than a status may
    return dump(tree).rstrip("\n")


def as_json(tree: Any, *, indent: int | None = None) -> str:
    import json  # not needed for a table
    return json.dumps(tree, indent=indent, ensure_ascii=False)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0,
    widths: Sequence[int] = (),
) -> list[str]:
    """Columns beside one another; `widths` are the least ones, where tables are to line up."""
    least = [*widths, *(0 for _ in head[len(widths):])]
    wide = [
        max(least[place], len(title), *(len(row[place]) for row in rows))
        for place, title in enumerate(head)
    ] if rows else [max(*pair) for pair in zip(least, map(len, head), strict=True)]
    return [" " * indent + line(head, wide)] + [" " * indent + line(row, wide) for row in rows]


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One row; words that say how something stands get their colour after they got their width."""
    shown = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    shown[-1] = cells[-1]
    return GAP.join(
        text.replace(cell, coloured(cell), 1) if cell in COLOURS else text
        for cell, text in zip(cells, shown, strict=True)
    ).rstrip()


def coloured(word: str) -> str:
    return painted(word, fg=COLOURS[word]) if word in COLOURS else word


def painted(text: str, **style: Any) -> str:
    """With colour, unless the environment says that it is not wanted or cannot be shown."""
    return text if is_plain() else click.style(text, **style)


def is_plain() -> bool:
    """https://no-color.org, and a terminal that can do nothing but write on."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


SPANS = (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1))


def size(number: float) -> str:
    """Bytes for people: 131 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def span(milliseconds: float) -> str:
    """Milliseconds for people: 41 ms, 2.8 s, 3 min 10 s, 2 h."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    for unit, smaller, whole, part in SPANS:
        if seconds >= whole:
            rest = int(seconds % whole // part)
            return f"{int(seconds // whole)} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds:.0f} s"
