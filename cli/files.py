"""Files an operator hands in: read whole, or a Problem; checked here when no node answers."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from cli.problems import REFUSED, warn
from cli.session import QUESTION_S, Session, explained
from cluster.api.messages import AnyRequest, NamedText, Reply
from packages.core.problem import Problem, problem, refusals
from packages.core.values import plain

LARGEST_BYTES = 1 << 20
"""The same as the reader's own limit (cluster/config/load.py); what is larger is not sent."""

NOBODY_THERE = frozenset({
    "no-cluster", "no-quorum", "node-unreachable", "timed-out", "key-file-missing",
})
"""Why a file is checked here: there is no cluster yet, or none that answers."""


def read_files(session: Session, paths: Sequence[str]) -> tuple[NamedText, ...]:
    """Every file, or the end of the command with what is wrong with all of those that are not
    text at all."""
    texts, problems = [], []
    for path in paths:
        found = read_file(path)
        if isinstance(found, NamedText):
            texts.append(found)
        else:
            problems += found
    if problems:
        session.stop(problems)
    return tuple(texts)


def read_file(path: str) -> NamedText | list[Problem]:
    """`-` is standard input."""
    name = "standard input" if path == "-" else path
    try:
        raw = some_of(sys.stdin.buffer) if path == "-" else whole(Path(path))
    except OSError as error:
        return [problem(
            "file-unreadable", f"file:{name}", what=f"{name} cannot be read.",
            because=error.strerror or str(error), fix="Name a file that is there and readable.",
        )]
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or len(raw) > LARGEST_BYTES or "\0" in text:
        from cluster.config.load import load  # it words what is wrong
        return load(raw, source=name)[1]
    return NamedText(name=name, text=text)


def whole(path: Path) -> bytes:
    with path.open("rb") as file:
        return some_of(file)


def some_of(file: BinaryIO) -> bytes:
    """Enough to know that it is too large, of what may have no end."""
    return file.read(LARGEST_BYTES + 1)


def check(
    session: Session, request: AnyRequest, check_here: Callable[[], list[Problem]],
    also: Callable[[dict[str, Any]], list[str]] = lambda result: [],
) -> None:
    """The cluster's verdict on a file; this program's own where no node answers, and it says so.
    Only the cluster knows whether nodes, disks and other packages agree with it. `also` makes lines
    of what it tells beside."""
    answer = session.answer(request, deadline_s=session.waiting_s(QUESTION_S))
    by, result = "cluster", {}
    if isinstance(answer, Reply) and answer.verdict in ("done", "refused"):
        problems = list(answer.problems) if answer.verdict == "done" else explained(answer)
        result = answer.result if isinstance(answer.result, dict) else {}
    elif code_of(answer) in NOBODY_THERE:
        by, problems = "this-host", check_here()
        click.echo("No node answered, so only the file itself was checked.", err=True)
    else:
        problems = [answer] if isinstance(answer, Problem) else explained(answer)
        session.stop(problems)
    if refusals(problems):
        session.stop(problems, code=REFUSED)
    if session.output == "table":
        warn(problems)
    told = {key: result[key] for key in ("differences", "consequences") if key in result}
    tree = {"ok": True, "checked_by": by, "problems": [plain(each) for each in problems], **told}
    session.show(tree, lambda: [*also(result), "Nothing is wrong with it."])


def code_of(answer: Reply | Problem) -> str:
    return answer.code if isinstance(answer, Problem) else explained(answer)[0].code
