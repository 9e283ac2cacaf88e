"""vmsg status."""

import click

from cli.live import picture
from cli.options import asking
from cli.output import Output, as_json, written
from cli.problems import EXIT_OF_VERDICT, lines_of
from cli.session import QUESTION_S, Session, explained
from cli.status_table import status_lines
from cluster.api.messages import GetStatus, Reply
from packages.core.problem import Problem
from packages.core.values import plain

EVERY_S = 1.0


@click.command()
@asking
@click.option("-w", "--watch", is_flag=True, help="Show it anew each second, until Ctrl-C.")
@click.option("-v", "--verbose", is_flag=True, help="Also monitors, disks, switching, reasons.")
def command(session: Session, watch: bool, verbose: bool) -> None:
    """How the cluster, its nodes and its packages stand.

    Also moves under way, suspensions with their ends, and problems. Exit code 4 without quorum.
    """
    if watch:
        follow(session, verbose)
        return
    answer = session.answer(GetStatus(verbose=verbose), deadline_s=QUESTION_S)
    if isinstance(answer, Problem):
        session.stop([answer])
    if answer.result is None:
        session.stop(explained(answer), code=EXIT_OF_VERDICT[answer.verdict])
    session.show(answer.result, lambda: status_lines(answer.result, verbose=verbose))
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
            while True:
                answer = session.answer(GetStatus(verbose=verbose), deadline_s=QUESTION_S)
                screen.draw(drawn(session.output, answer, verbose))
                session.pause(EVERY_S)
    except KeyboardInterrupt:
        return


def drawn(output: Output, answer: Reply | Problem, verbose: bool) -> list[str]:
    """One picture: a table, or for programs one JSON object a line or one YAML document."""
    if isinstance(answer, Reply) and answer.result is not None:
        if output == "table":
            return status_lines(answer.result, verbose=verbose)
        tree = answer.result
    else:
        problems = [answer] if isinstance(answer, Problem) else explained(answer)
        if output == "table":
            return [line for each in problems for line in lines_of(each)]
        tree = {"problems": [plain(each) for each in problems]}
    return [as_json(tree)] if output == "json" else ["---", written(output, tree)]
