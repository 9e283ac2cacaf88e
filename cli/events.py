"""vmsg events."""

from collections.abc import Iterator
from typing import Any

import click

from cli.options import Duration, asking
from cli.output import Output, as_json, written
from cli.problems import EXIT_OF_VERDICT, TIMED_OUT, warn
from cli.session import QUESTION_S, Session, explained
from cluster.api.messages import GetEvents, Reply
from packages.core.problem import Problem
from packages.core.values import changed

PAGE = 1000
LATEST = 10
"""What --follow begins with, as `tail -f` does; with --since or --request all of it is wanted."""
WAIT_S = 20.0
"""How long a node holds its answer until there is something new; then it is asked again."""

RETRY_S = 1.0


@click.command()
@asking
@click.option("-f", "--follow", is_flag=True, help="The last ten, then what happens, until Ctrl-C.")
@click.option("--package", default=None, help="Of this package only.")
@click.option("--node", default=None, help="Of this node only.")
@click.option("--since", "since_s", type=Duration(), default=None, help="From so long ago on.")
@click.option("--request", "of_request", default=None, metavar="ID", help="What came of a request.")
def command(
    session: Session, follow: bool, package: str | None, node: str | None,
    since_s: float | None, of_request: str | None,
) -> None:
    """The history: what changed, and because of what."""
    asked = GetEvents(
        package=package, node=node, of_request=of_request, since_ms=since_ms(since_s), limit=PAGE,
    )
    if follow:
        if since_s is None and of_request is None:
            asked = changed(asked, limit=LATEST)
        try:
            go_on(session, asked)
        except KeyboardInterrupt:
            return
    for event in told(session, asked):
        write(session.output, event)


def since_ms(since_s: float | None) -> int | None:
    if since_s is None:
        return None
    from cluster.clock import HostClock  # no other question needs the time
    return HostClock().wall_ms() - int(since_s * 1000)


def told(session: Session, asked: GetEvents) -> Iterator[dict[str, Any]]:
    """All there are now, a page at a time."""
    while True:
        result = session.ask(asked).result
        yield from result["events"]
        if len(result["events"]) < PAGE:
            return
        asked = changed(asked, after=result["next"])


def go_on(session: Session, asked: GetEvents) -> None:
    """For ever, or as long as --timeout says; a cluster that is away is told of once, and asked
    until it is back."""
    was_away = False
    while not session.is_late:
        answer = session.answer(asked, deadline_s=QUESTION_S + asked.wait_s)
        if isinstance(answer, Reply) and answer.verdict == "done":
            was_away = False
            for event in answer.result["events"]:
                write(session.output, event)
            asked = changed(
                asked, after=answer.result["next"], wait_s=session.at_most_s(WAIT_S), limit=PAGE)
            continue
        if isinstance(answer, Reply) and answer.verdict not in ("no-quorum", "timed-out"):
            session.stop(explained(answer), code=EXIT_OF_VERDICT[answer.verdict])
        if isinstance(answer, Problem) and answer.code == "not-authorised":
            session.stop([answer])
        if not was_away:
            warn([answer] if isinstance(answer, Problem) else explained(answer))
            was_away = True
        session.pause(RETRY_S)
    raise click.exceptions.Exit(TIMED_OUT)


def write(output: Output, event: dict[str, Any]) -> None:
    """One line an event, written at once, for whoever reads it in a pipe."""
    if output == "json":
        click.echo(as_json(event))
    elif output == "yaml":
        click.echo(written(output, [event]))
    else:
        click.echo(sentence(event))


def sentence(event: dict[str, Any]) -> str:
    change = " -> ".join(each for each in (event["from"], event["to"]) if each)
    parts = [event["at"], f"{event['subject']:<16}", event["what"]]
    if change:
        parts.append(f"[{change}]")
    if event["because"]:
        parts.append(f"because {event['because']}")
    if event["by"]:
        through = f" through {event['via']}" if event.get("via") else ""
        parts.append(f"(by {event['by']}{through})")
    return "  ".join(parts[:2]) + "  " + " ".join(parts[2:])
