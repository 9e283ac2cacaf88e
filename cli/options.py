"""Options that many commands share, each with one meaning everywhere."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, get_args

import click

from cli.output import Output
from cli.session import Session
from packages.core.values import Value

Command = Callable[..., Any]

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
LONGEST_S = 10 * 365 * UNITS_S["d"]
"""Ten years: who means longer means for ever, and leaves the option out."""


class Wishes(Value):
    """What was said before the command's name, as in `vmsg -o json status`."""

    output: Output = "table"
    endpoint: str | None = None


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """90s, 2h, 1d, 1h30m. A bare number is refused: what one means in seconds and another in
    minutes is not guessed at."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None,
    ) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip().lower().replace(" ", "")
        if re.fullmatch(r"\d+(\.\d+)?", text):
            self.fail(f"{value!r} has no unit; write for example {text}s or {text}m.", param, ctx)
        if not DURATION.fullmatch(text):
            self.fail(f"{value!r} is no duration; write for example 90s, 2h, 1d or 1h30m.",
                      param, ctx)
        seconds = sum(float(n) * UNITS_S[unit] for n, unit in DURATION_PART.findall(text))
        if not 0 < seconds <= LONGEST_S:
            self.fail(f"{value!r} is not between nothing and ten years.", param, ctx)
        return seconds


class Whole(click.ParamType):  # type: ignore[type-arg]  # as above
    """A whole number as files take it: plain digits, so that 0100 and 1_000 are not guessed at."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None,
    ) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"0|[1-9][0-9]{0,17}", str(value)):
            self.fail(f"{value!r} is no whole number in plain digits, such as 100.", param, ctx)
        return int(value)


output_option = click.option(
    "-o", "--output", type=click.Choice(get_args(Output)), default=None,
    help="What is printed: a table for people, or the same for programs.",
)
endpoint_option = click.option(
    "--endpoint", default=None, metavar="NODE",
    help="Ask this node: its name, address, socket or run folder (also VMSG_ENDPOINT).",
)
timeout_option = click.option(
    "--timeout", "timeout_s", type=Duration(), default=None,
    help="Give up waiting after so long; what was begun may still complete.",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Check everything, say what would be done, do nothing.",
)
reason_option = click.option(
    "--reason", default="", metavar="TEXT", help="Why; it stands in the history.",
)
for_option = click.option(
    "--for", "for_s", type=Duration(), default=None,
    help="For so long only; then it ends by itself.",
)


def asking(function: Command) -> Command:
    """For a command that asks the cluster: hands it a Session, closed at its end."""

    @output_option
    @endpoint_option
    @timeout_option
    @functools.wraps(function)
    def wrapped(
        *args: Any, output: Output | None, endpoint: str | None, timeout_s: float | None,
        **options: Any,
    ) -> Any:
        said = click.get_current_context().find_object(Wishes) or Wishes()
        session = Session(
            output=output or said.output, endpoint=endpoint or said.endpoint, timeout_s=timeout_s,
        )
        with session:
            return function(session, *args, **options)

    return wrapped


def changing(function: Command) -> Command:
    """For a command that changes something."""
    return asking(dry_run_option(reason_option(function)))


def asking_first(function: Command) -> Command:
    """For what cannot be taken back, or makes things worse: it asks, or wants --yes. Beneath
    `changing`, whose Session it tells."""

    @click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
    @functools.wraps(function)
    def wrapped(session: Session, *args: Any, yes: bool, **options: Any) -> Any:
        session.consent = "given" if yes else "asked for"
        return function(session, *args, **options)

    return wrapped


def leaving(function: Command) -> Command:
    """For what takes packages down with it: -f halts them first, -d leaves them running."""
    function = click.option(
        "-f", "--force", is_flag=True, help="Halt the packages first.",
    )(function)
    return click.option(
        "-d", "--detach", is_flag=True, help="Leave the packages running, unmonitored.",
    )(function)


def refuse_both(force: bool, detach: bool) -> None:
    if force and detach:
        raise click.UsageError("-f and -d exclude one another.", click.get_current_context())


def left_running(result: dict[str, Any]) -> str:
    """The end of a sentence about such a halt."""
    names = result.get("detached") or ()
    return f" Detached, and running on unmonitored: {', '.join(names)}." if names else ""


def output_of(args: Sequence[str]) -> Output:
    """The output asked for on a command line too wrong to be parsed."""
    found = re.search(r"(?:-o ?|--output[ =])(json|yaml)\b", " ".join(args))
    words: dict[str, Output] = {"json": "json", "yaml": "yaml"}
    return words[found[1]] if found else "table"
