"""vmsg status."""

from typing import Any

import click

from cli.live import picture
from cli.options import asking
from cli.output import as_json, written
from cli.problems import EXIT_OF_VERDICT, TIMED_OUT, lines_of
from cli.session import QUESTION_S, Session, explained
from cli.status_table import status_lines
from cluster.api.messages import GetStatus, Reply
from packages.core.problem import Problem
from packages.core.values import plain

EVERY_S = 1.0


@click.command()
@asking
@click.option("-w", "--watch", is_flag=True,
              help="Show it anew each second, until Ctrl-C or --timeout.")
@click.option("-v", "--verbose", is_flag=True, help="Also monitors, disks, switching, reasons.")
def command(session: Session, watch: bool, verbose: bool) -> None:
    """How the cluster, its nodes and its packages stand.

    Also moves under way, suspensions with their ends, and problems. Exit code 4 without quorum.
    """
    if watch:
        follow(session, verbose)
        return
    answer = session.answer(
        GetStatus(verbose=verbose), deadline_s=session.waiting_s(QUESTION_S))
    if isinstance(answer, Problem):
        session.stop([answer])
    if answer.result is None:
        session.stop(explained(answer), code=EXIT_OF_VERDICT[answer.verdict])
    tree = told(session, answer.result)
    session.show(tree, lambda: lines(tree, verbose))
    if code := code_of(answer):
        raise click.exceptions.Exit(code)


def code_of(answer: Reply) -> int:
    """A node that is cut off shows what it knows; that it has no quorum is the exit code."""
    if answer.verdict != "done":
        return EXIT_OF_VERDICT[answer.verdict]
    return 0 if answer.result["cluster"]["quorum"] else EXIT_OF_VERDICT["no-quorum"]


def follow(session: Session, verbose: bool) -> None:
    """Until Ctrl-C, which is how one leaves this; a cluster that is away may come back."""
    try:
        with picture(whole=session.output == "table") as screen:
            while not session.is_late:
                answer = session.answer(GetStatus(verbose=verbose), deadline_s=QUESTION_S)
                screen.draw(drawn(session, answer, verbose))
                session.pause(EVERY_S)
    except KeyboardInterrupt:
        return
    raise click.exceptions.Exit(TIMED_OUT)


def told(session: Session, status: dict[str, Any]) -> dict[str, Any]:
    """The status, and in a lab that it is one: nobody is to take it for their hosts."""
    return {**status, "lab": session.lab} if session.lab else status


def lines(status: dict[str, Any], verbose: bool) -> list[str]:
    head = [f"lab {status['lab']}"] if status.get("lab") else []
    return [*head, *status_lines(status, verbose=verbose)]


def drawn(session: Session, answer: Reply | Problem, verbose: bool) -> list[str]:
    """One picture: a table, or for programs one JSON object a line or one YAML document."""
    output = session.output
    if isinstance(answer, Reply) and answer.result is not None:
        tree = told(session, answer.result)
        if output == "table":
            return lines(tree, verbose)
    else:
        problems = [answer] if isinstance(answer, Problem) else explained(answer)
        if output == "table":
            return [line for each in problems for line in lines_of(each)]
        tree = {"problems": [plain(each) for each in problems]}
    return [as_json(tree)] if output == "json" else ["---", written(output, tree)]
