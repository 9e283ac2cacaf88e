"""vmsg move PKG NODE, vmsg move PKG --status|--abort."""

from typing import Any

import click

from cli.move_progress import follow_move
from cli.move_table import move_lines
from cli.options import changing
from cli.problems import REFUSED, warn
from cli.session import CHANGE_S, Session
from cluster.api.messages import AbortMove, GetMove, MovePackage
from packages.core.problem import Problem, problem
from packages.core.values import shaped

ABORT_S = 120.0
"""An abort asked for in the freeze waits for its time-out, a minute by default."""

EXIT_OF_RESULT = {"completed": 0, "aborted": 1, "failed": 1, None: 0}


@click.command()
@changing
@click.argument("package")
@click.argument("node", required=False)
@click.option(
    "--wait/--no-wait", default=True,
    help="Wait for its turn and its end (the default); or neither, and be refused if it has none.",
)
@click.option("--status", is_flag=True, help="Show the move under way, else the last one.")
@click.option("--abort", is_flag=True, help="End the move; the guest runs on where it is.")
def command(
    session: Session, package: str, node: str | None, wait: bool, status: bool, abort: bool,
    dry_run: bool, reason: str,
) -> None:
    """Move a running package to another node, online.

    The guest keeps its memory, its connections and its life. Whatever fails before the switch
    leaves it running where it was. Exit code: 0 moved, 1 aborted or failed, 3 refused.
    """
    if (node is not None) + status + abort != 1:
        raise click.UsageError(
            "Name a node to move to, or one of --status and --abort.", click.get_current_context(),
        )
    if status:
        show_last(session, package)
    elif abort:
        abort_move(session, package, dry_run=dry_run, reason=reason)
    else:
        request = MovePackage(
            request=session.request_id, dry_run=dry_run, reason=reason, package=package,
            node=node or "", queue=wait,
        )
        if dry_run:
            session.change(request, lambda result: "")
        else:
            move(session, request, wait=wait)


def move(session: Session, request: MovePackage, *, wait: bool) -> None:
    reply = session.ask(request, deadline_s=CHANGE_S)
    opened = reply.result
    if not wait:
        session.show(opened, lambda: [
            f"{request.package} moves from {opened['source']} to {opened['target']}. "
            f"Follow it with: vmsg move {request.package} --status",
        ])
        return
    session.if_interrupted = (
        f"The move of {request.package} goes on. Follow it with: vmsg move {request.package} "
        f"--status; end it with: vmsg move {request.package} --abort"
    )
    ended = follow_move(session, opened)
    if isinstance(ended, Problem):
        session.stop([ended])
    finish(session, ended, code=EXIT_OF_RESULT[ended["result"]])


def show_last(session: Session, package: str) -> None:
    shown = session.ask(GetMove(package=package)).result
    if shown is None:
        session.stop([problem(
            "package-not-moving", f"package:{package}", what=f"Package {package} was never moved.",
            because="The record holds no move of it.",
            fix=f"Move it with: vmsg move {package} NODE",
        )], code=REFUSED)
    finish(session, shown, code=0)


def abort_move(session: Session, package: str, *, dry_run: bool, reason: str) -> None:
    request = AbortMove(
        request=session.request_id, dry_run=dry_run, reason=reason, package=package,
    )
    if dry_run:
        session.change(request, lambda result: "")
        return
    ended = session.ask(request, deadline_s=ABORT_S).result
    finish(session, ended, code=0 if ended["result"] == "aborted" else 1)


def finish(session: Session, ended: Any, *, code: int) -> None:
    """Print a MOVE; for people its Problem goes to standard error, as everywhere."""
    session.show(ended, lambda: move_lines(ended))
    if ended["problem"] is not None and session.output == "table":
        warn([shaped(ended["problem"], Problem)])
    if code:
        raise click.exceptions.Exit(code)
