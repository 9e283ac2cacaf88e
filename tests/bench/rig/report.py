"""What a bench found: printed for whoever ran it, and written into docs/benchmarks.md.

Each bench owns the part of that page between its two markers and nothing else, so that any of
them can be run alone. The command that makes a table stands above it.
"""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks.md"

HEADER = """\
# Benchmarks

Each table is written by the command above it. Absolute numbers belong to the machine of that run;
what counts is the comparison of both sides within one run. `make bench` runs all of them.
"""

Row = Sequence[str]


def spread(values: Sequence[float], *, digits: int = 1) -> tuple[str, str]:
    """The median, and the smallest and largest value."""
    if not values:
        return "-", "-"
    return (f"{statistics.median(values):.{digits}f}",
            f"{min(values):.{digits}f} to {max(values):.{digits}f}")


def verdict(holds: bool) -> str:
    return "held" if holds else "**missed**"


def publish(name: str, title: str, told: Sequence[str], head: Row, rows: Sequence[Row]) -> None:
    """Print the table, and put it with the sentences `told` in its place on the page."""
    table = _table(head, rows)
    print(f"\n{title}\n\n{table}\n")
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    machine = (f"{os.cpu_count()} cores, Linux {platform.release()}, "
               f"Python {platform.python_version()}")
    section = "\n".join([
        f"<!-- {name} -->", f"## {title}", "", f"    make bench BENCH={name}", "", *told, "",
        table, "", f"{now}, {machine}, load {os.getloadavg()[0]:.1f}{_priority()}.",
        f"<!-- /{name} -->",
    ])
    page = PAGE.read_text() if PAGE.exists() else HEADER
    place = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if place.search(page):
        page = place.sub(lambda _: section, page)
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    PAGE.write_text(page)


def _priority() -> str:
    """Said, because it flatters: a machine shared with other work is measured under `chrt -r`."""
    if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO):
        return "; all of it with real-time priority (chrt -r), beside other work on the machine"
    return ""


def _table(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    wide = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, wide)) + " |"
        for line in lines
    )
