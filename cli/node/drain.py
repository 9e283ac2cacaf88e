"""vmsg node drain NODE."""

from typing import Any

import click

from cli.live import progress
from cli.options import changing
from cli.output import span, table
from cli.problems import warn
from cli.session import Session
from cluster.api.messages import CancelDrain, DrainNode, GetStatus
from packages.core.problem import Problem, problem
from packages.core.values import shaped

LOOK_S = 0.5
PLAN_S = 90.0
"""Every node is asked for its facts, then the plan is agreed upon."""
AWAY_LOOKS = 120
"""A minute without any answer: nobody is left to ask."""


@click.command()
@changing
@click.argument("node")
@click.option(
    "--wait/--no-wait", default=True, help="Wait until it is empty (the default), or not.",
)
@click.option(
    "--allow-restart", is_flag=True,
    help="Halt what cannot be moved, and start it on another node.",
)
@click.option(
    "--cancel", is_flag=True,
    help="Stop emptying it: what has left stays away, what moves is called back.",
)
def command(
    session: Session, node: str, wait: bool, allow_restart: bool, cancel: bool, dry_run: bool,
    reason: str,
) -> None:
    """Move everything off a node online, for maintenance.

    The plan is shown first, and kept in the cluster: it goes on whoever dies. Arrivals are kept
    away until the node is resumed. Nothing is stopped without --allow-restart: a package that
    cannot be moved runs on, and is named with the reason and the smallest fix.
    """
    if cancel:
        if allow_restart:
            raise click.UsageError(
                "--cancel and --allow-restart exclude one another.", click.get_current_context())
        cancel_drain(session, node, dry_run=dry_run, reason=reason)
        return
    request = DrainNode(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node,
        allow_restart=allow_restart,
    )
    reply = session.ask(request, deadline_s=PLAN_S)
    if dry_run:
        session.show(reply.result, lambda: plan_lines(reply.result))
        return
    if reply.result.get("already"):
        session.show({"request": reply.request, **reply.result}, lambda: [reply.result["already"]])
        return
    if session.output == "table":
        for line in plan_lines(reply.result):
            click.echo(line)
    if wait:
        follow(session, node)
        return
    tree = {"request": reply.request, **reply.result}
    session.show(tree, lambda: [
        f"Node {node} is being emptied. Follow it with: vmsg status --watch",
    ])


def cancel_drain(session: Session, node: str, *, dry_run: bool, reason: str) -> None:
    request = CancelDrain(
        request=session.request_id, dry_run=dry_run, reason=reason, node=node)
    session.change(
        request, lambda result: f"Node {node} takes packages again. To bring back what has left: "
                                f"vmsg node resume {node} --return")


def plan_lines(plan: dict[str, Any]) -> list[str]:
    rows = [
        (str(each["wave"]), each["package"], each["target"], each["how"],
         span(each["seconds"] * 1000), each["because"])
        for each in plan["moves"]
    ]
    lines = table(("WAVE", "PACKAGE", "TO", "HOW", "ABOUT", "BECAUSE"), rows) if rows else []
    if not rows:
        lines.append(f"Nothing can leave {plan['node']}." if plan["stuck"]
                     else f"Nothing would have to leave {plan['node']}.")
    for each in plan["stuck"]:
        told: Problem = shaped(each["problem"], Problem)
        lines += [f"{each['package']} stays: {told.what} ({told.because}) Fix: {told.fix}"]
    if plan["without_spare"]:
        lines.append(f"Without a spare while {plan['node']} takes nothing: "
                     f"{', '.join(plan['without_spare'])}")
    for number, wave in enumerate(plan["waves"], 1):
        if wave["without_spare"]:
            lines.append(f"Without a spare after wave {number}: "
                         f"{', '.join(wave['without_spare'])}")
    if rows:
        waves = "1 wave" if len(plan["waves"]) == 1 else f"{len(plan['waves'])} waves"
        lines.append(f"About {span(plan['seconds'] * 1000)} in {waves}.")
    return lines


def follow(session: Session, node: str) -> None:
    session.if_interrupted = (
        f"Node {node} goes on being emptied. Follow it with: vmsg status --watch; "
        f"end it with: vmsg node drain {node} --cancel"
    )
    status, left = watched(session, node)
    finish(session, node, status, left)


def watched(session: Session, node: str, *, request: str = "") -> tuple[Any, list[str]]:
    """The status once the node is empty, or once nothing left on it can be moved; and what is.
    `request` began the drain, where it was not the session's own."""
    with progress() as screen:
        silent = 0
        while silent < AWAY_LOOKS:
            if session.is_late:
                session.stop([session.late(
                    f"node:{node}", f"Node {node} is not empty yet.",
                    follow=f"end it with: vmsg node drain {node} --cancel", request=request)])
            answer = session.answer(GetStatus(verbose=True, current=True), deadline_s=LOOK_S * 10)
            status = None if isinstance(answer, Problem) else answer.result
            if status is not None and status["cluster"]["quorum"]:
                silent = 0
                left = remaining(status, node)
                stuck = stuck_there(status, node)
                screen.draw([f"{node}: {count(left)} left{moving(status, left)}"])
                if state_of(status, node) != "draining" or not set(left) - set(stuck):
                    break
            else:
                silent += 1
            session.pause(LOOK_S)
    if silent:
        session.stop([gone_silent(node)])
    return status, left


def finish(session: Session, node: str, status: Any, left: list[str]) -> None:
    """Empty is done; a package that stays is a failure, with the reason it was given."""
    stuck = stuck_there(status, node)
    tree = {
        "node": node, "state": state_of(status, node), "left": left,
        "problems": list(stuck.values()),
    }
    session.show(tree, lambda: [
        f"Node {node} is empty; it takes no packages until: vmsg node resume {node}" if not left
        else f"Node {node} still runs {', '.join(left)}.",
    ])
    if left:
        if session.output == "table":
            warn([shaped(each, Problem) for each in stuck.values()])
        raise click.exceptions.Exit(1)


def count(left: list[str]) -> str:
    return "1 package" if len(left) == 1 else f"{len(left)} packages"


def state_of(status: Any, node: str) -> str:
    return next((each["state"] for each in status["nodes"] if each["name"] == node), "unknown")


def remaining(status: Any, node: str) -> list[str]:
    return [each["name"] for each in status["packages"] if each["node"] == node]


def stuck_there(status: Any, node: str) -> dict[str, Any]:
    """Package -> why it cannot leave."""
    return {
        each["package"]: each["problem"] for found in status["nodes"] if found["name"] == node
        for each in found.get("stuck") or ()
    }


def moving(status: Any, left: list[str]) -> str:
    under_way = [
        f"{each['name']} {each['move']['phase']} {each['move']['percent']:.0f} %"
        for each in status["packages"] if each["name"] in left and each["move"]
    ]
    return f": {', '.join(under_way)}" if under_way else ""


def gone_silent(node: str) -> Problem:
    return problem(
        "timed-out", f"node:{node}", what="The cluster has not answered for a minute.",
        because="No node with quorum could be asked. The drain goes on without us.",
        fix="Follow it with: vmsg status --watch",
    )
