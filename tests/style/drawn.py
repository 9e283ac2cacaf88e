"""The parts of the documentation that are drawn from the tables of the code.

`python tests/style/drawn.py` writes them anew; tests/style/test_documents.py holds the files
against them.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from cluster.core.moves import STAGES  # noqa: E402
from cluster.core.runs import LIFECYCLE  # noqa: E402
from packages.core.move_recovery import SOURCE  # noqa: E402
from packages.core.problem_catalogue import CATALOGUE  # noqa: E402
from tests.scenarios.pains.table import PAINS  # noqa: E402
from tests.scenarios.safety.cell import FAULTS, Cell, Nothing  # noqa: E402
from tests.scenarios.safety.table import PARTS  # noqa: E402
from tests.scenarios.threats.actor import Actor  # noqa: E402
from tests.scenarios.threats.table import ACTORS  # noqa: E402


def stages() -> str:
    rows = [f"| {stage} | `{entry}` | {after} |" for (stage, entry), after in STAGES.items()]
    return "\n".join(["| stage | entry | next stage |", "|---|---|---|", *rows])


def source() -> str:
    rows = [f"| {state} | {migration} | {step} |" for (state, migration), step in SOURCE.items()]
    return "\n".join(["| guest | its migration | goes on at |", "|---|---|---|", *rows])


def lifecycle() -> str:
    states = sorted({state for allowed in LIFECYCLE.values() for state in allowed})
    rows = [
        f"| {state} | " + ", ".join(
            f"`{entry}`" for entry, allowed in LIFECYCLE.items() if state in allowed) + " |"
        for state in states
    ]
    return "\n".join(["| state | accepts |", "|---|---|", *rows])


def problems() -> str:
    rows = [f"| `{code}` | {when} |" for code, when in sorted(CATALOGUE.items())]
    return "\n".join(["| code | when |", "|---|---|", *rows])


def pains() -> str:
    rows = []
    for number, pain in PAINS.items():
        here = f"{pain.here} *Open: {pain.still_open}*" if pain.still_open else pain.here
        tests = "<br>".join(_linked(each) for each in pain.shown_by)
        rows.append(f"| P{number} | {pain.title} | {here} | {tests} |")
    head = "| item | what operators suffer | what holds here | shown by |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def safety() -> str:
    return "\n\n".join("\n".join([
        f"### {part.name}", "", f"Trusts: {part.trusts}", "", f"Proves: {part.proves}", "",
        "| what if it | then | seen by | within | ended by | shown by |",
        "|---|---|---|---|---|---|",
        *(f"| {words} | {_answered(part.cells[fault])} |" for fault, words in FAULTS.items()),
    ]) for part in PARTS)


def _answered(cell: Cell | Nothing) -> str:
    if isinstance(cell, Nothing):
        return f"({cell.why}) | | | | "
    tests = "<br>".join(_linked(each) for each in cell.shown_by)
    return f"{cell.follows} | {cell.seen} | {cell.within} | {cell.ends} | {tests}"


def threats() -> str:
    return "\n\n".join(_actor(each) for each in ACTORS)


def _actor(actor: Actor) -> str:
    rows = [
        f"| {each.what} | {each.held_by} | {'<br>'.join(map(_linked, each.shown_by))} |"
        for each in actor.never]
    return "\n".join([
        f"### {actor.name}", "", f"May: {actor.may}", "",
        "| must never | what holds | shown by |", "|---|---|---|", *rows,
        *(["", f"Open: {actor.open}"] if actor.open else [])])


def _linked(test: str) -> str:
    """A test by its name, with the way to its file."""
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{path})"


DRAWN: dict[str, dict[str, Callable[[], str]]] = {
    "docs/moves.md": {"stages": stages, "source": source},
    "docs/packages.md": {"lifecycle": lifecycle},
    "docs/pains.md": {"pains": pains},
    "docs/problems.md": {"problems": problems},
    "docs/safety.md": {"safety": safety},
    "docs/security.md": {"threats": threats},
}


def redrawn(path: str) -> str:
    """The file's text with its drawn parts as the code has them now."""
    text = (ROOT / path).read_text()
    for name, draw in DRAWN[path].items():
        text = re.sub(
            rf"<!-- drawn: {name} -->\n.*?<!-- /drawn -->",
            lambda _: f"<!-- drawn: {name} -->\n{draw()}\n<!-- /drawn -->", text, flags=re.DOTALL,
        )
    return text


if __name__ == "__main__":
    for each in DRAWN:
        (ROOT / each).write_text(redrawn(each))
