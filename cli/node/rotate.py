"""vmsg node rotate NODE | --all."""

from typing import Any

import click

from cli.live import progress
from cli.options import changing
from cli.session import QUESTION_S, Session
from cluster.api.messages import GetKeys, RotateNode
from packages.core.problem import Problem, problem

LOOK_S = 0.2
PATIENCE_S = 60.0
"""A change takes about a second when every node is up."""


@click.command()
@changing
@click.argument("node", required=False)
@click.option("--all", "everyone", is_flag=True, help="Every node, one after the other.")
def command(
    session: Session, node: str | None, everyone: bool, dry_run: bool, reason: str,
) -> None:
    """Give a node a new key and certificate, while everything goes on.

    Both keys are good until every node knows the new one; a node that is down is waited for.
    """
    if (node is None) != everyone:
        raise click.UsageError("Name a node, or say --all.", click.get_current_context())
    names = [node] if node is not None else [
        each["node"] for each in session.ask(GetKeys()).result["nodes"]]
    if dry_run:
        for name in names:
            session.change(asked(session, name, reason, dry_run=True), lambda result: "")
        return
    changed = []
    with progress() as screen:
        for name in names:
            screen.draw([f"{name}: changing its key"])
            session.ask(asked(session, name, reason))
            changed.append(follow(session, name))
    session.show({"nodes": changed}, lambda: [
        f"{each['node']} has changed its key and certificate." for each in changed
    ])


def asked(session: Session, name: str, reason: str, *, dry_run: bool = False) -> RotateNode:
    return RotateNode(
        request=f"{session.request_id}-{name}", dry_run=dry_run, reason=reason, node=name,
    )


def follow(session: Session, name: str) -> dict[str, Any]:
    """Until the node uses its new key and the old one is retired."""
    session.if_interrupted = f"The change of {name}'s key goes on: vmsg events --node {name}"
    waited_s = 0.0
    while waited_s < PATIENCE_S or session.has_timeout:
        answer = session.answer(GetKeys(current=True), deadline_s=QUESTION_S)
        if not isinstance(answer, Problem) and answer.verdict == "done":
            keys: dict[str, Any] | None = next(
                (each for each in answer.result["nodes"] if each["node"] == name), None)
            if keys is not None and not keys["rotation"]:
                return {"node": name, "key": keys["key"]}
        if session.is_late:
            session.stop([session.late(
                f"node:{name}", f"{name} has not changed its key yet.",
                follow="and see that every node is up: vmsg status",
                request=f"{session.request_id}-{name}")])
        session.pause(LOOK_S)
        waited_s += LOOK_S
    session.stop([problem(
        "timed-out", f"node:{name}", what=f"{name} has not changed its key yet.",
        because="Every other node must know the new key first; one of them may be down.",
        fix="Start the nodes that are down; then it ends by itself. Look at: vmsg status",
    )])
