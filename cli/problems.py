"""How a command fails: Problems for a person on standard error, for a program on standard output.

Exit codes are a contract: 0 done, 1 tried and failed, 2 wrong usage, 3 refused, 4 no cluster or no
quorum, 5 timed out, 6 not authorised.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

import click

from cli.output import Output, painted, written
from packages.core.problem import Problem, problem
from packages.core.values import plain

REFUSED, TIMED_OUT = 3, 5

EXIT_OF_VERDICT = {
    "done": 0, "failed": 1, "refused": REFUSED, "no-quorum": 4, "timed-out": 5,
    "not-authorised": 6,
}
EXIT_OF_CODE = {
    "wrong-usage": 2, "no-cluster": 4, "no-quorum": 4, "node-unreachable": 4, "timed-out": 5,
    "answer-lost": 5, "not-authorised": 6, "bad-reply": 1, "internal-error": 1, "move-failed": 1,
    "move-aborted": 1, "roll-stopped": 1, "package-start-failed": 1, "lab-failed": 1,
}
"""For Problems that did not come with a verdict; any other of them is a refusal."""


def exit_code(problems: Sequence[Problem]) -> int:
    """The first counts: it is the one that ended the command."""
    return EXIT_OF_CODE.get(problems[0].code, REFUSED) if problems else 1


def stop(problems: Sequence[Problem], output: Output, *, code: int | None = None) -> NoReturn:
    """End the command with these Problems."""
    show_problems(problems, output)
    raise click.exceptions.Exit(exit_code(problems) if code is None else code)


def show_problems(problems: Sequence[Problem], output: Output) -> None:
    if output == "table":
        warn(problems)
    else:
        click.echo(written(output, {"problems": [plain(each) for each in problems]}))


def warn(problems: Iterable[Problem]) -> None:
    """Say them beside what is printed, where they spoil no program's input."""
    for each in problems:
        for line in lines_of(each):
            click.echo(line, err=True)


def lines_of(each: Problem) -> list[str]:
    word, colour = ("refused", "red") if each.severity == "refuse" else ("warning", "yellow")
    if EXIT_OF_CODE.get(each.code, REFUSED) != REFUSED:
        word = "error"
    return [
        f"{painted(word, fg=colour, bold=True)} {each.code} ({each.subject})",
        f"  {each.what}",
        *(f"  {name}: {text}" for name, text in (("because", each.because), ("fix", each.fix))
          if text),
    ]


def wrong_usage(message: str, usage: str, command: str) -> Problem:
    return problem(
        "wrong-usage", f"command:{command}", what=message,
        because=" ".join(usage.split()).replace("Usage:", "Its usage is:"), fix=f"{command} --help",
    )


SECRET_FROM = 32
"""Characters without a blank: a key, a token or a line that lets somebody in has more, names and
numbers have fewer."""

PATH = re.compile(r"(--[\w-]+=)?(\w+:/|\.{0,2})(/[\w.:@,~-]{,39})+")
"""What is long and no secret. A key has slashes too, but also signs that no path of ours has, or,
in Base64, nothing but one long part."""


def withheld(args: Sequence[str]) -> list[str]:
    """What of a command line is not to be kept: it may be a secret."""
    values = (part for word in args for part in (word, word.partition("=")[2]))
    return sorted(
        {each for each in values if len(each) >= SECRET_FROM
         and not re.search(r"\s", each) and not PATH.fullmatch(each)},
        key=len)


def without(text: str, secrets: Iterable[str]) -> str:
    for each in secrets:
        text = text.replace(each, f"({len(each)} characters)")
        text = text.replace(ascii(each)[1:-1], f"({len(each)} characters)")
    return text


def report_bug(error: Exception, args: Sequence[str]) -> int:
    """Tell a person of a bug without its inside; the traceback goes to a file of its own, which is
    to be sent to others and therefore holds no secret of the command line."""
    import tempfile  # for bugs alone
    import traceback
    secrets = withheld(args)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="vmsg-error-", suffix=".txt", delete=False,
        ) as file:
            told = "".join(traceback.format_exception(error))
            file.write(without(f"vmsg {' '.join(args)}\n{told}", secrets))
        details = f"The details are in {file.name}; please report them."
    except OSError as trouble:
        details = f"The details could not be written to a file: {trouble}"
    bug = problem(
        "internal-error", "command:vmsg", what="This command failed because of a bug.",
        because=without(f"{type(error).__name__}: {error}", secrets)[:500], fix=details,
    )
    with contextlib.suppress(OSError):  # nobody is there to be told
        warn([bug])
    return 1
