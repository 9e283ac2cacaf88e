"""vmsg plan fail NODE..."""

from typing import Any

import click

from cli.options import asking
from cli.output import table
from cli.session import Session
from cluster.api.messages import PlanFailure
from packages.core.problem import Problem
from packages.core.values import shaped

PLAN_S = 30.0
"""Every node that would be left is asked for its facts."""


@click.command()
@asking
@click.argument("nodes", nargs=-1, required=True, metavar="NODE...")
def command(session: Session, nodes: tuple[str, ...]) -> None:
    """What would happen if these nodes failed now, all at once.

    Which package would start where, in which order, by which proof of its node's death; which
    would not, and what would mend that. Nothing is changed.
    """
    plan = session.ask(PlanFailure(nodes=nodes), deadline_s=PLAN_S).result
    session.show(plan, lambda: plan_lines(plan))


def plan_lines(plan: dict[str, Any]) -> list[str]:
    failed = ", ".join(plan["nodes"])
    rows = [
        (str(each["turn"]), each["package"], each["from"], each["node"], each["proof"],
         each["because"])
        for each in plan["starts"]
    ]
    lines = table(("TURN", "PACKAGE", "FROM", "TO", "PROOF", "BECAUSE"), rows) if rows else []
    if not plan["quorum"]:
        lines.append(f"Without {failed} there is no quorum: nothing is started anywhere.")
    elif not rows and not plan["stuck"]:
        lines.append(f"Nothing runs on {failed}.")
    for each in plan["stuck"]:
        told: Problem = shaped(each["problem"], Problem)
        lines.append(f"{each['package']}: {told.what} ({told.because}) Fix: {told.fix}")
    if any(each["proof"] == "lease" for each in plan["starts"]):
        lines.append(f"A lease proves a node dead {plan['lease_proves_s']:g} s after it was last "
                     "heard.")
    return lines
