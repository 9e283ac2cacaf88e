"""vmsg node join: the line comes by standard input or at a prompt, since what is on a command line
is seen by every user of the host, and stays in the shell's history."""

import sys
from pathlib import Path

import click

from cli.options import asking
from cli.problems import warn
from cli.session import Session, explained
from cluster.api.messages import JoinNode, Reply
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, shaped

MOST_BYTES = 64 << 10
"""Of standard input; a line has less than one."""

JOIN_S = 30.0
"""An agreement of the others, at worst during an election, and a certificate."""


@click.command()
@asking
@click.argument("line", required=False)
@click.option("--etc", default="/etc/vmsg", show_default=True, metavar="DIR",
              help="Where this node's folder is made.")
def command(session: Session, line: str | None, etc: str) -> None:
    """Make this host the node it was invited as, by the line that vmsg node invite printed.

    The line is asked for, or read from standard input (-). Given as an argument it is seen by
    every user of this host. Secret keys are made here and never leave. If the answer is lost, the
    same line works again.
    """
    from cluster.api.peer import Endpoint
    from cluster.config.joining import JoinRequest, give_up, is_begun, line_broken, line_of, prepare
    from cluster.sockets import is_endpoint, is_key, keys_of, make_keys, public_of
    invitation = line_of(read(session) if line in (None, "-") else line)
    if isinstance(invitation, Problem):
        session.stop([invitation])
    if not all(is_endpoint(each.address) and is_key(each.key) for each in invitation.doors):
        session.stop([line_broken("it names a node that cannot be connected to")])
    once = keys_of(invitation.secret)
    if once is None:
        session.stop([unusable(invitation.node)])
    if line not in (None, "-"):
        warn([seen_by_all()])
    was_begun = is_begun(Path(etc))
    made = prepare(Path(etc), invitation.node, make_keys, public_of)
    if not isinstance(made, JoinRequest):
        session.stop([made])
    session.connect(
        [Endpoint(address=each.address, server_key=each.key) for each in invitation.doors], once)
    answer = session.answer(JoinNode(
        request=session.request_id, key=made.key, operator_key=made.operator_key,
        certificate_request=made.certificate_request,
    ), deadline_s=session.waiting_s(JOIN_S))
    if was_refused(answer) and not was_begun:
        give_up(Path(etc))
    finish(session, invitation.node, Path(etc), answer)


def was_refused(answer: Reply | Problem) -> bool:
    """For certain: nobody took this host's keys down."""
    if isinstance(answer, Problem):
        return answer.code == "not-authorised"
    return answer.verdict in ("refused", "not-authorised")


def read(session: Session) -> str:
    if sys.stdin.isatty():
        said: str = click.prompt("The line", hide_input=True, err=True)
        return said
    return sys.stdin.buffer.read(MOST_BYTES).decode(errors="replace")


def seen_by_all() -> Problem:
    return problem(
        "secret-on-command-line", "invitation", severity="warn",
        what="Every user of this host could read the line while this command ran.",
        because="It was given as an argument, which also the shell's history keeps.",
        fix="Take it out of the history; the next one is read from standard input: "
            "vmsg node join -",
    )


def finish(session: Session, node: str, etc: Path, answer: Reply | Problem) -> None:
    from cluster.config import joining
    if isinstance(answer, Problem):
        session.stop([unusable(node) if answer.code == "not-authorised" else answer])
    if answer.verdict != "done":
        session.stop(explained(answer))
    try:
        told: joining.JoinAnswer = shaped(answer.result, joining.JoinAnswer)
    except Undecodable as error:
        session.stop([problem(
            "bad-reply", f"node:{node}", what="The cluster's answer could not be understood.",
            because=str(error),
            fix="See that this host and the cluster run the same version of the product.",
        )])
    folder = joining.finish(etc, node, told)
    if isinstance(folder, Problem):
        session.stop([folder])
    tree = {"node": node, "cluster": folder.config.name, "etc": str(etc)}
    session.show(tree, lambda: [
        f"This host is {node} of {folder.config.name}; its keys are in {etc}.",
        "Start it with: systemctl enable --now vmsg-guard vmsgd",
    ])


def unusable(node: str) -> Problem:
    return problem(
        "invitation-invalid", f"node:{node}", what="The invitation does not let this host in.",
        because="It was used by another host, its time is over, or a newer one was made.",
        fix=f"Make a new one on any node with: vmsg node invite {node}",
    )
